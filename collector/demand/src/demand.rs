//! What all waiting jobs together need, of the instance and of each queue.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    sync::Arc,
};

use flux_client::Idset;

use crate::{
    Constraint, Instance, Request,
    packing::{MAX_VISITS, Packing, Wanted},
};

/// Waiting jobs that are looked at: more than people let wait, at 100 bytes each 1.6 MB.
pub const MAX_JOBS: usize = 16 * 1024;

/// Different sets of ranks that waiting jobs are confined to. On 1,000 ranks none is larger than 4 kB.
pub const MAX_CLASSES: usize = 1024;

/// A job in state SCHED.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// What it asks for, where that is known.
    pub request: Option<Request>,
    /// Where it may run, beside what its queue says.
    pub constraint: Option<Arc<Constraint>>,
    /// Its queue; none in an instance without named ones.
    pub queue: Option<Arc<str>>,
    /// Whether its priority is 0: it is never sent to the scheduler.
    pub held: bool,
    /// When it was submitted, in seconds since the epoch.
    pub submitted: f64,
    /// How long it may run, in seconds; 0 for ever.
    pub duration: f64,
}

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// The ranks that its jobs may run on.
    pub ranks: Idset,
    /// Whether its jobs are sent to the scheduler.
    pub started: bool,
}

/// What waiting jobs need.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Demand {
    /// The size that holds all jobs at once, see the [crate's description](crate); unknown where the
    /// GPUs of a job are.
    pub size: Option<u32>,
    /// Of all jobs.
    pub instance: Totals,
    /// Of each queue that was given.
    pub queues: BTreeMap<Arc<str>, Totals>,
}

/// Sums over jobs. Only jobs that more nodes would help demand anything: those in state SCHED that are
/// neither held nor in a stopped queue, whose size is known, and that fit on the instance when
/// nothing else runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Totals {
    /// Nodes that jobs need, each job by itself.
    pub nodes: u64,
    /// Cores that they name; of whole nodes all.
    pub cores: u64,
    /// GPUs that they name, of whole nodes all; unknown where those of one job are.
    pub gpus: Option<u64>,
    /// Nodes that the first of them needs; 0 if there is none.
    pub first: u64,
    /// Nodes that the largest of them needs.
    pub largest: u64,
    /// Seconds for which the oldest of them has waited since it was submitted; 0 if there is none.
    pub oldest_age: f64,
    /// Sum of nodes × seconds that they may run, of those with a limit.
    pub backlog_node_seconds: f64,
    /// Those without a limit, which are not in the backlog.
    pub unlimited: u64,
    /// Jobs with priority 0, which demand nothing.
    pub held: u64,
    /// Jobs in a stopped queue that are not held, which demand nothing.
    pub stopped: u64,
    /// Jobs whose size or whose ranks are not known, and which are in no sum.
    pub unsized_jobs: u64,
    /// Jobs that have no room on the instance even when nothing else runs, and which are in no sum.
    pub unsatisfiable: u64,
}

/// More than is looked at: then there is no answer, since half of one would be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooMuch {
    /// Over [`MAX_JOBS`].
    #[error("{0} jobs wait, over the limit of {MAX_JOBS}")]
    Jobs(usize),
    /// Over [`MAX_CLASSES`].
    #[error("jobs are confined to more than {MAX_CLASSES} different sets of ranks")]
    Classes,
    /// Over [`MAX_RANK`](crate::MAX_RANK).
    #[error("rank {0} is over the limit of {max}", max = crate::MAX_RANK)]
    Rank(u32),
    /// Over [`MAX_VISITS`].
    #[error("jobs and ranks are too many and too different: over {MAX_VISITS} looks at a rank")]
    Visits,
}

impl Default for Totals {
    fn default() -> Self {
        Self {
            nodes: 0,
            cores: 0,
            gpus: Some(0),
            first: 0,
            largest: 0,
            oldest_age: 0.0,
            backlog_node_seconds: 0.0,
            unlimited: 0,
            held: 0,
            stopped: 0,
            unsized_jobs: 0,
            unsatisfiable: 0,
        }
    }
}

/// What becomes of one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Held,
    Stopped,
    Unsized,
    Unsatisfiable,
    Demands(Wanted),
}

