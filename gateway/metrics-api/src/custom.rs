//! Answers of `custom.metrics.k8s.io`: lists of metric values in both versions.
//!
//! One neutral [`MetricValue`] is spelled as either version asks. Fields stand in the order in
//! which Kubernetes writes them, and are left out or `null` where it does so.

use std::fmt;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::{quantity::Quantity, selector::Selector};

/// The API group.
pub const GROUP: &str = "custom.metrics.k8s.io";

/// The kind of every answer.
pub const LIST_KIND: &str = "MetricValueList";

/// A version of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `v1beta1`.
    V1Beta1,
    /// `v1beta2`, the preferred one.
    V1Beta2,
}

impl Version {
    /// All versions, the preferred one first.
    pub const ALL: [Self; 2] = [Self::V1Beta2, Self::V1Beta1];

    /// As it stands in a path.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V1Beta1 => "v1beta1",
            Self::V1Beta2 => "v1beta2",
        }
    }

    /// Finds a version by its name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.name() == name)
    }

    /// Group and version, as it stands in a document.
    pub const fn group_version(self) -> &'static str {
        match self {
            Self::V1Beta1 => "custom.metrics.k8s.io/v1beta1",
            Self::V1Beta2 => "custom.metrics.k8s.io/v1beta2",
        }
    }
}

/// What a value describes. Empty texts are left out.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectReference<'a> {
    /// Such as `MiniCluster`.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub kind: &'a str,
    /// The namespace of a namespaced object.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub namespace: &'a str,
    /// The name.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub name: &'a str,
    /// What tells the object from a later one of its name, where known.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub uid: &'a str,
    /// Such as `flux-framework.org/v1alpha2`; `v1` for core kinds.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub api_version: &'a str,
}

/// One value of one metric of one object.
#[derive(Clone, Copy, Debug)]
pub struct MetricValue<'a> {
    /// What it describes.
    pub object: ObjectReference<'a>,
    /// The name of the metric.
    pub metric: &'a str,
    /// The selector by which the series was picked, to be echoed.
    pub selector: &'a Selector,
    /// When the value was produced. Whole seconds are written.
    pub timestamp: Timestamp,
    /// The window of an average in seconds; `None` for a value of one moment.
    pub window_seconds: Option<u32>,
    /// The value.
    pub value: Quantity,
}

/// Writes a list with a final newline.
///
/// ```
/// use metrics_api::custom::{self, Version};
///
/// assert_eq!(
///     custom::list(Version::V1Beta2, &[]),
///     b"{\"kind\":\"MetricValueList\",\"apiVersion\":\"custom.metrics.k8s.io/v1beta2\",\
///       \"metadata\":{},\"items\":[]}\n"
/// );
/// ```
pub fn list(version: Version, items: &[MetricValue<'_>]) -> Vec<u8> {
    // About 120 bytes of frame, and 320 of an item with names of usual length.
    let mut body = Vec::with_capacity(128 + 320 * items.len());
    let list = List {
        kind: LIST_KIND,
        api_version: version.group_version(),
        metadata: Metadata {},
        items: Items { version, items },
    };
    // Writing to a `Vec` cannot fail, nor can any of the types above.
    let written = serde_json::to_writer(&mut body, &list);
    debug_assert!(written.is_ok(), "{written:?}");
    body.push(b'\n');
    body
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct List<'a> {
    kind: &'static str,
    api_version: &'static str,
    metadata: Metadata,
    items: Items<'a>,
}

#[derive(Serialize)]
struct Metadata {}

struct Items<'a> {
    version: Version,
    items: &'a [MetricValue<'a>],
}

impl Serialize for Items<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.version {
            Version::V1Beta1 => serializer.collect_seq(self.items.iter().map(V1Beta1::from)),
            Version::V1Beta2 => serializer.collect_seq(self.items.iter().map(V1Beta2::from)),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct V1Beta1<'a> {
    described_object: ObjectReference<'a>,
    metric_name: &'a str,
    timestamp: Seconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<u32>,
    value: Quantity,
    selector: Option<&'a Selector>,
}

