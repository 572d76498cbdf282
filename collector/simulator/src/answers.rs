//! The JSON that services of Flux answer with, from the model, as a release shapes it.
//!
//! Keys stand in the order in which a real broker prints them. Pure: [`crate::services`] decides
//! who may ask what and where.

pub(crate) mod broker;
pub(crate) mod journal;

use std::collections::BTreeMap;

use flux_client::Idset;
use serde::Serialize;

use crate::{
    instance::{Drain, Instance, Outcomes, States},
    manners::Release,
};

/// Hosts are called this and their rank.
pub(crate) const HOST_PREFIX: &str = "flux-sample-";

/// `resource.sched-status`.
#[derive(Debug, Serialize)]
pub(crate) struct SchedStatus {
    all: ResourceSet,
    down: ResourceSet,
    allocated: ResourceSet,
}

/// `resource.status`.
#[derive(Debug, Serialize)]
pub(crate) struct ResourceStatus {
    #[serde(rename = "R")]
    r: ResourceSet,
    drain: BTreeMap<String, DrainInfo>,
    online: Idset,
    offline: Idset,
    exclude: Idset,
    #[serde(skip_serializing_if = "Option::is_none")]
    torpid: Option<Idset>,
}

#[derive(Debug, Serialize)]
struct DrainInfo {
    timestamp: f64,
    reason: String,
}

/// `job-list.job-stats`.
#[derive(Debug, Serialize)]
pub(crate) struct JobStats {
    #[serde(flatten)]
    instance: Counts,
    #[serde(skip_serializing_if = "Option::is_none")]
    queues: Option<Vec<QueueCounts>>,
}

#[derive(Debug, Serialize)]
struct QueueCounts {
    #[serde(flatten)]
    counts: Counts,
    name: String,
}

#[derive(Debug, Serialize)]
struct Counts {
    job_states: States,
    #[serde(skip_serializing_if = "Option::is_none")]
    successful: Option<u64>,
    failed: u64,
    canceled: u64,
    timeout: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    inactive_purged: Option<u64>,
}

/// `job-list.stats-get`.
#[derive(Debug, Serialize)]
pub(crate) struct JobListStats {
    jobs: ListedJobs,
    idsync: IdSync,
    #[serde(skip_serializing_if = "Option::is_none")]
    stats_watchers: Option<usize>,
}

#[derive(Debug, Serialize)]
struct ListedJobs {
    pending: u64,
    running: u64,
    inactive: u64,
}

#[derive(Debug, Default, Serialize)]
struct IdSync {
    lookups: u64,
    waits: u64,
}

/// `job-manager.stats-get`.
#[derive(Debug, Serialize)]
pub(crate) struct JobManagerStats {
    journal: Journal,
    active_jobs: u64,
    inactive_jobs: u64,
    max_jobid: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    housekeeping: Option<Housekeeping>,
}

