//! Answers of `external.metrics.k8s.io`: lists of values that their labels tell apart.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use crate::{
    encoding::{Document, ListMeta, Message},
    quantity::Quantity,
    time::Time,
};

/// The API group.
pub const GROUP: &str = "external.metrics.k8s.io";

/// Its only version.
pub const VERSION: &str = "v1beta1";

/// Group and version, as it stands in a document.
pub const GROUP_VERSION: &str = "external.metrics.k8s.io/v1beta1";

/// The kind of every answer.
pub const LIST_KIND: &str = "ExternalMetricValueList";

/// One value of a metric.
#[derive(Clone, Debug)]
pub struct MetricValue<'a> {
    /// The name of the metric.
    pub metric: &'a str,
    /// What tells the value apart from others of the metric.
    pub labels: BTreeMap<&'a str, &'a str>,
    /// When the value was produced. Whole seconds are written.
    pub timestamp: Timestamp,
    /// The window of an average in seconds; `None` for a value of one moment.
    pub window_seconds: Option<u32>,
    /// The value.
    pub value: Quantity,
}

/// A list of values.
#[derive(Clone, Copy, Debug)]
pub struct List<'a> {
    /// The values.
    pub items: &'a [MetricValue<'a>],
}

impl Serialize for List<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_struct("ExternalMetricValueList", 4)?;
        list.serialize_field("kind", self.kind())?;
        list.serialize_field("apiVersion", self.api_version())?;
        list.serialize_field("metadata", &ListMeta {})?;
        list.serialize_field("items", self.items)?;
        list.end()
    }
}

impl Serialize for MetricValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut item = serializer.serialize_struct("ExternalMetricValue", 5)?;
        item.serialize_field("metricName", self.metric)?;
        item.serialize_field("metricLabels", &self.labels)?;
        item.serialize_field("timestamp", &Time(self.timestamp))?;
        match self.window_seconds {
            Some(seconds) => item.serialize_field("window", &seconds)?,
            None => item.skip_field("window")?,
        }
        item.serialize_field("value", &self.value)?;
        item.end()
    }
}

impl Document for List<'_> {
    fn api_version(&self) -> &'static str {
        GROUP_VERSION
    }

    fn kind(&self) -> &'static str {
        LIST_KIND
    }

    fn size_hint(&self) -> usize {
        // About 120 bytes of frame, and 200 of an item with names of usual length.
        128 + 200 * self.items.len()
    }

    fn write_fields(&self, list: &mut Message<'_>) {
        list.list_meta(1);
        for item in self.items {
            list.message(2, |value| {
                value.string(1, item.metric);
                value.map(2, item.labels.iter().map(|(name, value)| (*name, *value)));
                value.message(3, |time| Time(item.timestamp).write_fields(time));
                if let Some(seconds) = item.window_seconds {
                    value.integer(4, seconds.into());
                }
                value.message(5, |quantity| quantity.display(1, &item.value));
            });
        }
    }
}

#[cfg(test)]
mod tests;
