//! State → samples: full first, then what changed since the last one on the same stream. Pure.

use std::collections::BTreeMap;

use fluxgauge_proto::{CONTRACT_VERSION, catalogue::Source, limits, v1};
use tokio::time::Instant;

use crate::{
    identity::Identity,
    state::{Broker, Key, SourceState, State},
};

/// The cause of a sample that carries proofs and no change.
const INTERVAL: &str = "interval";

/// Who reports.
pub(super) fn hello(identity: &Identity, broker: &Broker) -> v1::Hello {
    v1::Hello {
        contract_version: CONTRACT_VERSION,
        namespace: identity.namespace.clone(),
        minicluster: identity.minicluster.clone(),
        pod_name: identity.pod_of(broker),
        pod_uid: String::new(),
        rank: broker.rank,
        size: broker.size,
        broker_start_time: broker.start_time,
        flux_version: bounded(&broker.version),
        collector_version: env!("CARGO_PKG_VERSION").to_owned(),
        headless_service: identity.headless_service.clone(),
    }
}

/// What one stream has sent.
#[derive(Debug)]
pub(super) struct Sent {
    /// In the order of every sample of the stream.
    sources: &'static [Source],
    series: BTreeMap<Key, f64>,
    sequence: u64,
    /// Whether the gateway knows nothing of `series`.
    full: bool,
    /// When the state was made that was sent last.
    made: Option<Instant>,
}

impl Sent {
    /// Nothing.
    pub(super) const fn new(sources: &'static [Source]) -> Self {
        Self { sources, series: BTreeMap::new(), sequence: 0, full: true, made: None }
    }

    /// The next sample has to be a full one.
    pub(super) const fn forget(&mut self) {
        self.full = true;
    }

    /// The sequence of the newest sample.
    pub(super) const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The next sample, which is sent now.
    pub(super) fn next(&mut self, state: &State, now: Instant) -> v1::Sample {
        let full = std::mem::take(&mut self.full);
        if full {
            self.series.clear();
        }
        self.sequence += 1;

        let none = SourceState::default();
        let of = |source| state.sources.get(source).unwrap_or(&none);
        let mut removed = Vec::new();
        self.series.retain(|key, _| {
            let mut values = self.sources.iter().filter_map(|source| of(source).values.get(key));
            let stays = values.any(|value| is_sendable(*value));
            if !stays {
                removed.push(key.into());
            }
            stays
        });
        let mut series = Vec::new();
        for (index, source) in (0..).zip(self.sources) {
            for (key, value) in &of(source).values {
                if self.series.get(key) == Some(value) || !is_sendable(*value) {
                    continue;
                }
                // The sources are bounded one by one; this bounds them together.
                if self.series.len() >= limits::MAX_SERIES && !self.series.contains_key(key) {
                    continue;
                }
                self.series.insert(key.clone(), *value);
                series.push(v1::Series { key: Some(key.into()), value: *value, source: index });
            }
        }
        v1::Sample {
            sequence: self.sequence,
            full,
            sources: self.sources.iter().map(|source| proof(*source, of(source), now)).collect(),
            series,
            removed,
            trace: Some(self.trace(state, now)),
        }
    }

    fn trace(&mut self, state: &State, now: Instant) -> v1::Trace {
        let news = self.made.replace(state.made) != Some(state.made);
        let micros = |since: Instant| {
            u64::try_from(now.saturating_duration_since(since).as_micros()).unwrap_or(u64::MAX)
        };
        v1::Trace {
            trace_id: fastrand::u128(1..).to_be_bytes().to_vec(),
            span_id: fastrand::u64(1..).to_be_bytes().to_vec(),
            cause: if news { state.cause.topic } else { INTERVAL }.to_owned(),
            event_age_us: if news { micros(state.cause.at) } else { 0 },
            made_age_us: if news { micros(state.made) } else { 0 },
        }
    }
}

/// What the contract takes as a value.
const fn is_sendable(value: f64) -> bool {
    value.is_finite() && value.abs() <= limits::MAX_VALUE
}

fn proof(source: Source, state: &SourceState, now: Instant) -> v1::Source {
    let age = |proved: Instant| {
        u64::try_from(now.saturating_duration_since(proved).as_millis()).unwrap_or(u64::MAX)
    };
    v1::Source {
        name: source.name().to_owned(),
        proved_age_ms: state.proved.map(age),
        failure: state.failure.as_deref().map(bounded).unwrap_or_default(),
    }
}

/// A free text within the contract's bound, cut between characters.
fn bounded(text: &str) -> String {
    let end =
        (0..=text.len().min(limits::MAX_TEXT_BYTES)).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or_default()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
