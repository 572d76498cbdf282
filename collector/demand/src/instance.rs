//! The ranks of an instance: what each has, what of it is free, and whether it takes jobs.

use std::collections::BTreeSet;

use flux_client::{Idset, ResourceSet};

use crate::{demand::TooMuch, request::Need};

/// The largest rank: what [`flux_client::rset::MAX_RANKS`] allows. At 32 bytes each 4 MiB.
pub const MAX_RANK: u32 = 128 * 1024 - 1;

/// The state of an instance's resources at one moment.
#[derive(Clone, Debug, Default)]
pub struct Instance {
    all: ResourceSet,
    ranks: Idset,
    usable: Idset,
    hosts: Vec<(u32, String)>,
    nodes: Vec<Node>,
    busy_size: u32,
}

/// One rank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) cores: u64,
    pub(crate) gpus: u64,
    pub(crate) free_cores: u64,
    pub(crate) free_gpus: u64,
}

impl Instance {
    /// From what there is without excluded ranks (`all`), what jobs hold (`allocated`), and the ranks
    /// that take no job although their brokers may run: drained and torpid ones.
    ///
    /// # Errors
    ///
    /// When a rank is over [`MAX_RANK`].
    pub fn new(
        all: ResourceSet,
        allocated: &ResourceSet,
        unusable: &Idset,
    ) -> Result<Self, TooMuch> {
        let highest = all.highest_rank().max(allocated.highest_rank());
        if let Some(rank) = highest.filter(|rank| *rank > MAX_RANK) {
            return Err(TooMuch::Rank(rank));
        }
        let length = all.highest_rank().map_or(0, |rank| rank as usize + 1);
        let mut nodes = vec![Node::default(); length];
        for (rank, shape) in all.iter() {
            if let Some(node) = nodes.get_mut(rank as usize) {
                let (cores, gpus) = (shape.cores.len(), shape.gpus.len());
                *node = Node { cores, gpus, free_cores: cores, free_gpus: gpus };
            }
        }
        for (rank, shape) in allocated.iter() {
            if let Some(node) = nodes.get_mut(rank as usize) {
                node.free_cores = node.free_cores.saturating_sub(shape.cores.len());
                node.free_gpus = node.free_gpus.saturating_sub(shape.gpus.len());
            }
        }
        let ranks = all.ranks();
        Ok(Self {
            usable: ranks.difference(unusable),
            busy_size: allocated.highest_rank().map_or(0, |rank| rank + 1),
            ranks,
            hosts: Vec::new(),
            nodes,
            all,
        })
    }

    /// The same with the hosts of its ranks, without which no constraint by host matches.
    #[must_use]
    pub fn with_hosts(mut self, hosts: impl IntoIterator<Item = (u32, String)>) -> Self {
        self.hosts = hosts.into_iter().filter(|(rank, _)| self.ranks.contains(*rank)).collect();
        self
    }

    /// Every rank, excluded ones left out.
    pub const fn ranks(&self) -> &Idset {
        &self.ranks
    }

    /// The ranks that take jobs, or will when their pods are there.
    pub const fn usable(&self) -> &Idset {
        &self.usable
    }

    /// The smallest size that kills no job: 1 + the highest rank on which anything is allocated, be
    /// it drained or excluded meanwhile; at least 1.
    pub fn min_safe_size(&self) -> u32 {
        self.busy_size.max(1)
    }

    /// The ranks that have this property.
    pub fn ranks_with(&self, property: &str) -> Idset {
        self.all.ranks_with(property)
    }

    /// The ranks on these hosts.
    pub(crate) fn ranks_on(&self, hosts: &BTreeSet<String>) -> Idset {
        let on = self.hosts.iter().filter(|(_, host)| hosts.contains(host));
        on.map(|(rank, _)| *rank).collect()
    }

    /// Whether there is any GPU.
    pub(crate) fn has_gpus(&self) -> bool {
        self.nodes.iter().any(|node| node.gpus > 0)
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }
}

impl Node {
    /// How many parts of a job fit on what is free.
    pub(crate) fn room(&self, need: Need) -> u64 {
        let Need { cores, gpus, exclusive, apart } = need;
        let idle = self.free_cores == self.cores && self.free_gpus == self.gpus;
        if (exclusive && !idle) || self.cores + self.gpus == 0 {
            return 0;
        }
        let most = if exclusive || apart { 1 } else { u64::MAX };
        let of = |free: u64, each: u64| free.checked_div(each).unwrap_or(most);
        most.min(of(self.free_cores, cores)).min(of(self.free_gpus, gpus))
    }

    /// The same node when nothing runs.
    pub(crate) const fn emptied(&self) -> Self {
        Self { free_cores: self.cores, free_gpus: self.gpus, ..*self }
    }

    /// Takes room for so many parts.
    pub(crate) const fn take(&mut self, need: Need, parts: u64) {
        if need.exclusive {
            (self.free_cores, self.free_gpus) = (0, 0);
        } else {
            self.free_cores = self.free_cores.saturating_sub(need.cores.saturating_mul(parts));
            self.free_gpus = self.free_gpus.saturating_sub(need.gpus.saturating_mul(parts));
        }
    }
}
