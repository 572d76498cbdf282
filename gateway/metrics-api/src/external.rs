//! Answers of `external.metrics.k8s.io`: lists of values that their labels tell apart.

/// The API group.
pub const GROUP: &str = "external.metrics.k8s.io";

/// Its only version.
pub const VERSION: &str = "v1beta1";

/// Group and version, as it stands in a document.
pub const GROUP_VERSION: &str = "external.metrics.k8s.io/v1beta1";

/// The kind of every answer.
pub const LIST_KIND: &str = "ExternalMetricValueList";
