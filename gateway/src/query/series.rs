//! From the series of one snapshot to the one value that is asked for.

use std::{fmt, sync::Arc, time::Duration};

use fluxgauge_proto::catalogue::QUEUE_LABEL;
use metrics_api::selector::Condition;

use super::{Error, Item, Reader};
use crate::model::{Series, SeriesMap, Snapshot, Source};

impl Reader<'_> {
    /// The one value that a snapshot has for the request.
    pub(super) fn value(
        &self,
        snapshot: &Snapshot,
        metrics: &SeriesMap,
        object: Arc<str>,
    ) -> Result<Item, Error> {
        if let Some(derived) = self.derived {
            let selected = |reader: &Reader<'_>, series: &Series| reader.selects(series);
            return self
                .derive(derived, snapshot, metrics, &object, selected)
                .map(|(item, _)| item);
        }
        let series = self.only(snapshot, metrics, &object, |series| self.selects(series))?;
        self.proved(snapshot, series, object)
    }

    /// The one series that is selected.
    pub(super) fn only<'s>(
        &self,
        snapshot: &Snapshot,
        metrics: &'s SeriesMap,
        object: &str,
        selected: impl Fn(&Series) -> bool,
    ) -> Result<&'s Series, Error> {
        let all = metrics.get(self.request.metric).map_or(&[][..], |series| series);
        let mut matching = all.iter().filter(|series| selected(series));
        let Some(series) = matching.next() else {
            return Err(self.absent(snapshot));
        };
        if let Some(second) = matching.next() {
            return Err(Error::Bad(format!(
                "metricLabelSelector {} leaves several series of {} for {object}, such as {} and \
                 {}: an object has one value, so narrow the selector",
                self.request.metric_selector,
                self.request.metric,
                LabelText(series),
                LabelText(second),
            )));
        }
        Ok(series)
    }

    /// The value of a series, unless it is too old.
    pub(super) fn proved(
        &self,
        snapshot: &Snapshot,
        series: &Series,
        object: Arc<str>,
    ) -> Result<Item, Error> {
        let source = snapshot.sources.get(series.source);
        let proof = source.and_then(|source| {
            Some((snapshot.age(source, self.now)?, snapshot.proved_at(source)?))
        });
        let Some((age, produced)) = proof else {
            return Err(self.absent(snapshot));
        };
        self.fresh(age, source)?;
        let provenance = series.provenance.as_ref().filter(|_| self.request.traced).cloned();
        let (value, window) = (series.value, self.known.and_then(|known| known.window));
        let parts = Vec::new();
        Ok(Item { object, uid: None, value, produced, window, provenance, parts })
    }

    /// Refuses what was proved too long ago.
    pub(super) fn fresh(&self, age: Duration, source: Option<&Source>) -> Result<(), Error> {
        let limit = self.rules.max_age;
        if age <= limit {
            return Ok(());
        }
        let failure = source.and_then(|source| source.failure.as_deref());
        let why = failure.map_or_else(String::new, |failure| format!("; {failure}"));
        Err(Error::TooOld { member: String::new(), age, limit, why })
    }

    /// Series of a queue are for those who name `queue`, and they get no other: the instance's
    /// would count the same jobs twice. `!queue` asks for the instance's.
    pub(super) fn selects(&self, series: &Series) -> bool {
        let selector = self.request.metric_selector;
        series.label(QUEUE_LABEL).is_some() == self.wants_queues()
            && selector.matches(|key| series.label(key))
    }

    pub(super) fn wants_queues(&self) -> bool {
        let mut conditions = self.request.metric_selector.conditions(QUEUE_LABEL);
        conditions.any(|condition| *condition != Condition::DoesNotExist)
    }
}

/// Shows the labels of a series as a selector would name them.
struct LabelText<'a>(&'a Series);

impl fmt::Display for LabelText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.labels.is_empty() {
            return f.write_str("the one without labels");
        }
        for (n, (name, value)) in self.0.labels.iter().enumerate() {
            write!(f, "{}{name}={value}", if n == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}
