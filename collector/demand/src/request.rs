//! What one job asks for: whole nodes, parts of named numbers of nodes, or slots anywhere.

/// Nodes that a job names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Nodes {
    /// How many different ones.
    pub count: u32,
    /// Whether nobody else may use them: `flux submit -N2 -x`.
    pub exclusive: bool,
}

/// What a job asks for, as RFC 14 counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// Nodes, where it names any: then each has [`slots`](Self::slots) slots.
    pub nodes: Option<Nodes>,
    /// Slots of each node, or in all.
    pub slots: u32,
    /// Cores of a slot.
    pub cores: u32,
    /// GPUs of a slot; `None` where the list of jobs was all that could be asked, which does not say.
    pub gpus: Option<u32>,
}

/// What a place for a part of a job must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Need {
    /// Cores.
    pub cores: u64,
    /// GPUs.
    pub gpus: u64,
    /// All of a node, on which nothing runs.
    pub exclusive: bool,
    /// Only one such part on a node.
    pub apart: bool,
}

impl Request {
    /// Whole nodes.
    pub const fn whole_nodes(count: u32) -> Self {
        let nodes = Some(Nodes { count, exclusive: true });
        Self { nodes, slots: 1, cores: 0, gpus: Some(0) }
    }

    /// Slots anywhere.
    pub const fn slots(slots: u32, cores: u32, gpus: u32) -> Self {
        Self { nodes: None, slots, cores, gpus: Some(gpus) }
    }

    /// What the list of jobs tells: `nnodes`, `ncores` and `ntasks` of `job-list.list`. A job without
    /// `ncores` wants whole nodes. Cores are taken to be evenly spread over nodes, or over tasks,
    /// and GPUs are not told of. `None` where it tells too little.
    pub fn from_counts(nodes: Option<u32>, cores: Option<u32>, tasks: Option<u32>) -> Option<Self> {
        let nodes = nodes.filter(|nodes| *nodes > 0);
        let cores = cores.filter(|cores| *cores > 0);
        match (nodes, cores) {
            (Some(count), None) => Some(Self::whole_nodes(count)),
            (Some(count), Some(cores)) => Some(Self {
                nodes: Some(Nodes { count, exclusive: false }),
                slots: 1,
                cores: cores.div_ceil(count),
                gpus: None,
            }),
            (None, Some(cores)) => {
                let slots = tasks.filter(|tasks| *tasks > 0 && cores.is_multiple_of(*tasks));
                let slots = slots.unwrap_or(cores);
                Some(Self { nodes: None, slots, cores: cores / slots.max(1), gpus: None })
            }
            (None, None) => None,
        }
    }

    /// What each part of it needs of a node.
    pub(crate) fn need(&self) -> Need {
        let (cores, gpus) = (u64::from(self.cores), u64::from(self.gpus.unwrap_or_default()));
        match self.nodes {
            None => Need { cores, gpus, exclusive: false, apart: false },
            Some(Nodes { exclusive, .. }) => {
                let slots = u64::from(self.slots);
                Need { cores: cores * slots, gpus: gpus * slots, exclusive, apart: true }
            }
        }
    }

    /// Of how many parts it is.
    pub(crate) fn parts(&self) -> u64 {
        u64::from(self.nodes.map_or(self.slots, |nodes| nodes.count))
    }

    /// Whether it takes whole nodes.
    pub(crate) fn is_exclusive(&self) -> bool {
        self.nodes.is_some_and(|nodes| nodes.exclusive)
    }

    /// Slots in all.
    fn all_slots(&self) -> u64 {
        let nodes = self.nodes.map_or(1, |nodes| u64::from(nodes.count));
        nodes * u64::from(self.slots)
    }

    /// Cores that it names.
    pub(crate) fn named_cores(&self) -> u64 {
        self.all_slots().saturating_mul(u64::from(self.cores))
    }

    /// GPUs that it names, where that is known.
    pub(crate) fn named_gpus(&self) -> Option<u64> {
        Some(self.all_slots().saturating_mul(u64::from(self.gpus?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_list_of_jobs_tells_is_read_as_flux_jobs_prints_it() {
        let node = |count, exclusive| Some(Nodes { count, exclusive });
        for (nodes, cores, tasks, want) in [
            // -N3 -x
            (Some(3), None, Some(3), Some((node(3, true), 1, 0))),
            // -N3 -n3 -c8, and -N2 -n3, where one node has two of the tasks
            (Some(3), Some(24), Some(3), Some((node(3, false), 1, 8))),
            (Some(2), Some(3), Some(3), Some((node(2, false), 1, 2))),
            // -n4 -c2, and --cores=4 --tasks-per-core=2
            (None, Some(8), Some(4), Some((None, 4, 2))),
            (None, Some(4), Some(8), Some((None, 4, 1))),
            (None, Some(4), None, Some((None, 4, 1))),
            (None, None, Some(1), None),
            (Some(0), Some(0), None, None),
        ] {
            let request = Request::from_counts(nodes, cores, tasks);
            let got = request.map(|request| (request.nodes, request.slots, request.cores));
            assert_eq!(got, want, "{nodes:?} nodes, {cores:?} cores, {tasks:?} tasks");
        }
    }
}
