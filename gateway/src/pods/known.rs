//! From all pods to who holds which index; a function of what was known before, the pods, and the
//! moment.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use super::{Holder, Known, MAX_PODS, MiniCluster, Pod, Stage, Successors};

/// The pods of each index of one MiniCluster.
type Indexes<'a> = BTreeMap<u32, Vec<&'a Arc<Pod>>>;

/// MiniClusters without pods that are remembered, as many as pods; one more is taken for unseen,
/// and what its collector said ages.
const MAX_GONE: usize = MAX_PODS;

impl Known {
    /// What is known after a change, from all pods that count. MiniClusters without any pod are
    /// remembered for as long as `remember`.
    pub fn next<'a>(
        &self,
        pods: impl Iterator<Item = &'a Arc<Pod>>,
        now: Instant,
        remember: Duration,
    ) -> Self {
        let mut clusters: HashMap<(&Arc<str>, &Arc<str>), Indexes<'_>> = HashMap::new();
        for pod in pods {
            let indexes = clusters.entry((&pod.namespace, &pod.minicluster)).or_default();
            indexes.entry(pod.index).or_default().push(pod);
        }
        let mut next = Self::default();
        for ((namespace, name), indexes) in clusters {
            let before = self.namespace(namespace).and_then(|old| old.miniclusters.get(name));
            let minicluster = MiniCluster::of(&indexes, before, now);
            let namespace = next.namespaces.entry(Arc::clone(namespace)).or_default();
            let holds = |pod: &Pod| {
                let holder = minicluster.holders.get(&pod.index);
                holder.is_some_and(|holder| holder.pod.uid == pod.uid)
            };
            let others = indexes.values().flatten().filter(|pod| !holds(pod));
            namespace.others.extend(others.map(|pod| (Arc::clone(&pod.name), Arc::clone(pod))));
            let holders = minicluster.holders.values();
            let by_name = holders.map(|holder| (Arc::clone(&holder.pod.name), Arc::clone(holder)));
            namespace.pods.extend(by_name);
            next.pods += minicluster.holders.len();
            namespace.miniclusters.insert(Arc::clone(name), minicluster);
        }
        let mut room = MAX_GONE;
        for (namespace, old) in &self.namespaces {
            for (name, old) in &old.miniclusters {
                let gone = old.gone.unwrap_or(now);
                let back = next
                    .namespace(namespace)
                    .is_some_and(|namespace| namespace.miniclusters.contains_key(name));
                if !back && room > 0 && now.saturating_duration_since(gone) < remember {
                    room -= 1;
                    let namespace = next.namespaces.entry(Arc::clone(namespace)).or_default();
                    namespace.miniclusters.insert(Arc::clone(name), old.without_pods(gone));
                }
            }
        }
        next
    }
}

impl MiniCluster {
    fn of(indexes: &Indexes<'_>, before: Option<&Self>, now: Instant) -> Self {
        // One that had no pods at all was made anew.
        let before = before.filter(|before| before.gone.is_none());
        let all = || indexes.values().flatten();
        let leads = indexes.get(&0).map_or(&[][..], |pods| pods);
        let completed = before.is_some_and(|before| before.completed)
            || leads.iter().any(|pod| pod.stage == Stage::Completed);
        if completed && !leads.iter().any(|pod| pod.stage == Stage::Live) {
            // The instance ended with its lead, whatever its other pods still do.
            return Self { completed, ..Self::default() };
        }
        let mut minicluster = Self::default();
        for (index, pods) in indexes {
            let live = pods.iter().filter(|pod| pod.stage == Stage::Live);
            // While one is replaced there may be two: the newer one is there to stay.
            let Some(pod) = live.max_by_key(|pod| (pod.created, &pod.name)) else { continue };
            let others = pods.iter().filter(|other| other.uid != pod.uid);
            let silent = |stage| matches!(stage, Stage::Completed | Stage::Failed);
            let alone = others.filter(|other| !silent(other.stage)).count() == 0;
            let before = before
                .and_then(|before| before.holders.get(index))
                .filter(|before| before.pod.uid == pod.uid);
            let since = before.and_then(|before| before.alone);
            let holder = Holder {
                pod: Arc::clone(pod),
                seen: before.map_or(now, |before| before.seen),
                alone: alone.then(|| since.unwrap_or(now)),
            };
            minicluster.collects |= pod.collects();
            minicluster.holders.insert(*index, Arc::new(holder));
        }
        if minicluster.holders.is_empty() {
            minicluster.collects = all().any(|pod| pod.collects());
            minicluster.successors = match before.map_or(Successors::None, |old| old.successors) {
                _ if all().any(|pod| pod.stage.is_replaced()) => Successors::Coming,
                Successors::Coming => Successors::ComingSince(now),
                other => other,
            };
        }
        minicluster
    }

    /// The same MiniCluster when its last pod is gone.
    fn without_pods(&self, gone: Instant) -> Self {
        let successors = match self.successors {
            Successors::Coming => Successors::ComingSince(gone),
            other => other,
        };
        let collects = self.collects;
        Self { collects, successors, gone: Some(gone), ..Self::default() }
    }
}
