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
//! Should the watch break, the last state stays for a while: what collectors say goes on aging by
//! itself, and a MiniCluster that the watch has never seen is served as its collector reports it.
//! After [`MAX_OUTAGE`] nothing is said of sets and sums any more.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::{ArcSwap, Guard};
use tokio::time::Instant;

use crate::model::{ClusterKey, Snapshot};

mod known;
mod pod;
mod watch;

pub use pod::{Job, Pod, Stage};
pub use watch::follow;

/// The label that the Flux Operator puts on the pods of a MiniCluster; its value is the name.
pub const SELECTOR: &str = "hpa-selector";

/// The label of pods that promise a collector by the value `true`.
pub const COLLECT: &str = "fluxgauge.io/collect";

/// Pods that are kept, as many as collectors; at about 2 KiB with 14 labels this is 32 MiB. With
/// one more, none is known: see [`Pods::Unknown`].
pub const MAX_PODS: usize = 16_384;

/// How long others are waited for after the last pods of a MiniCluster were evicted or failed. The
/// Job controller makes them 10 s after a first failure and 20 s after a second.
pub const REPLACED_WITHIN: Duration = Duration::from_secs(30);

/// How long the last state stays while the watch brings errors alone. API servers are restarted and
/// moved in less.
pub const MAX_OUTAGE: Duration = Duration::from_secs(5 * 60);

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
    /// The watch has brought nothing but errors for longer than [`MAX_OUTAGE`].
    #[error(
        "this gateway has not heard from Kubernetes for {} min which pods MiniClusters have; its log \
         says why",
        MAX_OUTAGE.as_secs() / 60
    )]
    Interrupted,
}

/// The pods that hold an index of a MiniCluster, by namespace.
#[derive(Debug, Default)]
pub struct Known {
    namespaces: HashMap<Arc<str>, Namespace>,
    /// The number of pods that run or will.
    pods: usize,
}

/// The MiniClusters and pods of one namespace.
#[derive(Debug, Default)]
pub struct Namespace {
    /// The pods that run or will, by name; one for each index.
    pub pods: BTreeMap<Arc<str>, Arc<Holder>>,
    /// The MiniClusters that have any pod or had one lately, by name.
    pub miniclusters: BTreeMap<Arc<str>, MiniCluster>,
    /// The other pods that are there, by name: they end, have ended, or lost their index.
    others: BTreeMap<Arc<str>, Arc<Pod>>,
}

