//! What one stream said so far, and how a sample changes it. Pure: no I/O, time passed in.

use std::{sync::Arc, time::Duration};

use fluxgauge_proto::{
    limits,
    v1::{Label, Sample, Scope, Series as WireSeries, SeriesKey, Source as WireSource, Trace},
};
use tonic::Status;

use crate::{
    clock::Moment,
    model::{Labels, Provenance, Reporter, Series, SeriesMap, Size, Snapshot, Source},
};

/// Bytes of the cause of a sample, the topic of a message, that are kept: each series may have another.
const MAX_CAUSE_BYTES: usize = 64;

/// The sum of the samples of one stream.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// The sequence of the sample that was applied last; 0 before the first full one.
    sequence: u64,
    instance: SeriesMap,
    broker: SeriesMap,
    /// Of both maps; at most [`limits::MAX_SERIES`] series.
    size: Size,
}

/// The new value of a series.
struct Value {
    value: f64,
    source: usize,
    provenance: Option<Arc<Provenance>>,
}

/// What became of a sample.
pub(super) enum Applied {
    /// What to publish, and how it came about.
    Snapshot(Box<Snapshot>, Option<Arc<Provenance>>),
    /// A sample is missing before this one; a full one must follow.
    Gap,
}

impl Report {
    /// The sequence of the sample that was applied last.
    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Applies a sample.
    ///
    /// # Errors
    ///
    /// When the sample breaks the contract or a limit. The stream is over then.
    pub(super) fn apply(
        &mut self,
        sample: Sample,
        reporter: &Arc<Reporter>,
        received: Moment,
    ) -> Result<Applied, Status> {
        if sample.sequence == 0 {
            return Err(Status::invalid_argument("the sequence of a sample starts at 1, not 0"));
        }
        let follows = self.sequence > 0 && self.sequence.checked_add(1) == Some(sample.sequence);
        if !sample.full && !follows {
            self.sequence = 0;
            return Ok(Applied::Gap);
        }
        let most = sample.series.len().max(sample.removed.len());
        if most > limits::MAX_SERIES {
            return Err(Status::resource_exhausted(format!(
                "a sample names at most {} series, and this one names {most}",
                limits::MAX_SERIES
            )));
        }
        if sample.full {
            *self = Self::default();
        }
        let provenance = sample.trace.and_then(|trace| provenance(trace, received)).map(Arc::new);
        let sources = sources(sample.sources)?;
        for key in sample.removed {
            self.set(key, None)?;
        }
        for WireSeries { key, value, source } in sample.series {
            let key = key.ok_or_else(|| Status::invalid_argument("a series has no key"))?;
            let source = usize::try_from(source).unwrap_or(usize::MAX);
            if source >= sources.len() {
                return Err(Status::invalid_argument(format!(
                    "series {:?} names source {source}, and the sample has {}",
                    text(&key.metric),
                    sources.len()
                )));
            }
            if !value.is_finite() || value.abs() > limits::MAX_VALUE {
                return Err(Status::invalid_argument(format!(
                    "series {:?} has the value {value}; a value is finite and at most {:e}",
                    text(&key.metric),
                    limits::MAX_VALUE
                )));
            }
            if key.scope() == Scope::Instance && reporter.rank != 0 {
                return Err(Status::permission_denied(format!(
                    "series {:?} describes the instance; only the collector of rank 0 reports it, \
                     and this is rank {}",
                    text(&key.metric),
                    reporter.rank
                )));
            }
            let provenance = provenance.clone();
            self.set(key, Some(Value { value, source, provenance }))?;
        }
        self.sequence = sample.sequence;
        let of_sources: usize = sources.iter().map(source_bytes).sum();
        let snapshot = Snapshot {
            size: Size { text_bytes: self.size.text_bytes + of_sources, ..self.size },
            reporter: Arc::clone(reporter),
            received,
            sources,
            instance: self.instance.clone(),
            broker: self.broker.clone(),
        };
        Ok(Applied::Snapshot(Box::new(snapshot), provenance))
    }

