//! What waiting jobs need → values.
//!
//! Jobs are read by [`waiting`](super::waiting), queues by [`queues`](super::queues), resources by
//! [`resources`](super::resources). Here is the rest: `resource.status` says which ranks take no job
//! although their brokers may run, and what hosts are called.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use flux_client::{Hostlist, Idset, ResourceSet};
use flux_demand::{Demand, Instance, Queue, TooMuch, Totals};
use serde::{
    Deserialize,
    de::{Error as _, IgnoredAny},
};

use super::{
    Unreadable, count, queue_label,
    queues::Queues,
    resources::SchedStatus,
    too_many_queues,
    window::{self, Averages},
};
use crate::state::{Key, Reading, Values};

/// What `resource.status` says beside what `resource.sched-status` does.
#[derive(Clone, Debug, Default)]
pub struct Ranks {
    /// Drained and torpid ones.
    pub unusable: Idset,
    /// All that R lists, excluded ones among them.
    all: Idset,
    /// In the order of `all`.
    hosts: Hostlist,
}

impl Ranks {
    /// Reads one answer. There is no `torpid` before 0.65, since those ranks were not down.
    pub fn read(json: &[u8]) -> Result<Self, Unreadable> {
        #[derive(Deserialize)]
        struct Status {
            #[serde(rename = "R")]
            r: ResourceSet,
            drain: BTreeMap<String, IgnoredAny>,
            #[serde(default)]
            torpid: Idset,
        }
        let Status { r, drain, torpid } = serde_json::from_slice(json)?;
        let mut unusable = torpid;
        for ranks in drain.keys() {
            let ranks = ranks.parse().map_err(serde_json::Error::custom)?;
            unusable = unusable.union(&ranks);
        }
        Ok(Self { unusable, all: r.ranks(), hosts: hosts(json)? })
    }

    /// The instance, as a job that waits sees it.
    ///
    /// # Errors
    ///
    /// When it has more ranks than are looked at.
    pub fn instance(&self, status: &SchedStatus) -> Result<Instance, TooMuch> {
        let instance = Instance::new(status.all.clone(), &status.allocated, &self.unusable)?;
        Ok(instance.with_hosts(self.all.iter().zip(self.hosts.iter())))
    }
}

/// The hosts of an R, one for each of its ranks.
fn hosts(json: &[u8]) -> Result<Hostlist, Unreadable> {
    #[derive(Deserialize)]
    struct Status {
        #[serde(rename = "R")]
        r: Option<R>,
    }
    #[derive(Deserialize)]
    struct R {
        execution: Execution,
    }
    #[derive(Deserialize)]
    struct Execution {
        #[serde(default)]
        nodelist: Vec<String>,
    }
    let Status { r } = serde_json::from_slice(json)?;
    let lists = r.map(|r| r.execution.nodelist).unwrap_or_default();
    Ok(lists.join(",").parse().map_err(serde_json::Error::custom)?)
}

/// The queues of a configuration, and why some cannot be told, if so.
#[derive(Clone, Debug, Default)]
pub struct Confines {
    /// Those whose ranks are known; all of them are started until it is said otherwise.
    pub queues: BTreeMap<Arc<str>, Queue>,
    /// Why one is missing.
    pub missing: Option<String>,
}

impl Confines {
    /// Finds out the ranks of each queue.
    ///
    /// # Errors
    ///
    /// When they are more than are reported: then no job's ranks can be told.
    pub fn of(configured: &Queues, all: &ResourceSet) -> Result<Self, String> {
        if let Some(reason) = too_many_queues(configured.names().len()) {
            return Err(reason);
        }
        let mut confines = Self::default();
        for name in configured.names() {
            let ranks = configured.ranks(name, all);
            match ranks.and_then(|ranks| Ok((queue_label(name)?, ranks))) {
                Ok((name, ranks)) => {
                    confines.queues.insert(name, Queue { ranks, started: true });
                }
                Err(reason) => confines.missing = Some(reason),
            }
        }
        Ok(confines)
    }
}

