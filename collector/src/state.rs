//! What the collector knows now: the one mutable thing.
//!
//! The sources write it through a [`Board`], each only its own part; the streams to the gateways
//! and the end conditions see it through a `watch`, newest value only. A reader is woken when a
//! value or a reason changed, not when a value was merely proved again: proofs travel with the
//! next sample.

use std::{collections::BTreeMap, sync::Arc};

use fluxgauge_proto::{
    catalogue::Source,
    v1::{self, Scope},
};
use tokio::{sync::watch, time::Instant};
use tracing::{info, warn};

/// Which series: a metric of the instance, of one of its queues, or of this broker.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// A name of the catalogue.
    pub metric: &'static str,
    /// What it describes.
    pub scope: Scope,
    /// The queue, for a series of one.
    pub queue: Option<Arc<str>>,
}

impl Key {
    /// A series of the whole instance.
    pub const fn instance(metric: &'static str) -> Self {
        Self { metric, scope: Scope::Instance, queue: None }
    }

    /// A series of the instance, or where there is one of a queue.
    pub fn of(metric: &'static str, queue: Option<&Arc<str>>) -> Self {
        Self { metric, scope: Scope::Instance, queue: queue.cloned() }
    }

    /// A series of this broker.
    pub const fn broker(metric: &'static str) -> Self {
        Self { metric, scope: Scope::Broker, queue: None }
    }
}

impl From<&Key> for v1::SeriesKey {
    fn from(key: &Key) -> Self {
        let label = |queue: &Arc<str>| v1::Label {
            name: fluxgauge_proto::catalogue::QUEUE_LABEL.to_owned(),
            value: queue.as_ref().to_owned(),
        };
        Self {
            metric: key.metric.to_owned(),
            scope: key.scope.into(),
            labels: key.queue.iter().map(label).collect(),
        }
    }
}

/// Values by series.
pub type Values = BTreeMap<Key, f64>;

/// What one source says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// All that it says.
    pub values: Values,
    /// Why some of it is missing, if it is.
    pub missing: Option<String>,
}

/// The Flux message that made a value change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Its topic.
    pub topic: &'static str,
    /// When it arrived.
    pub at: Instant,
}

impl Cause {
    /// A message that arrived just now.
    pub fn now(topic: &'static str) -> Self {
        Self { topic, at: Instant::now() }
    }
}

/// The broker that this collector sits beside.
#[derive(Clone, Debug, PartialEq)]
pub struct Broker {
    /// Its rank.
    pub rank: u32,
    /// The ranks that the instance is configured for.
    pub size: u32,
    /// Where it runs.
    pub hostname: String,
    /// The version of flux-core.
    pub version: String,
    /// When it started, in seconds since the epoch by its own clock; 0 where unknown.
    pub start_time: f64,
}

impl Broker {
    /// The sources that this broker's collector reports: rank 0 speaks for the instance.
    pub const fn sources(&self) -> &'static [Source] {
        if self.rank == 0 { &Source::ALL } else { &Source::OF_BROKER }
    }
}

/// One source's part of the state.
#[derive(Clone, Debug, Default)]
pub struct SourceState {
    /// Its values; none when it failed.
    pub values: Values,
    /// When its service last answered.
    pub proved: Option<Instant>,
    /// Why values are absent, or why they age.
    pub failure: Option<String>,
}

/// All that is known.
#[derive(Clone, Debug)]
pub struct State {
    /// The broker as last met; it stays when the broker goes, so that its stream can say so.
    pub broker: Option<Arc<Broker>>,
    /// Whether the broker's socket is open.
    pub connected: bool,
    /// The sources that are reported.
    pub sources: BTreeMap<Source, SourceState>,
    /// What made the latest change.
    pub cause: Cause,
    /// When the latest change was made.
    pub made: Instant,
}

/// Where the sources write the [`State`].
#[derive(Clone, Debug)]
pub struct Board(Arc<watch::Sender<State>>);

