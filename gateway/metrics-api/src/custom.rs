//! Answers of `custom.metrics.k8s.io`: lists of metric values in both versions.
//!
//! One neutral [`MetricValue`] is spelled as either version asks. Fields stand in the order in
//! which Kubernetes writes them, and are left out or `null` where it does so.

use jiff::Timestamp;
use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use crate::{
    encoding::{Document, ListMeta, Message},
    quantity::Quantity,
    selector::{LabelSelector, Selector},
    time::Time,
};

mod json;

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

/// A list of values, in one of the versions.
///
/// ```
/// use metrics_api::{Encoding, custom::{List, Version}};
///
/// assert_eq!(
///     Encoding::Json.encode(&List { version: Version::V1Beta2, items: &[] }),
///     b"{\"kind\":\"MetricValueList\",\"apiVersion\":\"custom.metrics.k8s.io/v1beta2\",\
///       \"metadata\":{},\"items\":[]}\n"
/// );
/// ```
#[derive(Clone, Copy, Debug)]
pub struct List<'a> {
    /// In which it is spelled.
    pub version: Version,
    /// The values.
    pub items: &'a [MetricValue<'a>],
}

impl Serialize for List<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_struct("MetricValueList", 4)?;
        list.serialize_field("kind", self.kind())?;
        list.serialize_field("apiVersion", self.api_version())?;
        list.serialize_field("metadata", &ListMeta {})?;
        list.serialize_field("items", &Items { version: self.version, items: self.items })?;
        list.end()
    }
}

impl Document for List<'_> {
    fn api_version(&self) -> &'static str {
        self.version.group_version()
    }

    fn kind(&self) -> &'static str {
        LIST_KIND
    }

    fn size_hint(&self) -> usize {
        // About 120 bytes of frame, and 320 of an item with names of usual length.
        128 + 320 * self.items.len()
    }

    fn write_json(&self, body: &mut Vec<u8>) -> serde_json::Result<()> {
        json::write(self, body)
    }

    fn write_fields(&self, list: &mut Message<'_>) {
        list.list_meta(1);
        for item in self.items {
            list.message(2, |value| match self.version {
                Version::V1Beta1 => item.write_v1beta1(value),
                Version::V1Beta2 => item.write_v1beta2(value),
            });
        }
    }
}

impl ObjectReference<'_> {
    fn write_fields(&self, object: &mut Message<'_>) {
        object.string(1, self.kind);
        object.string(2, self.namespace);
        object.string(3, self.name);
        object.string(4, self.uid);
        object.string(5, self.api_version);
        object.string(6, ""); // resourceVersion
        object.string(7, ""); // fieldPath
    }
}

impl MetricValue<'_> {
    fn write_v1beta1(&self, value: &mut Message<'_>) {
        value.message(1, |object| self.object.write_fields(object));
        value.string(2, self.metric);
        self.write_measurement(value);
        self.write_selector(6, value);
    }

    fn write_v1beta2(&self, value: &mut Message<'_>) {
        value.message(1, |object| self.object.write_fields(object));
        value.message(2, |identifier| {
            identifier.string(1, self.metric);
            self.write_selector(2, identifier);
        });
        self.write_measurement(value);
    }

    /// What has the same tags in both versions.
    fn write_measurement(&self, value: &mut Message<'_>) {
        value.message(3, |time| Time(self.timestamp).write_fields(time));
        if let Some(seconds) = self.window_seconds {
            value.integer(4, seconds.into());
        }
        value.message(5, |quantity| quantity.display(1, &self.value));
    }

    fn write_selector(&self, tag: u32, message: &mut Message<'_>) {
        if let Some(selector) = echo(self.selector) {
            message.message(tag, |fields| LabelSelector::from(selector).write_fields(fields));
        }
    }
}

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
    timestamp: Time,
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
            timestamp: Time(value.timestamp),
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
    timestamp: Time,
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
            timestamp: Time(value.timestamp),
            window_seconds: value.window_seconds,
            value: value.value,
        }
    }
}

/// An empty selector is `null`.
fn echo(selector: &Selector) -> Option<&Selector> {
    (!selector.is_empty()).then_some(selector)
}

#[cfg(test)]
mod tests;