    /// Sets or removes one series. A scope that this version does not know is ignored.
    fn set(&mut self, key: SeriesKey, value: Option<Value>) -> Result<(), Status> {
        let map = match key.scope() {
            Scope::Instance => &mut self.instance,
            Scope::Broker => &mut self.broker,
            Scope::Unspecified => return Ok(()),
        };
        check_metric(&key.metric)?;
        let labels = labels(key.labels)?;
        let held = map.get(key.metric.as_str());
        let known = held.into_iter().flat_map(|series| series.iter());
        let is_known = known.clone().any(|series| series.labels == labels);
        let others = known.filter(|series| series.labels != labels);
        let bytes = key.metric.len() + label_bytes(&labels);
        let is_kept = value.is_some();
        let new = value.map(|Value { value, source, provenance }| Series {
            labels: Arc::clone(&labels),
            value,
            source,
            provenance,
        });
        let series: Arc<[Series]> = others.cloned().chain(new).collect();
        match (is_known, is_kept) {
            (false, true) => {
                self.size.series += 1;
                self.size.text_bytes += bytes;
            }
            (true, false) => {
                self.size.series = self.size.series.saturating_sub(1);
                self.size.text_bytes = self.size.text_bytes.saturating_sub(bytes);
            }
            _ => {}
        }
        if self.size.series > limits::MAX_SERIES {
            return Err(Status::resource_exhausted(format!(
                "a stream holds at most {} series, and {:?} would be one more",
                limits::MAX_SERIES,
                text(&key.metric)
            )));
        }
        if series.is_empty() {
            map.remove(key.metric.as_str());
        } else if let Some(held) = map.get_mut(key.metric.as_str()) {
            *held = series;
        } else {
            map.insert(key.metric.into(), series);
        }
        Ok(())
    }
}

fn sources(wire: Vec<WireSource>) -> Result<Arc<[Source]>, Status> {
    if wire.len() > limits::MAX_SOURCES {
        return Err(Status::resource_exhausted(format!(
            "a sample names at most {} sources, and this one names {}",
            limits::MAX_SOURCES,
            wire.len()
        )));
    }
    Ok(wire
        .into_iter()
        .map(|source| Source {
            name: text(&source.name).into(),
            age_at_receipt: source.proved_age_ms.map(Duration::from_millis),
            failure: (!source.failure.is_empty()).then(|| text(&source.failure).into()),
        })
        .collect())
}

fn source_bytes(source: &Source) -> usize {
    source.name.len() + source.failure.as_ref().map_or(0, |failure| failure.len())
}

fn label_bytes(labels: &Labels) -> usize {
    labels.iter().map(|(name, value)| name.len() + value.len()).sum()
}

/// Kubernetes' rules for a segment of a path, and the two names that its authorizer reads as
/// subresources of the namespace.
fn check_metric(name: &str) -> Result<(), Status> {
    let problem = if name.is_empty() || name.len() > limits::MAX_NAME_BYTES {
        "has no length between 1 and 253 bytes"
    } else if name.contains(['/', '%']) || name.chars().any(char::is_control) {
        "has a character that a path cannot carry"
    } else if matches!(name, "." | ".." | "*" | "status" | "finalize") {
        "is reserved"
    } else {
        return Ok(());
    };
    Err(Status::invalid_argument(format!("the metric name {:?} {problem}", text(name))))
}

fn labels(wire: Vec<Label>) -> Result<Labels, Status> {
    if wire.len() > limits::MAX_LABELS {
        return Err(Status::resource_exhausted(format!(
            "a series has at most {} labels, and this one has {}",
            limits::MAX_LABELS,
            wire.len()
        )));
    }
    for label in &wire {
        if label.name.is_empty() || label.name.len().max(label.value.len()) > limits::MAX_NAME_BYTES
        {
            return Err(Status::invalid_argument(format!(
                "the label {:?} or its value is empty or longer than {} bytes",
                text(&label.name),
                limits::MAX_NAME_BYTES
            )));
        }
    }
    if !wire.is_sorted_by(|a, b| a.name < b.name) {
        return Err(Status::invalid_argument(
            "labels of a series stand in ascending order, each name once",
        ));
    }
    Ok(wire.into_iter().map(|label| (label.name.into(), label.value.into())).collect())
}

/// The trace of a sample in the gateway's time; none where the ids are not valid.
fn provenance(trace: Trace, received: Moment) -> Option<Provenance> {
    let trace_id: [u8; 16] = trace.trace_id.try_into().ok()?;
    let span_id: [u8; 8] = trace.span_id.try_into().ok()?;
    if trace_id == [0; 16] || span_id == [0; 8] {
        return None;
    }
    let before = |age_us| received.wall.checked_sub(Duration::from_micros(age_us));
    Some(Provenance {
        trace_id,
        span_id,
        cause: cut(&text(&trace.cause), MAX_CAUSE_BYTES).into(),
        event_seen: before(trace.event_age_us.max(trace.made_age_us))?,
        made: before(trace.made_age_us)?,
        received: received.wall,
        stored: received.wall,
    })
}

/// A text from outside, cut to its bound and cleared of what would break a line of a log.
pub(super) fn text(raw: &str) -> String {
    let kept = cut(raw, limits::MAX_TEXT_BYTES);
    kept.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// As much of a text, in whole characters.
fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests;
