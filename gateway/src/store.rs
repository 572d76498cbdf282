//! The newest snapshot of every reporter; the only mutable thing in the gateway.
//!
//! ```text
//!  index ──▶ namespace ──▶ MiniCluster ──▶ slot of rank 0 ──▶ newest Snapshot
//!  (copied when a reporter comes or goes)   slot of rank n ──▶ newest Snapshot
//! ```
//!
//! Readers load two pointers and never wait. A slot has one [`Writer`] at a time: the stream that
//! claimed it last, unless one holds it that has proved more, or a younger broker.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::model::{ClusterKey, Reporter, Size, Snapshot};

mod claim;
mod usage;

pub use claim::{ClaimError, Replaced, Unpublished};
pub use usage::{
    Bounds, MAX_COLLECTORS_PER_NAMESPACE, MAX_SERIES_PER_NAMESPACE, STREAMS_PER_COLLECTOR,
    TEXT_BYTES_PER_SERIES, TooMuch,
};

use claim::Claim;
use usage::Usage;

/// Reporters that one gateway keeps. At about 10 KiB for 40 series this is 160 MiB.
pub const MAX_REPORTERS: usize = 16_384;

/// The MiniClusters of one namespace by name.
pub type Namespace = BTreeMap<Arc<str>, Arc<Cluster>>;

/// Which MiniClusters report, at one moment. Not to be kept.
#[derive(Debug)]
pub struct Look(Guard<Arc<Index>>);

impl Look {
    /// One MiniCluster.
    pub fn cluster(&self, namespace: &str, name: &str) -> Option<&Cluster> {
        self.0.namespaces.get(namespace)?.get(name).map(AsRef::as_ref)
    }
}

/// All that is known, by namespace, MiniCluster and rank.
#[derive(Debug, Default)]
pub struct Store {
    /// Of each namespace.
    bounds: Bounds,
    index: ArcSwap<Index>,
    /// Held while the index changes, so that two changes do not lose one another.
    changing: Mutex<()>,
}

#[derive(Clone, Debug, Default)]
struct Index {
    namespaces: HashMap<Arc<str>, Arc<Namespace>>,
    reporters: usize,
}

/// One MiniCluster: a slot for each rank that reports.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    slots: BTreeMap<u32, Arc<Slot>>,
    /// The lead's collector said goodbye, and only others are left.
    ended: bool,
}

impl Cluster {
    /// What the collector of the lead broker last said.
    pub fn lead(&self) -> Option<&Slot> {
        self.slot(0)
    }

    /// The slot of one rank.
    pub fn slot(&self, rank: u32) -> Option<&Slot> {
        self.slots.get(&rank).map(AsRef::as_ref)
    }

    /// Whether the MiniCluster ended on purpose. One that did not, and whose lead does not report,
    /// is there and unknown.
    pub const fn has_ended(&self) -> bool {
        self.ended
    }

    /// The slots of all ranks that report, in order.
    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.values().map(AsRef::as_ref)
    }
}

/// Where one rank's newest snapshot lies.
#[derive(Debug)]
pub struct Slot {
    newest: ArcSwapOption<Snapshot>,
    claim: Mutex<Claim>,
    /// What the namespace has.
    usage: Arc<Usage>,
}

impl Slot {
    /// The same for a moment, without a count that other threads change as well.
    pub fn look(&self) -> Guard<Option<Arc<Snapshot>>> {
        self.newest.load()
    }

    /// The newest snapshot; `None` until the first sample of the first stream.
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.newest.load_full()
    }

    fn claim(&self) -> MutexGuard<'_, Claim> {
        // Nothing panics while it holds a claim; should it, the claim is still whole.
        self.claim.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let size = self.claim().size;
        self.usage.remove_collector(size);
    }
}

