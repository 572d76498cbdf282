//! The labels of pods, as far as they follow from who reports.

use crate::model::Reporter;

/// The labels that the Flux Operator and the Job controller put on the pod of a broker; others
/// are not known here.
pub(super) const POD_LABELS: [&str; 7] = [
    "hpa-selector",
    "app.kubernetes.io/name",
    "job-name",
    "batch.kubernetes.io/job-name",
    "batch.kubernetes.io/job-completion-index",
    "job-index",
    "namespace",
];

/// The value of one of [`POD_LABELS`].
pub(super) fn pod_label<'a>(reporter: &'a Reporter, key: &str) -> Option<&'a str> {
    match key {
        "hpa-selector" | "app.kubernetes.io/name" | "job-name" | "batch.kubernetes.io/job-name" => {
            Some(&reporter.cluster.name)
        }
        "batch.kubernetes.io/job-completion-index" | "job-index" => Some(&reporter.index),
        "namespace" => Some(&reporter.cluster.namespace),
        _ => None,
    }
}