impl Board {
    /// Nothing is known yet.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(State {
            broker: None,
            connected: false,
            sources: BTreeMap::new(),
            cause: Cause::now("start"),
            made: Instant::now(),
        })))
    }

    /// For a reader.
    pub fn subscribe(&self) -> watch::Receiver<State> {
        self.0.subscribe()
    }

    /// A broker was met: its sources start from nothing.
    pub fn met(&self, broker: Broker) {
        let unanswered = || SourceState {
            failure: Some("not answered yet".to_owned()),
            ..SourceState::default()
        };
        self.0.send_modify(|state| {
            state.sources = broker.sources().iter().map(|source| (*source, unanswered())).collect();
            if state.broker.as_deref() != Some(&broker) {
                state.broker = Some(Arc::new(broker));
            }
            state.connected = true;
            state.changed(Cause::now("attr.get"));
        });
    }

    /// The broker is gone, and with it all values.
    pub fn lost(&self, reason: &str) {
        self.0.send_modify(|state| {
            for source in state.sources.values_mut() {
                source.values.clear();
                source.failure = Some(reason.to_owned());
            }
            state.connected = false;
            state.changed(Cause::now("disconnect"));
        });
    }

    /// The source's service answered, at `proved`, with all that `reading` holds. Returns whether
    /// that is anything new.
    pub fn answered(
        &self,
        source: Source,
        proved: Instant,
        reading: Reading,
        cause: Cause,
    ) -> bool {
        self.0.send_if_modified(|state| {
            let mine = state.sources.entry(source).or_default();
            mine.proved = Some(proved);
            if mine.values == reading.values && mine.failure == reading.missing {
                return false;
            }
            match &reading.missing {
                Some(missing) if mine.failure != reading.missing => {
                    warn!(source = source.name(), reason = %missing, "values are missing");
                }
                None if mine.failure.is_some() => info!(source = source.name(), "answers"),
                _ => {}
            }
            mine.values = reading.values;
            mine.failure = reading.missing;
            state.changed(cause);
            true
        })
    }

    /// The source's service answered with an error: its values are absent from now on.
    pub fn failed(&self, source: Source, topic: &'static str, reason: &str) {
        self.0.send_if_modified(|state| {
            let mine = state.sources.entry(source).or_default();
            if mine.values.is_empty() && mine.failure.as_deref() == Some(reason) {
                return false;
            }
            warn!(source = source.name(), %reason, "its metrics are absent");
            mine.values.clear();
            mine.failure = Some(reason.to_owned());
            state.changed(Cause::now(topic));
            true
        });
    }

    /// The source's service does not answer: its values stay and age, and the reason is known.
    pub fn silent(&self, source: Source, topic: &'static str, reason: &str) {
        self.0.send_if_modified(|state| {
            let mine = state.sources.entry(source).or_default();
            if mine.failure.as_deref() == Some(reason) {
                return false;
            }
            warn!(source = source.name(), %reason, "its metrics are ageing");
            mine.failure = Some(reason.to_owned());
            state.changed(Cause::now(topic));
            true
        });
    }
}

impl Default for Board {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    fn changed(&mut self, cause: Cause) {
        self.cause = cause;
        self.made = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lead() -> Broker {
        Broker {
            rank: 0,
            size: 4,
            hostname: "flux-sample-0".to_owned(),
            version: "0.88.0".to_owned(),
            start_time: 1.0,
        }
    }

    fn reading(value: f64) -> Reading {
        let values = Values::from([(Key::instance("node_online_count"), value)]);
        Reading { values, missing: None }
    }

    #[tokio::test(start_paused = true)]
    async fn a_proof_wakes_nobody_and_a_change_does() {
        let board = Board::new();
        board.met(lead());
        let mut reader = board.subscribe();
        let answer = |value| {
            let now = Instant::now();
            board.answered(Source::Online, now, reading(value), Cause::now("groups.get"));
        };
        answer(4.0);
        assert!(reader.has_changed().unwrap());
        reader.mark_unchanged();

        tokio::time::advance(std::time::Duration::from_secs(9)).await;
        answer(4.0);
        assert!(!reader.has_changed().unwrap());
        assert_eq!(reader.borrow().sources[&Source::Online].proved, Some(Instant::now()));

        answer(3.0);
        assert!(reader.has_changed().unwrap());
    }

    #[test]
    fn an_error_empties_a_source_and_silence_lets_it_age() {
        let board = Board::new();
        board.met(lead());
        let online = |state: &State| state.sources[&Source::Online].clone();
        let now = Instant::now();
        board.answered(Source::Online, now, reading(4.0), Cause::now("groups.get"));

        board.silent(Source::Online, "groups.get", "no answer");
        let silent = online(&board.subscribe().borrow());
        assert_eq!((silent.values.len(), silent.failure.as_deref()), (1, Some("no answer")));
        assert_eq!(silent.proved, Some(now));

        board.failed(Source::Online, "groups.get", "ENOSYS (38)");
        let failed = online(&board.subscribe().borrow());
        assert_eq!((failed.values.len(), failed.failure.as_deref()), (0, Some("ENOSYS (38)")));
    }

    #[test]
    fn a_lost_broker_leaves_its_name_and_no_value() {
        let board = Board::new();
        board.met(lead());
        board.answered(Source::Online, Instant::now(), reading(4.0), Cause::now("groups.get"));
        board.lost("the broker closed the connection");
        let state = board.subscribe().borrow().clone();
        assert!(!state.connected && state.broker.is_some());
        assert!(state.sources.values().all(|source| source.values.is_empty()));
        assert!(state.sources.values().all(|source| source.failure.is_some()));
    }

    #[test]
    fn a_worker_reports_its_broker_only() {
        assert_eq!(Broker { rank: 2, ..lead() }.sources(), Source::OF_BROKER);
        assert_eq!(lead().sources(), Source::ALL);
    }
}
