//! `config.get`: which ranks belong to which queue, and the resources of each.

use std::collections::BTreeMap;

use flux_client::{Idset, ResourceSet};
use serde::Deserialize;

use super::{Unreadable, queue_label, resources::SchedStatus, too_many_queues};
use crate::state::{Reading, Values};

/// Steps from a virtual queue to the queue that has ranks; Flux allows one.
const MAX_PARENTS: usize = 4;

/// The queues of the configuration; none in an instance with one anonymous queue.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Queues {
    #[serde(default)]
    queues: BTreeMap<String, Queue>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
struct Queue {
    /// Properties that its ranks have, each; with a leading `^`, have not.
    #[serde(default)]
    requires: Vec<String>,
    /// A virtual queue has the ranks of this one. After 0.88.
    parent: Option<String>,
    /// Hosts of its own, which Flux marks with the property `+<queue>`. After 0.88.
    hosts: Option<serde::de::IgnoredAny>,
}

impl Queues {
    /// Reads the answer, whose other tables are skipped.
    pub fn read(json: &[u8]) -> Result<Self, Unreadable> {
        Ok(serde_json::from_slice(json)?)
    }

    /// The values of each queue.
    pub fn reading(&self, status: &SchedStatus) -> Reading {
        let mut values = Values::new();
        let mut missing = too_many_queues(self.queues.len());
        if missing.is_some() {
            return Reading { values, missing };
        }
        for name in self.queues.keys() {
            let ranks = self.ranks(name, &status.all);
            match ranks.and_then(|ranks| Ok((queue_label(name)?, ranks))) {
                Ok((label, ranks)) => status.restrict(&ranks).put(&mut values, Some(&label)),
                Err(reason) => missing = Some(reason),
            }
        }
        Reading { values, missing }
    }

    /// Their names.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.queues.keys().map(String::as_str)
    }

    /// The ranks of `all` that the jobs of a queue may run on, or why they cannot be told.
    pub fn ranks(&self, name: &str, all: &ResourceSet) -> Result<Idset, String> {
        let (mut name, mut queue) = (name, self.queue(name)?);
        for _ in 0..MAX_PARENTS {
            match &queue.parent {
                None => return Ok(queue.ranks(name, all)),
                Some(parent) => (name, queue) = (parent, self.queue(parent)?),
            }
        }
        Err(format!("the parents of queue {name:?} do not end: it is not reported"))
    }

    fn queue(&self, name: &str) -> Result<&Queue, String> {
        self.queues.get(name).ok_or_else(|| {
            format!("queue {name:?} is named as a parent and is not configured: a queue is missing")
        })
    }
}

impl Queue {
    fn ranks(&self, name: &str, all: &ResourceSet) -> Idset {
        let ranks = self.requires.iter().fold(all.ranks(), |ranks, property| {
            match property.strip_prefix('^') {
                Some(without) => ranks.difference(&all.ranks_with(without)),
                None => ranks.intersection(&all.ranks_with(property)),
            }
        });
        match self.hosts {
            None => ranks,
            Some(_) => ranks.intersection(&all.ranks_with(&format!("+{name}"))),
        }
    }
}

#[cfg(test)]
mod tests;