#[derive(Debug, Serialize)]
struct Journal {
    listeners: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Housekeeping {
    running: BTreeMap<String, ()>,
    config: HousekeepingConfig,
}

#[derive(Debug, Serialize)]
struct HousekeepingConfig {
    #[serde(rename = "release-after")]
    release_after: f64,
    command: &'static str,
}

/// `job-manager.alloc-query`.
#[derive(Debug, Serialize)]
pub(crate) struct AllocQuery {
    queue_length: usize,
    alloc_pending: usize,
    running: u64,
}

/// `config.get`.
#[derive(Debug, Serialize)]
pub(crate) struct Config {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    queues: BTreeMap<String, QueueConfig>,
}

#[derive(Debug, Serialize)]
struct QueueConfig {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    requires: Vec<String>,
}

/// R, RFC 20.
#[derive(Debug, Serialize)]
struct ResourceSet {
    version: u32,
    execution: Execution,
}

#[derive(Debug, Serialize)]
struct Execution {
    #[serde(rename = "R_lite")]
    r_lite: Vec<Lite>,
    starttime: f64,
    expiration: f64,
    nodelist: [String; 1],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    properties: BTreeMap<String, Idset>,
}

#[derive(Debug, Serialize)]
struct Lite {
    rank: Idset,
    children: Children,
}

#[derive(Debug, PartialEq, Serialize)]
struct Children {
    #[serde(skip_serializing_if = "Idset::is_empty")]
    gpu: Idset,
    #[serde(skip_serializing_if = "Idset::is_empty")]
    core: Idset,
}

impl SchedStatus {
    pub(crate) fn of(instance: &Instance) -> Self {
        Self {
            all: ResourceSet::whole(instance, &instance.all()),
            down: ResourceSet::whole(instance, &instance.down()),
            allocated: ResourceSet::new(instance, instance.allocated()),
        }
    }
}

impl ResourceStatus {
    pub(crate) fn of(instance: &Instance, release: Release) -> Self {
        let everything = Idset::range(0, instance.shape().size - 1);
        // Ranks that were drained together share an entry.
        let mut drained: Vec<(Idset, &Drain)> = Vec::new();
        for (&rank, drain) in instance.drained() {
            match drained.iter_mut().find(|(_, other)| *other == drain) {
                Some((ranks, _)) => ranks.insert(rank),
                None => drained.push((Idset::range(rank, rank), drain)),
            }
        }
        let drain = drained.into_iter().map(|(ranks, Drain { timestamp, reason })| {
            (ranks.to_string(), DrainInfo { timestamp: *timestamp, reason: reason.clone() })
        });
        Self {
            r: ResourceSet::whole(instance, &everything),
            drain: drain.collect(),
            online: instance.online(),
            offline: instance.offline(),
            exclude: instance.excluded(),
            torpid: release.has_torpid().then(|| instance.torpid()),
        }
    }
}

impl JobStats {
    pub(crate) fn of(instance: &Instance, release: Release) -> Self {
        let counts = |queue| {
            let states = instance.states(queue).unwrap_or_default();
            Counts::new(states, instance.ended(queue).unwrap_or_default(), release)
        };
        let queues = instance.queues().iter().map(|queue| QueueCounts {
            counts: counts(Some(&queue.name)),
            name: queue.name.clone(),
        });
        let listed = queues.filter(|queue| release.lists_idle_queues() || queue.has_seen_jobs());
        Self { instance: counts(None), queues: release.has_queues().then(|| listed.collect()) }
    }
}

impl QueueCounts {
    fn has_seen_jobs(&self) -> bool {
        self.counts.job_states.total > 0 || self.counts.inactive_purged.is_some_and(|jobs| jobs > 0)
    }
}

impl Counts {
    fn new(job_states: States, outcomes: Outcomes, release: Release) -> Self {
        let Outcomes { successful, mut failed, canceled, timeout, purged } = outcomes;
        if release.failed_includes_all() {
            failed += canceled + timeout;
        }
        Self {
            job_states,
            successful: release.has_queues().then_some(successful),
            failed,
            canceled,
            timeout,
            inactive_purged: release.counts_purged().then_some(purged),
        }
    }
}

impl JobListStats {
    pub(crate) fn of(instance: &Instance, release: Release, watchers: usize) -> Self {
        let states = instance.states(None).unwrap_or_default();
        Self {
            jobs: ListedJobs {
                pending: states.depend + states.priority + states.sched,
                running: states.run + states.cleanup,
                inactive: states.inactive,
            },
            idsync: IdSync::default(),
            stats_watchers: release.job_stats_streams().then_some(watchers),
        }
    }
}

impl JobManagerStats {
    pub(crate) fn of(instance: &Instance, release: Release) -> Self {
        let states = instance.states(None).unwrap_or_default();
        let config = HousekeepingConfig { release_after: -1.0, command: "" };
        Self {
            journal: Journal { listeners: 1, events: release.counts_journal_events().then_some(0) },
            active_jobs: states.total - states.inactive,
            inactive_jobs: states.inactive,
            max_jobid: instance.max_jobid(),
            housekeeping: release
                .has_housekeeping()
                .then(|| Housekeeping { running: BTreeMap::new(), config }),
        }
    }
}

impl AllocQuery {
    pub(crate) fn of(instance: &Instance) -> Self {
        let (queue_length, alloc_pending) = instance.asked_for();
        let running = instance.states(None).unwrap_or_default().run;
        Self { queue_length, alloc_pending, running }
    }
}

impl Config {
    pub(crate) fn of(instance: &Instance) -> Self {
        let queues = instance.queues().iter().map(|queue| {
            let requires = queue.ranks.iter().map(|_| queue.name.clone()).collect();
            (queue.name.clone(), QueueConfig { requires })
        });
        Self { queues: queues.collect() }
    }
}

impl ResourceSet {
    /// All that these ranks have.
    fn whole(instance: &Instance, ranks: &Idset) -> Self {
        let ids =
            |count: u32| count.checked_sub(1).map_or_else(Idset::new, |last| Idset::range(0, last));
        let (cores, gpus) = (ids(instance.shape().cores), ids(instance.shape().gpus));
        Self::new(instance, ranks.iter().map(|rank| (rank, cores.clone(), gpus.clone())))
    }

    fn new(instance: &Instance, ranks: impl Iterator<Item = (u32, Idset, Idset)>) -> Self {
        // Ranks that have the same ids share an entry; entries stand in the order of their first.
        let mut entry_of: BTreeMap<(String, String), usize> = BTreeMap::new();
        let mut r_lite: Vec<Lite> = Vec::new();
        let mut members = Idset::new();
        for (rank, core, gpu) in ranks {
            members.insert(rank);
            let entry =
                *entry_of.entry((core.to_string(), gpu.to_string())).or_insert(r_lite.len());
            match r_lite.get_mut(entry) {
                Some(lite) => lite.rank.insert(rank),
                None => {
                    let children = Children { gpu, core };
                    r_lite.push(Lite { rank: Idset::range(rank, rank), children });
                }
            }
        }
        let properties = instance.queues().iter().filter_map(|queue| {
            let ranks = queue.ranks.as_ref()?.intersection(&members);
            (!ranks.is_empty()).then(|| (queue.name.clone(), ranks))
        });
        Self {
            version: 1,
            execution: Execution {
                r_lite,
                starttime: 0.0,
                expiration: 0.0,
                nodelist: [hostlist(&members)],
                properties: properties.collect(),
            },
        }
    }
}

/// The hosts of these ranks in RFC 29's notation.
pub(crate) fn hostlist(ranks: &Idset) -> String {
    match ranks.len() {
        0 => String::new(),
        1 => format!("{HOST_PREFIX}{ranks}"),
        _ => format!("{HOST_PREFIX}[{ranks}]"),
    }
}