impl Store {
    /// A store that keeps so much of each namespace.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, ..Self::default() }
    }

    /// The MiniClusters of a namespace.
    pub fn namespace(&self, namespace: &str) -> Option<Arc<Namespace>> {
        self.index.load().namespaces.get(namespace).cloned()
    }

    /// The namespaces that have MiniClusters, with them.
    pub fn namespaces(&self) -> Vec<(Arc<str>, Arc<Namespace>)> {
        let index = self.index.load();
        let all = index.namespaces.iter();
        all.map(|(name, namespace)| (Arc::clone(name), Arc::clone(namespace))).collect()
    }

    /// Looks which MiniClusters report, without a count that other threads change as well.
    pub fn look(&self) -> Look {
        Look(self.index.load())
    }

    /// One MiniCluster.
    pub fn cluster(&self, namespace: &str, name: &str) -> Option<Arc<Cluster>> {
        self.index.load().namespaces.get(namespace)?.get(name).cloned()
    }

    /// The number of reporters.
    pub fn reporters(&self) -> usize {
        self.index.load().reporters
    }

    /// Claims the slot of a reporter's rank for a new stream.
    ///
    /// # Errors
    ///
    /// When a stream that lives holds the slot and has proved more, or is a younger broker's; when the
    /// namespace is at its bound, or the store is full.
    pub fn claim(self: &Arc<Self>, reporter: Arc<Reporter>) -> Result<Writer, ClaimError> {
        let _changing = self.changing();
        let held = self.slot(&reporter);
        let slot = match held {
            Some(slot) => {
                let mut claim = slot.claim();
                claim.stands_against(&reporter)?;
                slot.usage.add_stream()?;
                claim.epoch += 1;
                std::mem::take(&mut claim.replaced).cancel();
                claim.reporter = Arc::clone(&reporter);
                claim.ended = None;
                drop(claim);
                slot
            }
            None => self.insert(&reporter)?,
        };
        let claim = slot.claim();
        let (epoch, replaced) = (claim.epoch, claim.replaced.clone());
        drop(claim);
        Ok(Writer { store: Arc::clone(self), slot, reporter, epoch, replaced })
    }

    /// Forgets reporters whose stream ended `after` ago or longer. A lead broker is remembered for
    /// as long as any other of its MiniCluster reports, and as long as the MiniCluster `runs` by
    /// other knowledge: nobody may take it for one that ended.
    pub fn forget(&self, now: Instant, after: Duration, runs: impl Fn(&ClusterKey) -> bool) {
        let _changing = self.changing();
        let old = |slot: &Slot| {
            let ended = slot.claim().ended;
            ended.is_some_and(|ended| now.saturating_duration_since(ended) >= after)
        };
        let index = self.index.load();
        let clusters = index.namespaces.values().flat_map(|namespace| namespace.values());
        let forgotten: Vec<_> = clusters
            .flat_map(|cluster| {
                let ended = cluster.slots().all(old)
                    && !cluster.lead().is_some_and(|lead| runs(&lead.claim().reporter.cluster));
                let slots = cluster.slots.iter();
                slots.filter(move |(rank, slot)| old(slot) && (ended || **rank != 0))
            })
            .map(|(_, slot)| Arc::clone(&slot.claim().reporter))
            .collect();
        if !forgotten.is_empty() {
            let mut index = Index::clone(&index);
            for reporter in forgotten {
                index.remove(&reporter);
            }
            self.index.store(Arc::new(index));
        }
    }

    fn changing(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, reporter: &Reporter) -> Option<Arc<Slot>> {
        let key = &reporter.cluster;
        self.cluster(&key.namespace, &key.name)?.slots.get(&reporter.rank).cloned()
    }

    /// Adds a slot. The caller holds `changing`.
    fn insert(&self, reporter: &Arc<Reporter>) -> Result<Arc<Slot>, ClaimError> {
        let mut index = Index::clone(&self.index.load());
        if index.reporters >= MAX_REPORTERS {
            return Err(ClaimError::Full);
        }
        let key = &reporter.cluster;
        let namespace = index.namespaces.entry(Arc::clone(&key.namespace)).or_default();
        let mut slots = namespace.values().flat_map(|cluster| cluster.slots.values());
        let usage = slots.next().map(|slot| Arc::clone(&slot.usage));
        let usage = usage.unwrap_or_else(|| Arc::new(Usage::new(self.bounds)));
        usage.add_stream()?;
        if let Err(too_much) = usage.add_collector() {
            usage.remove_stream();
            return Err(too_much.into());
        }
        let claim = Claim {
            epoch: 1,
            replaced: CancellationToken::new(),
            reporter: Arc::clone(reporter),
            ended: None,
            size: Size::default(),
        };
        let slot =
            Arc::new(Slot { newest: ArcSwapOption::empty(), claim: Mutex::new(claim), usage });
        let cluster = Arc::make_mut(namespace).entry(Arc::clone(&key.name)).or_default();
        let cluster = Arc::make_mut(cluster);
        cluster.slots.insert(reporter.rank, Arc::clone(&slot));
        cluster.ended &= reporter.rank != 0;
        index.reporters += 1;
        self.index.store(Arc::new(index));
        Ok(slot)
    }
}