impl Demand {
    /// Measures `jobs`, in the order of the queue, at `now` in seconds since the epoch. `started` is
    /// said of jobs without a queue.
    ///
    /// # Errors
    ///
    /// When there is more than is looked at.
    pub fn of(
        instance: &Instance,
        queues: &BTreeMap<Arc<str>, Queue>,
        started: bool,
        jobs: &[Job],
        now: f64,
    ) -> Result<Self, TooMuch> {
        if jobs.len() > MAX_JOBS {
            return Err(TooMuch::Jobs(jobs.len()));
        }
        let mut demand = Self {
            queues: queues.keys().map(|name| (Arc::clone(name), Totals::default())).collect(),
            ..Self::default()
        };
        let mut classes = Classes { instance, queues, known: HashMap::new() };
        let (mut packing, has_gpus) = (Packing::new(instance), instance.has_gpus());
        for job in jobs {
            let queue = job.queue.as_ref().map(|name| queues.get(name));
            let verdict = match (queue, job.request) {
                _ if job.held => Verdict::Held,
                (Some(Some(Queue { started: false, .. })), _) => Verdict::Stopped,
                (None, _) if !started => Verdict::Stopped,
                (Some(None), _) | (_, None) => Verdict::Unsized,
                (_, Some(request)) => {
                    let (class, ranks) = classes.of(job)?;
                    match packing.place(class, ranks, &request)? {
                        None => Verdict::Unsatisfiable,
                        // On an instance without GPUs nobody waits for one.
                        Some(wanted) if has_gpus => Verdict::Demands(wanted),
                        Some(wanted) => Verdict::Demands(Wanted { gpus: Some(0), ..wanted }),
                    }
                }
            };
            demand.instance.add(job, verdict, now);
            let queue = job.queue.as_ref().and_then(|name| demand.queues.get_mut(name));
            if let Some(totals) = queue {
                totals.add(job, verdict, now);
            }
        }
        let size = packing.size().max(instance.min_safe_size());
        demand.size = demand.instance.gpus.map(|_| size);
        Ok(demand)
    }
}

impl Totals {
    fn add(&mut self, job: &Job, verdict: Verdict, now: f64) {
        let wanted = match verdict {
            Verdict::Held => return self.held += 1,
            Verdict::Stopped => return self.stopped += 1,
            Verdict::Unsized => return self.unsized_jobs += 1,
            Verdict::Unsatisfiable => return self.unsatisfiable += 1,
            Verdict::Demands(wanted) => wanted,
        };
        if self.first == 0 {
            self.first = wanted.nodes;
        }
        self.nodes = self.nodes.saturating_add(wanted.nodes);
        self.cores = self.cores.saturating_add(wanted.cores);
        self.gpus = self.gpus.zip(wanted.gpus).map(|(sum, gpus)| sum.saturating_add(gpus));
        self.largest = self.largest.max(wanted.nodes);
        self.oldest_age = self.oldest_age.max(now - job.submitted);
        if job.duration > 0.0 {
            #[allow(clippy::cast_precision_loss, reason = "there are fewer nodes than 2^53")]
            let nodes = wanted.nodes as f64;
            self.backlog_node_seconds += nodes * job.duration;
        } else {
            self.unlimited += 1;
        }
    }
}

/// The sets of ranks that jobs are confined to, each found out once.
struct Classes<'a> {
    instance: &'a Instance,
    queues: &'a BTreeMap<Arc<str>, Queue>,
    known: HashMap<Confinement, (usize, Idset)>,
}

/// The queue and the constraint of a job.
type Confinement = (Option<Arc<str>>, Option<Arc<Constraint>>);

impl Classes<'_> {
    fn of(&mut self, job: &Job) -> Result<(usize, &Idset), TooMuch> {
        let count = self.known.len();
        let key = (job.queue.clone(), job.constraint.clone());
        let (class, ranks) = match self.known.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(_) if count >= MAX_CLASSES => {
                return Err(TooMuch::Classes);
            }
            Entry::Vacant(entry) => {
                let mut ranks = self.instance.usable().clone();
                if let Some(queue) = job.queue.as_ref().and_then(|name| self.queues.get(name)) {
                    ranks = ranks.intersection(&queue.ranks);
                }
                if let Some(constraint) = &job.constraint {
                    ranks = ranks.intersection(&constraint.ranks(self.instance));
                }
                entry.insert((count, ranks))
            }
        };
        Ok((*class, ranks))
    }
}

#[cfg(test)]
mod tests;