/// Where a pod stands among those of its index.
#[derive(Debug)]
pub enum Place<'a> {
    /// It holds the index, or ends and no other has come.
    Speaks(&'a Arc<Pod>),
    /// Another pod holds the index.
    Replaced(&'a Arc<Pod>),
    /// It has ended, or its MiniCluster has.
    Ended,
    /// It was not seen, or is gone.
    Unseen,
}

/// One MiniCluster.
#[derive(Debug, Default)]
pub struct MiniCluster {
    /// The pods that run or will, by index. None: see [`Sight`].
    pub holders: BTreeMap<u32, Arc<Holder>>,
    /// Whether a pod promises a collector, by [`COLLECT`]; of one without pods, whether any did.
    pub collects: bool,
    /// Its lead has completed, and no other has come.
    completed: bool,
    /// Whether others are to take the place of its last pods.
    successors: Successors,
    /// Since when it has no pods at all.
    gone: Option<Instant>,
}

/// Whether other pods are to take the place of a MiniCluster's last ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Successors {
    /// Nobody takes it: pods run, or the last ones were deleted or did what they were there for.
    #[default]
    None,
    /// Pods that were evicted or failed have not ended yet.
    Coming,
    /// The last of them is gone since then.
    ComingSince(Instant),
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
    /// Its pods were evicted or failed, and others are to take their place.
    Replaced(&'a MiniCluster),
    /// It has pods that end or have completed, and no others will come.
    Ending,
    /// It has had none since then. What is heard of it later is of a MiniCluster that the watch does
    /// not know yet.
    Ended(Instant),
    /// No pod of it was seen.
    Unseen,
}

impl Pods {
    /// Whether a MiniCluster has pods, or may have as far as is known.
    pub fn may_run(&self, cluster: &ClusterKey, now: Instant) -> bool {
        match self {
            Self::Unwatched => false,
            Self::Unknown(_) => true,
            Self::Known(known) => matches!(
                known.minicluster(&cluster.namespace, &cluster.name, now),
                Sight::Runs(_) | Sight::Replaced(_)
            ),
        }
    }
}

impl Known {
    /// The names of all namespaces that have or had MiniClusters.
    pub fn namespaces(&self) -> impl Iterator<Item = &Arc<str>> {
        self.namespaces.keys()
    }

    /// A namespace that has or had MiniClusters.
    pub fn namespace(&self, namespace: &str) -> Option<&Namespace> {
        self.namespaces.get(namespace)
    }

    /// What is known of a MiniCluster.
    pub fn minicluster(&self, namespace: &str, name: &str, now: Instant) -> Sight<'_> {
        let namespace = self.namespace(namespace);
        let Some(minicluster) = namespace.and_then(|namespace| namespace.miniclusters.get(name))
        else {
            return Sight::Unseen;
        };
        match minicluster.gone {
            _ if !minicluster.holders.is_empty() => Sight::Runs(minicluster),
            _ if minicluster.successors.may_come(now) => Sight::Replaced(minicluster),
            None => Sight::Ending,
            Some(gone) => Sight::Ended(gone),
        }
    }

    /// Where the pod of this name and UID stands.
    pub fn place(&self, namespace: &str, name: &str, uid: &str) -> Place<'_> {
        let Some(namespace) = self.namespace(namespace) else { return Place::Unseen };
        if let Some(holder) = namespace.pods.get(name).filter(|holder| *holder.pod.uid == *uid) {
            return Place::Speaks(&holder.pod);
        }
        let Some(pod) = namespace.others.get(name).filter(|pod| *pod.uid == *uid) else {
            return Place::Unseen;
        };
        let minicluster = namespace.miniclusters.get(&pod.minicluster);
        let holder = minicluster.and_then(|cluster| cluster.holders.get(&pod.index));
        match (holder, pod.stage) {
            (Some(holder), _) => Place::Replaced(&holder.pod),
            (None, Stage::Ending | Stage::Evicted)
                if !minicluster.is_some_and(|cluster| cluster.completed) =>
            {
                Place::Speaks(pod)
            }
            _ => Place::Ended,
        }
    }

    /// The number of pods that run or will, in all namespaces.
    pub const fn pods(&self) -> usize {
        self.pods
    }
}

impl Successors {
    fn may_come(self, now: Instant) -> bool {
        match self {
            Self::None => false,
            Self::Coming => true,
            Self::ComingSince(since) => now.saturating_duration_since(since) < REPLACED_WITHIN,
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
    /// next one: for one interval, or for as long as an earlier pod of the index is still ending.
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
pub struct Shared {
    newest: Arc<ArcSwap<Pods>>,
    /// How often the watch has brought an error.
    errors: Arc<AtomicU64>,
}

impl Shared {
    /// The newest.
    pub fn load(&self) -> Guard<Arc<Pods>> {
        self.newest.load()
    }

    /// Replaces what readers find.
    pub fn publish(&self, pods: Pods) {
        self.newest.store(Arc::new(pods));
    }

    /// How often the watch has brought an error; `None`: Kubernetes is not asked.
    pub fn errors(&self) -> Option<u64> {
        match **self.load() {
            Pods::Unwatched => None,
            Pods::Unknown(_) | Pods::Known(_) => Some(self.errors.load(Relaxed)),
        }
    }

    /// Counts an error of the watch.
    fn fail(&self) {
        self.errors.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests;