impl<'a> From<&'a MetricValue<'a>> for V1Beta1<'a> {
    fn from(value: &'a MetricValue<'a>) -> Self {
        Self {
            described_object: value.object,
            metric_name: value.metric,
            timestamp: Seconds(value.timestamp),
            window: value.window_seconds,
            value: value.value,
            selector: echo(value.selector),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct V1Beta2<'a> {
    described_object: ObjectReference<'a>,
    metric: MetricIdentifier<'a>,
    timestamp: Seconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    window_seconds: Option<u32>,
    value: Quantity,
}

#[derive(Serialize)]
struct MetricIdentifier<'a> {
    name: &'a str,
    selector: Option<&'a Selector>,
}

impl<'a> From<&'a MetricValue<'a>> for V1Beta2<'a> {
    fn from(value: &'a MetricValue<'a>) -> Self {
        Self {
            described_object: value.object,
            metric: MetricIdentifier { name: value.metric, selector: echo(value.selector) },
            timestamp: Seconds(value.timestamp),
            window_seconds: value.window_seconds,
            value: value.value,
        }
    }
}

/// An empty selector is `null`.
fn echo(selector: &Selector) -> Option<&Selector> {
    (!selector.is_empty()).then_some(selector)
}

/// RFC 3339 in UTC with whole seconds.
struct Seconds(Timestamp);

impl fmt::Display for Seconds {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:.0}", self.0)
    }
}

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: ObjectReference<'_> =
        ObjectReference { kind: "", namespace: "", name: "", uid: "", api_version: "" };

    fn body(version: Version, selector: &str, window_seconds: Option<u32>) -> String {
        let selector = Selector::parse(selector).unwrap();
        let item = MetricValue {
            object: ObjectReference {
                kind: "MiniCluster",
                namespace: "hpc",
                name: "mc0",
                uid: "",
                api_version: "flux-framework.org/v1alpha2",
            },
            metric: "flux_queue_depth",
            selector: &selector,
            timestamp: "2026-11-23T19:00:00.999Z".parse().unwrap(),
            window_seconds,
            value: Quantity::try_from(1.5).unwrap(),
        };
        String::from_utf8(list(version, &[item])).unwrap()
    }

    #[test]
    fn v1beta2_is_written_as_kubernetes_writes_it() {
        assert_eq!(body(Version::V1Beta2, "", Some(30)), include_str!("../testdata/v1beta2.json"));
    }

    #[test]
    fn v1beta1_is_written_as_kubernetes_writes_it() {
        assert_eq!(body(Version::V1Beta1, "", Some(30)), include_str!("../testdata/v1beta1.json"));
    }

    #[test]
    fn a_value_of_one_moment_has_no_window() {
        for version in Version::ALL {
            assert!(!body(version, "", None).contains("indow"), "{}", body(version, "", None));
        }
    }

    #[test]
    fn the_selector_is_echoed_as_a_label_selector() {
        let echoed = r#""selector":{"matchLabels":{"queue":"batch"}}"#;
        for version in Version::ALL {
            let body = body(version, "queue=batch", None);
            assert!(body.contains(echoed), "{body}");
        }
    }

    #[test]
    fn empty_texts_of_an_object_are_left_out() {
        let namespace = ObjectReference { kind: "Namespace", name: "hpc", ..NOTHING };
        let object = ObjectReference { api_version: "v1", ..namespace };
        let text = serde_json::to_string(&object).unwrap();
        assert_eq!(text, r#"{"kind":"Namespace","name":"hpc","apiVersion":"v1"}"#);
    }

    #[test]
    fn a_pod_has_its_uid_where_kubernetes_writes_it() {
        let pod = ObjectReference { kind: "Pod", name: "mc0-0-abcde", ..NOTHING };
        let object = ObjectReference { uid: "1bf3", api_version: "v1", ..pod };
        let text = serde_json::to_string(&object).unwrap();
        let want = r#"{"kind":"Pod","name":"mc0-0-abcde","uid":"1bf3","apiVersion":"v1"}"#;
        assert_eq!(text, want);
    }

    #[test]
    fn names_are_escaped() {
        let selector = Selector::default();
        let item = MetricValue {
            object: ObjectReference { name: "a\"\n", ..NOTHING },
            metric: "\\",
            selector: &selector,
            timestamp: Timestamp::UNIX_EPOCH,
            window_seconds: None,
            value: Quantity::try_from(0.0).unwrap(),
        };
        let body = list(Version::V1Beta2, &[item]);
        let read: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(read["items"][0]["describedObject"]["name"], "a\"\n");
        assert_eq!(read["items"][0]["metric"]["name"], "\\");
        assert_eq!(read["items"][0]["timestamp"], "1970-01-01T00:00:00Z");
    }
}
