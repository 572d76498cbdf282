//! `resource.sched-status`: nodes, cores and GPUs, as `flux resource list` counts them.

use std::sync::Arc;

use flux_client::{Idset, ResourceSet};
use serde::Deserialize;

use super::{Unreadable, count};
use crate::state::{Key, Reading, Values};

/// One answer. A set may be `null`, which is the empty one, but has to be there.
#[derive(Clone, Debug, Deserialize)]
pub struct SchedStatus {
    /// Everything that is configured, without excluded ranks.
    #[serde(deserialize_with = "Deserialize::deserialize")]
    pub all: ResourceSet,
    /// Whole nodes that are offline, drained or torpid.
    #[serde(deserialize_with = "Deserialize::deserialize")]
    pub down: ResourceSet,
    /// What jobs hold, on ranks that may have been excluded since.
    #[serde(deserialize_with = "Deserialize::deserialize")]
    pub allocated: ResourceSet,
}

impl SchedStatus {
    /// Reads one answer.
    pub fn read(json: &[u8]) -> Result<Self, Unreadable> {
        Ok(serde_json::from_slice(json)?)
    }

    /// The instance's values, with the smallest safe size as it counts after its hold-down.
    pub fn reading(&self, safe: u32) -> Reading {
        let mut values = Values::new();
        self.put(&mut values, None);
        values.insert(Key::instance("cluster_size_min_safe"), safe.into());
        Reading { values, missing: None }
    }

    /// The smallest size that kills no job now. Whatever still runs anywhere would be killed, on an
    /// excluded rank as well.
    pub fn min_safe_size(&self) -> u32 {
        self.allocated.highest_rank().map_or(1, |rank| rank.saturating_add(1))
    }

    /// What is configured and not down.
    pub fn up(&self) -> ResourceSet {
        self.all.difference(&self.down)
    }

    /// These ranks only.
    pub fn restrict(&self, ranks: &Idset) -> Self {
        Self {
            all: self.all.restrict(ranks),
            down: self.down.restrict(ranks),
            allocated: self.allocated.restrict(ranks),
        }
    }

    /// `up = all − down` and `free = up − allocated`, by core and GPU id, so that a node counts in
    /// a set while any id of it is there.
    pub(super) fn put(&self, values: &mut Values, queue: Option<&Arc<str>>) {
        let up = self.up();
        let free = up.difference(&self.allocated);
        for (set, [nodes, cores, gpus]) in [
            (&self.all, ["node_total_count", "core_total_count", "gpu_total_count"]),
            (&up, ["node_up_count", "core_up_count", "gpu_up_count"]),
            (&free, ["node_free_count", "core_free_count", "gpu_free_count"]),
            (
                &self.allocated,
                ["node_allocated_count", "core_allocated_count", "gpu_allocated_count"],
            ),
            (&self.down, ["node_down_count", "core_down_count", "gpu_down_count"]),
        ] {
            values.insert(Key::of(nodes, queue), count(set.nodes() as u64));
            values.insert(Key::of(cores, queue), count(set.cores()));
            values.insert(Key::of(gpus, queue), count(set.gpus()));
        }
        let used = up.intersection(&self.allocated);
        let idle = up.nodes().saturating_sub(used.nodes()) as u64;
        values.insert(Key::of("node_idle_count", queue), count(idle));
        for (metric, used, up) in [
            ("node_utilization_ratio", used.nodes() as u64, up.nodes() as u64),
            ("core_utilization_ratio", used.cores(), up.cores()),
            ("gpu_utilization_ratio", used.gpus(), up.gpus()),
        ] {
            if up > 0 {
                values.insert(Key::of(metric, queue), count(used) / count(up));
            }
        }
        // The names of the Python metrics API.
        values.insert(Key::of("node_cores_up_count", queue), count(up.cores()));
        values.insert(Key::of("node_cores_free_count", queue), count(free.cores()));
    }
}

#[cfg(test)]
mod tests;
