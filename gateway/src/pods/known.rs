//! From all pods to who holds which index; a function of what was known before, the pods, and the
//! moment.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use super::{Holder, Known, MAX_PODS, MiniCluster, Namespace, Pod, Stage};

/// The pods of each index of one MiniCluster.
type Indexes<'a> = BTreeMap<u32, Vec<&'a Arc<Pod>>>;

/// MiniClusters that are remembered as ended, as many as pods; one more is taken for unseen, and
/// what its collector said ages.
const MAX_ENDED: usize = MAX_PODS;

impl Known {
    /// What is known after a change, from all pods that count. MiniClusters without any pod are
    /// remembered as ended for as long as `remember`.
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
        let mut namespaces: HashMap<Arc<str>, Namespace> = HashMap::new();
        for ((namespace, name), indexes) in clusters {
            let before = self.namespace(namespace).and_then(|old| old.miniclusters.get(name));
            let minicluster = MiniCluster::of(&indexes, before, now);
            let namespace = namespaces.entry(Arc::clone(namespace)).or_default();
            let holders = minicluster.holders.values();
            let by_name = holders.map(|holder| (Arc::clone(&holder.pod.name), Arc::clone(holder)));
            namespace.pods.extend(by_name);
            namespace.miniclusters.insert(Arc::clone(name), minicluster);
        }
        let mut room = MAX_ENDED;
        for (namespace, old) in &self.namespaces {
            let gone = old.miniclusters.keys().map(|name| (name, now));
            let ended = old.ended.iter().map(|(name, at)| (name, *at));
            for (name, at) in gone.chain(ended) {
                let back = namespaces
                    .get(namespace)
                    .is_some_and(|new| new.miniclusters.contains_key(name));
                if !back && room > 0 && now.saturating_duration_since(at) < remember {
                    room -= 1;
                    let namespace = namespaces.entry(Arc::clone(namespace)).or_default();
                    namespace.ended.insert(Arc::clone(name), at);
                }
            }
        }
        Self { namespaces }
    }
}

impl MiniCluster {
    fn of(indexes: &Indexes<'_>, before: Option<&Self>, now: Instant) -> Self {
        let mut minicluster = Self::default();
        for (index, pods) in indexes {
            let live = pods.iter().filter(|pod| pod.stage == Stage::Live);
            // While one is replaced there may be two: the newer one is there to stay.
            let Some(pod) = live.max_by_key(|pod| (pod.created, &pod.name)) else {
                if *index == 0 && pods.iter().any(|pod| pod.stage == Stage::Completed) {
                    // The instance ended with its lead, whatever its other pods still do.
                    return Self::default();
                }
                continue;
            };
            let others = pods.iter().filter(|other| other.uid != pod.uid);
            let alone = others.filter(|other| other.stage != Stage::Completed).count() == 0;
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
        minicluster
    }
}
