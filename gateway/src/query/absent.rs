//! Why a snapshot lacks a metric, as far as what it rests on tells.

use fluxgauge_proto::catalogue::{Metric, QUEUE_LABEL, Source as Origin};
use metrics_api::selector::Selector;

use super::{Error, Reader};
use crate::model::Snapshot;

impl Reader<'_> {
    /// Says why a snapshot lacks the metric.
    pub(super) fn absent(&self, snapshot: &Snapshot) -> Error {
        let metric = self.request.metric;
        let Some(known) = self.known else {
            return Error::UnknownMetric(format!("no collector reports {metric}"));
        };
        let origin = origin(known, self.request.metric_selector);
        let source = snapshot.sources.iter().find(|source| *source.name == *origin.name());
        let reason = match source {
            Some(source) => match (&source.failure, source.age_at_receipt) {
                (Some(failure), _) => match snapshot.age(source, self.now) {
                    Some(age) => {
                        format!("{}: {failure}; last sample is {}s old", source.name, age.as_secs())
                    }
                    None => format!("{}: {failure}", source.name),
                },
                (None, None) => format!("{} has not answered yet", source.name),
                (None, Some(_)) if !self.request.metric_selector.is_empty() => {
                    format!("no series matches {}", self.request.metric_selector)
                }
                (None, Some(_)) => {
                    format!("Flux {} does not report it", snapshot.reporter.flux_version)
                }
            },
            None => format!("the collector does not report {}", origin.name()),
        };
        Error::NotFound(reason)
    }
}

/// What the series of a metric rest on that a selector picks.
pub(super) fn origin(known: &Metric, selector: &Selector) -> Origin {
    match known.source {
        Origin::SchedStatus if selector.names(QUEUE_LABEL) => Origin::QueueStatus,
        origin => origin,
    }
}