/// What goes with a demand.
#[derive(Clone, Debug)]
pub struct Rest {
    /// The size as it counts after its hold-down.
    pub size: Option<u32>,
    /// For how long there has been no active job.
    pub idle: Duration,
    /// Nodes that waiting jobs needed.
    pub averages: Averages,
    /// What running jobs have left, where that is known.
    pub remaining: Option<Remaining>,
    /// Up nodes.
    pub up: usize,
}

/// Node-seconds that running jobs have left.
#[derive(Clone, Debug)]
pub struct Remaining {
    instance: f64,
    queues: BTreeMap<Arc<str>, f64>,
}

impl Remaining {
    /// Nothing yet, of an instance with these queues.
    pub fn of<'a>(queues: impl Iterator<Item = &'a Arc<str>>) -> Self {
        Self { instance: 0.0, queues: queues.map(|queue| (Arc::clone(queue), 0.0)).collect() }
    }

    /// Adds those of a job.
    pub fn add(&mut self, queue: Option<&Arc<str>>, node_seconds: f64) {
        self.instance += node_seconds;
        if let Some(sum) = queue.and_then(|queue| self.queues.get_mut(queue)) {
            *sum += node_seconds;
        }
    }

    /// Whole seconds: half of one is no news.
    fn put(&self, values: &mut Values) {
        let metric = "running_remaining_node_seconds";
        values.insert(Key::instance(metric), self.instance.floor());
        for (queue, sum) in &self.queues {
            values.insert(Key::of(metric, Some(queue)), sum.floor());
        }
    }
}

/// The values of a demand and what goes with it, and the reason why some are missing.
pub fn reading(demand: &Demand, rest: &Rest, missing: Option<String>) -> Reading {
    let mut values = Values::new();
    put(&mut values, &demand.instance, None);
    for (queue, totals) in &demand.queues {
        put(&mut values, totals, Some(queue));
    }
    if let Some(size) = rest.size {
        values.insert(Key::instance("cluster_size_desired"), size.into());
        let past_tolerance = Key::instance("cluster_size_desired_past_tolerance");
        values.insert(past_tolerance, flux_demand::past_tolerance(size).into());
    }
    values.insert(Key::instance("instance_idle_seconds"), count(rest.idle.as_secs()));
    let nodes = ["pending_nodes_demand_1m", "pending_nodes_demand_5m"];
    window::put(&mut values, nodes, rest.averages);
    if let Some(remaining) = &rest.remaining {
        remaining.put(&mut values);
        let left = demand.instance.backlog_node_seconds + remaining.instance;
        let drain = (left / count(rest.up.max(1) as u64)).floor();
        values.insert(Key::instance("backlog_drain_seconds"), drain);
    }
    let unknown = demand.instance.gpus.is_none().then(|| {
        "pending_gpus_demand and cluster_size_desired: the GPUs of jobs are told to the owner of the \
         instance only; run the collector under the broker's uid, or as root where \
         access.allow-root-owner is set"
            .to_owned()
    });
    Reading { values, missing: missing.or(unknown) }
}

fn put(values: &mut Values, totals: &Totals, queue: Option<&Arc<str>>) {
    for (metric, value) in [
        ("pending_nodes_demand", totals.nodes),
        ("pending_cores_demand", totals.cores),
        ("pending_nodes_head", totals.first),
        ("pending_nodes_max", totals.largest),
        ("pending_unlimited_count", totals.unlimited),
        ("job_held_count", totals.held),
        ("job_stopped_count", totals.stopped),
        ("pending_unsized_count", totals.unsized_jobs),
        ("pending_unsatisfiable_count", totals.unsatisfiable),
    ] {
        values.insert(Key::of(metric, queue), count(value));
    }
    super::put(values, Key::of("pending_gpus_demand", queue), totals.gpus);
    // Whole seconds: half of one is no news.
    values.insert(Key::of("pending_oldest_age_seconds", queue), totals.oldest_age.floor());
    let backlog = totals.backlog_node_seconds;
    values.insert(Key::of("pending_backlog_node_seconds", queue), backlog);
}

#[cfg(test)]
mod tests;
