//! The pods of MiniClusters, as Kubernetes last told them.
//!
//! ```text
//!  kube-apiserver ──list, watch──▶ watch ──▶ pods that count ──▶ Pods of one moment ──▶ query
//!  (label hpa-selector)            one task   pod                known     a pointer to readers
//! ```
//!
//! Which pods are there is Kubernetes' knowledge, what they do is the collectors'. This is the
//! first half: the real name, UID and labels of each pod, which pod holds which index of which
//! MiniCluster, and which MiniClusters are gone. `query` joins both by MiniCluster and index.
//!
//! Should the watch break, the last state stays: what collectors say goes on aging by itself, and a
//! MiniCluster that the watch has never seen is served as its collector reports it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use arc_swap::{ArcSwap, Guard};
use tokio::time::Instant;

use crate::model::Snapshot;

mod known;
mod pod;
mod watch;

pub use pod::{Pod, Stage};
pub use watch::follow;

/// The label that the Flux Operator puts on the pods of a MiniCluster; its value is the name.
pub const SELECTOR: &str = "hpa-selector";

/// The label of pods that promise a collector by the value `true`.
pub const COLLECT: &str = "fluxgauge.io/collect";

/// Pods that are kept, as many as collectors; at about 2 KiB with 14 labels this is 32 MiB. With
/// one more, none is known: see [`Pods::Unknown`].
pub const MAX_PODS: usize = 16_384;

/// What is known of pods at one moment.
#[derive(Debug, Default)]
pub enum Pods {
    /// Kubernetes is not asked: pods are those that collectors name.
    #[default]
    Unwatched,
    /// Not all of them are known, so that nothing is said of any set of them.
    Unknown(Unknown),
    /// All of them.
    Known(Known),
}

/// Why pods are not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// The first list has not come.
    #[error(
        "this gateway has not read the pods of MiniClusters from Kubernetes yet; if that lasts, \
         its log says why"
    )]
    Unlisted,
    /// There are too many.
    #[error("MiniClusters have more than {MAX_PODS} pods, which this gateway does not keep")]
    TooMany,
}

/// The pods that hold an index of a MiniCluster, by namespace.
#[derive(Debug, Default)]
pub struct Known {
    namespaces: HashMap<Arc<str>, Namespace>,
}

/// The MiniClusters and pods of one namespace.
#[derive(Debug, Default)]
pub struct Namespace {
    /// The pods that run or will, by name; one for each index.
    pub pods: BTreeMap<Arc<str>, Arc<Holder>>,
    /// The MiniClusters that have any pod, by name.
    pub miniclusters: BTreeMap<Arc<str>, MiniCluster>,
    /// When the last pod of a MiniCluster was gone.
    ended: HashMap<Arc<str>, Instant>,
}

/// One MiniCluster.
#[derive(Debug, Default)]
pub struct MiniCluster {
    /// The pods that run or will, by index. None: it is ending, or its lead has completed.
    pub holders: BTreeMap<u32, Arc<Holder>>,
    /// Whether a pod promises a collector, by [`COLLECT`].
    pub collects: bool,
}

/// A pod that holds an index of a MiniCluster.
#[derive(Clone, Debug)]
pub struct Holder {
    /// The pod.
    pub pod: Arc<Pod>,
    /// Since when it is known to hold the index.
    pub seen: Instant,
    /// Since when no other pod of the index is there; `None` while one is still ending.
    pub alone: Option<Instant>,
}

/// What is known of one MiniCluster.
#[derive(Debug)]
pub enum Sight<'a> {
    /// It has pods that run or will.
    Runs(&'a MiniCluster),
    /// It has none any more. `Some`: since its last pod was gone; what is heard of it later is of
    /// a MiniCluster that the watch does not know yet.
    Ended(Option<Instant>),
    /// No pod of it was seen.
    Unseen,
}

impl Known {
    /// A namespace that has or had MiniClusters.
    pub fn namespace(&self, namespace: &str) -> Option<&Namespace> {
        self.namespaces.get(namespace)
    }

    /// What is known of a MiniCluster.
    pub fn minicluster(&self, namespace: &str, name: &str) -> Sight<'_> {
        let Some(namespace) = self.namespace(namespace) else {
            return Sight::Unseen;
        };
        match (namespace.miniclusters.get(name), namespace.ended.get(name)) {
            (Some(minicluster), _) if minicluster.holders.is_empty() => Sight::Ended(None),
            (Some(minicluster), _) => Sight::Runs(minicluster),
            (None, Some(ended)) => Sight::Ended(Some(*ended)),
            (None, None) => Sight::Unseen,
        }
    }
}

impl Holder {
    /// Whether a snapshot was made in this pod, and not in an earlier one of its index.
    ///
    /// A collector that knows its pod's name settles it. Most know their hostname only, which the
    /// index gives to every pod in turn. Then a stream that was opened after the pod was seen is
    /// the pod's, and so is a sample that arrived when no other pod was there. Right after a start,
    /// and when a stream was faster than the watch, that refuses the pod's own samples until the
    /// next one, for one interval at most.
    pub fn made(&self, snapshot: &Snapshot) -> bool {
        let (pod, reporter) = (&self.pod, &snapshot.reporter);
        match reporter.pod.strip_prefix(&*pod.hostname()) {
            Some(suffix) if suffix.starts_with('-') => reporter.pod == pod.name,
            _ => {
                reporter.connected >= self.seen
                    || self.alone.is_some_and(|alone| snapshot.received.instant >= alone)
            }
        }
    }
}

/// Where readers find the newest [`Pods`]. Cheap to clone; readers never wait.
#[derive(Clone, Debug, Default)]
pub struct Shared(Arc<ArcSwap<Pods>>);

impl Shared {
    /// The newest.
    pub fn load(&self) -> Guard<Arc<Pods>> {
        self.0.load()
    }

    /// Replaces what readers find.
    pub fn publish(&self, pods: Pods) {
        self.0.store(Arc::new(pods));
    }
}

#[cfg(test)]
mod tests;
