//! Why a snapshot lacks a metric or a part of it, as far as what it rests on tells.

use fluxgauge_proto::catalogue::{Metric, QUEUE_LABEL, Source as Origin};

use super::{Error, Reader};
use crate::model::{Series, Snapshot};

impl Reader<'_> {
    /// Says why a snapshot lacks the metric.
    pub(super) fn absent(&self, snapshot: &Snapshot) -> Error {
        let metric = self.request.metric;
        let Some(known) = self.known else {
            return Error::UnknownMetric(format!("no collector reports {metric}"));
        };
        let origin = self.origin(known);
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
                (None, Some(_)) => self.unreported(snapshot, known),
            },
            None => format!("the collector does not report {}", origin.name()),
        };
        Error::NotFound(reason)
    }

    /// Says why it is not there though what it rests on works.
    fn unreported(&self, snapshot: &Snapshot, known: &Metric) -> String {
        let selector = &self.request.metric_selector;
        match (snapshot.instance.get(known.name), known.window) {
            (Some(_), _) if !self.wants_queues() => {
                format!("it is known of each queue: select one by {QUEUE_LABEL}=NAME")
            }
            (None, Some(seconds)) => {
                format!("it is an average over {seconds} s, which are not over yet")
            }
            _ if !selector.is_empty() => format!("no series matches {selector}"),
            _ => format!("Flux {} does not report it", snapshot.reporter.flux_version),
        }
    }

    /// Whether the series that match, of all of a metric, are all that would match if everything
    /// were known. The instance's own must be there, though the selector may leave it out. Which
    /// queues there are is known as of the last proof of what reports them, and that there is none
    /// only while it works; one that was named and found is all.
    ///
    /// # Errors
    ///
    /// Why that is not known.
    pub(super) fn is_complete(
        &self,
        snapshot: &Snapshot,
        all: &[Series],
        matching: usize,
    ) -> Result<(), Error> {
        let Some(known) = self.known else {
            return Ok(());
        };
        if !self.wants_queues() {
            let is_there = all.iter().any(|series| series.label(QUEUE_LABEL).is_none());
            return if is_there { Ok(()) } else { Err(self.absent(snapshot)) };
        }
        let named = self.request.metric_selector.value_of(QUEUE_LABEL).is_some();
        if named && matching > 0 {
            return Ok(());
        }
        let wanted = self.origin(known).name();
        let source = snapshot.sources.iter().find(|source| *source.name == *wanted);
        let age = source.and_then(|source| snapshot.age(source, self.now));
        match (source, age) {
            (Some(source), Some(age)) if matching > 0 || source.failure.is_none() => {
                self.fresh(age, Some(source))
            }
            _ => Err(self.absent(snapshot)),
        }
    }

    /// What the series of a metric rest on that the selector picks.
    pub(super) fn origin(&self, known: &Metric) -> Origin {
        match known.source {
            Origin::SchedStatus if self.wants_queues() => Origin::QueueStatus,
            origin => origin,
        }
    }
}
