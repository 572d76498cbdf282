//! What the gateway knows: who reports, and what each reporter last said.
//!
//! Everything here is immutable once made. `ingest` makes it, `store` keeps the newest of it,
//! `query` reads it. Imports no sibling but the clock.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use crate::clock::Moment;

/// The name of a MiniCluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterKey {
    /// Its Kubernetes namespace.
    pub namespace: Arc<str>,
    /// Its name in that namespace.
    pub name: Arc<str>,
}

/// Who reports: the collector beside one broker of a MiniCluster.
#[derive(Clone, Debug)]
pub struct Reporter {
    /// The MiniCluster.
    pub cluster: ClusterKey,
    /// The rank of the broker; rank 0 leads, and its collector reports the instance.
    pub rank: u32,
    /// The rank as text, as labels of pods have it.
    pub index: Box<str>,
    /// The name of the pod, as the collector gave it.
    pub pod: Arc<str>,
    /// When the broker started, in seconds since the epoch by its own clock; 0 where unknown.
    pub broker_start: f64,
    /// The headless Service that names the pod, where known.
    pub headless_service: Option<Arc<str>>,
    /// The version of flux-core, for texts.
    pub flux_version: Arc<str>,
    /// When its stream was opened.
    pub connected: Instant,
    /// How exactly it has proved where it runs.
    pub standing: Standing,
}

/// How exactly a reporter has proved where it runs. Where two claim a rank, the greater one has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Not at all: nobody asks.
    #[default]
    Unasked,
    /// In this namespace.
    Namespace,
    /// In a pod of this MiniCluster.
    MiniCluster,
    /// In a pod of this index.
    Index,
    /// In the pod that holds the index.
    Pod,
}

/// The labels of one series in ascending order of their names; none for the object itself.
pub type Labels = Arc<[(Box<str>, Box<str>)]>;

/// The value of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What tells this series apart from others of the metric.
    pub labels: Labels,
    /// A finite number in the metric's unit.
    pub value: f64,
    /// The index in [`Snapshot::sources`] of what the value rests on.
    pub source: usize,
    /// Where the sample came from that brought the value, for traces.
    pub provenance: Option<Arc<Provenance>>,
}

impl Series {
    /// The value of one of its labels.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(known, _)| **known == *name).map(|(_, value)| &**value)
    }
}

/// The series of each metric, by the metric's name.
pub type SeriesMap = HashMap<Arc<str>, Arc<[Series]>>;

/// A Flux service that values rest on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name, such as `resource.sched-status`.
    pub name: Arc<str>,
    /// How old its last proof was when the snapshot was received; `None`: never proved.
    pub age_at_receipt: Option<Duration>,
    /// Why its metrics are absent or aging, where they are.
    pub failure: Option<Arc<str>>,
}

/// All that one reporter last said.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Who said it.
    pub reporter: Arc<Reporter>,
    /// When it arrived.
    pub received: Moment,
    /// What the values rest on.
    pub sources: Arc<[Source]>,
    /// Metrics of the Flux instance and its queues; empty unless the reporter has rank 0.
    pub instance: SeriesMap,
    /// Metrics of the broker.
    pub broker: SeriesMap,
    /// How much that is.
    pub size: Size,
}

/// What a snapshot takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Series of both scopes.
    pub series: usize,
    /// Bytes of names, labels and failures.
    pub text_bytes: usize,
}

impl Snapshot {
    /// How long ago a source was proved, seen from `now`; `None`: never.
    pub fn age(&self, source: &Source, now: Moment) -> Option<Duration> {
        let since = now.instant.saturating_duration_since(self.received.instant);
        source.age_at_receipt.map(|age| age.saturating_add(since))
    }

    /// When a source was last proved, as a time of day on the gateway's clock.
    pub fn proved_at(&self, source: &Source) -> Option<SystemTime> {
        self.received.wall.checked_sub(source.age_at_receipt?)
    }
}

/// How a sample came about. The times of day are the gateway's: receipt less the ages that
/// travelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// W3C trace id, not all zero.
    pub trace_id: [u8; 16],
    /// The id of the span in which the collector made the sample, not all zero.
    pub span_id: [u8; 8],
    /// The topic of the Flux message that caused the sample, or `interval`.
    pub cause: Box<str>,
    /// When that message reached the collector.
    pub event_seen: SystemTime,
    /// When the collector made the sample.
    pub made: SystemTime,
    /// When the gateway received it.
    pub received: SystemTime,
    /// When readers could see it.
    pub stored: SystemTime,
}