impl Index {
    /// Removes the slot of a reporter, and what holds no other.
    fn remove(&mut self, reporter: &Reporter) {
        let key = &reporter.cluster;
        let Some(namespace) = self.namespaces.get_mut(&key.namespace) else { return };
        let namespace = Arc::make_mut(namespace);
        let Some(cluster) = namespace.get_mut(&key.name) else { return };
        let cluster = Arc::make_mut(cluster);
        if cluster.slots.remove(&reporter.rank).is_some() {
            self.reporters -= 1;
        }
        cluster.ended |= reporter.rank == 0;
        if cluster.slots.is_empty() {
            namespace.remove(&key.name);
        }
        if namespace.is_empty() {
            self.namespaces.remove(&key.namespace);
        }
    }
}

/// The right to write one slot, held by one stream. Dropping it leaves the values to age.
#[derive(Debug)]
pub struct Writer {
    store: Arc<Store>,
    slot: Arc<Slot>,
    reporter: Arc<Reporter>,
    epoch: u64,
    replaced: CancellationToken,
}

impl Writer {
    /// Who reports by this stream.
    pub fn reporter(&self) -> &Arc<Reporter> {
        &self.reporter
    }

    /// Makes a snapshot the newest one.
    ///
    /// # Errors
    ///
    /// When another stream has claimed the slot since, or when the namespace is at its bound; the
    /// snapshot is dropped.
    pub fn publish(&self, snapshot: Snapshot) -> Result<(), Unpublished> {
        let mut claim = self.slot.claim();
        if claim.epoch != self.epoch {
            return Err(Replaced.into());
        }
        self.slot.usage.exchange(claim.size, snapshot.size)?;
        claim.size = snapshot.size;
        self.slot.newest.store(Some(Arc::new(snapshot)));
        Ok(())
    }

    /// Whether no other stream has claimed the slot since.
    ///
    /// # Errors
    ///
    /// When one has.
    pub fn check(&self) -> Result<(), Replaced> {
        if self.slot.claim().epoch == self.epoch { Ok(()) } else { Err(Replaced) }
    }

    /// Waits until another stream has claimed the slot.
    pub async fn replaced(&self) {
        self.replaced.cancelled().await;
    }

    /// Forgets all that this reporter said, at once.
    pub fn leave(self) {
        let _changing = self.store.changing();
        if self.slot.claim().epoch == self.epoch {
            let mut index = Index::clone(&self.store.index.load());
            index.remove(&self.reporter);
            self.store.index.store(Arc::new(index));
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.slot.usage.remove_stream();
        let mut claim = self.slot.claim();
        if claim.epoch == self.epoch {
            claim.ended = Some(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests;
