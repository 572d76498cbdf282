//! The true numbers of an instance, counted from the model and not from any answer: what tests
//! compare a collector's metrics with.

use flux_client::Idset;
use serde::Serialize;

use super::{Instance, JobId, Outcome, Rank, State};

/// Nodes, cores and gpus of a set of resources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Ranks with any id in the set.
    pub nodes: u64,
    /// Core ids.
    pub cores: u64,
    /// Gpu ids.
    pub gpus: u64,
}

/// The sets of `flux resource list`, for the instance or for a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tallies {
    /// R without excluded ranks.
    pub total: Tally,
    /// Neither offline nor torpid nor drained.
    pub up: Tally,
    /// Up and not allocated, id by id: a node that is used in part counts in both.
    pub free: Tally,
    /// Some job has them, be its node up or not.
    pub allocated: Tally,
    /// The rest of the total, whole nodes.
    pub down: Tally,
    /// Of what is up, what some job has.
    pub used: Tally,
    /// Up nodes of which no job has anything.
    pub idle: u64,
    /// 1 + the highest rank with anything allocated, at least 1.
    pub cluster_size_min_safe: u64,
}

/// Ranks that somebody took out of use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TakenOut {
    /// Drained, and no job has anything of them.
    pub drained: u64,
    /// Drained, and some job has.
    pub draining: u64,
    /// By the configuration.
    pub excluded: u64,
    /// Slow to answer.
    pub torpid: u64,
}

/// Jobs by state, in the order in which job-list prints them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct States {
    /// DEPEND.
    pub depend: u64,
    /// PRIORITY.
    pub priority: u64,
    /// SCHED.
    pub sched: u64,
    /// RUN.
    pub run: u64,
    /// CLEANUP.
    pub cleanup: u64,
    /// INACTIVE, without purged ones.
    pub inactive: u64,
    /// All of these.
    pub total: u64,
}

/// Inactive jobs by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Ended well.
    pub successful: u64,
    /// Failed, neither canceled nor timed out.
    pub failed: u64,
    /// Canceled.
    pub canceled: u64,
    /// Timed out.
    pub timeout: u64,
    /// Forgotten since: in none of the others.
    pub purged: u64,
}

impl Outcomes {
    pub(super) const fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Successful => self.successful += 1,
            Outcome::Failed => self.failed += 1,
            Outcome::Canceled => self.canceled += 1,
            Outcome::Timeout => self.timeout += 1,
        }
    }

    pub(super) fn purge(&mut self) {
        *self = Self { purged: self.purged + self.inactive(), ..Self::default() };
    }

    /// Jobs that are inactive and not purged.
    pub const fn inactive(&self) -> u64 {
        self.successful + self.failed + self.canceled + self.timeout
    }

    const fn add(&mut self, other: &Self) {
        self.successful += other.successful;
        self.failed += other.failed;
        self.canceled += other.canceled;
        self.timeout += other.timeout;
        self.purged += other.purged;
    }
}

impl Instance {
    /// What `flux resource list` prints, `None` where there is no such queue.
    pub fn tallies(&self, queue: Option<&str>) -> Option<Tallies> {
        let eligible = match queue {
            None => None,
            Some(name) => self.queues.iter().find(|queue| queue.name == name)?.ranks.as_ref(),
        };
        let mut tallies = Tallies { cluster_size_min_safe: 1, ..Tallies::default() };
        for (number, rank) in (0..).zip(&self.ranks) {
            let inside = eligible.is_none_or(|ranks: &Idset| ranks.contains(number));
            match (inside, rank.excluded) {
                (true, false) => tallies.add(number, rank, self.is_up(number, rank)),
                // In no set but that of what jobs hold, and of no queue: it has lost its properties.
                (true, true) if queue.is_none() => {
                    tallies.add_used(number, rank);
                }
                _ => {}
            }
        }
        Some(tallies)
    }

    /// Ranks that are taken out of use, as `flux resource status` prints them.
    pub fn taken_out(&self) -> TakenOut {
        let used: Idset = self.allocated().map(|(rank, ..)| rank).collect();
        let drained: Idset = self.drained.keys().copied().collect();
        let draining = drained.intersection(&used).len();
        TakenOut {
            drained: drained.len() - draining,
            draining,
            excluded: self.excluded().len(),
            torpid: self.torpid().len(),
        }
    }

    /// Jobs by state, `None` where there is no such queue.
    pub fn states(&self, queue: Option<&str>) -> Option<States> {
        let queue = self.queue_index(queue)?;
        let mut states = States { inactive: self.outcomes(queue).inactive(), ..States::default() };
        for job in self.jobs.values().filter(|job| queue.is_none() || job.queue == queue) {
            *match job.state() {
                State::Depend => &mut states.depend,
                State::Priority => &mut states.priority,
                State::Sched => &mut states.sched,
                State::Run => &mut states.run,
                State::Cleanup => &mut states.cleanup,
            } += 1;
        }
        let States { depend, priority, sched, run, cleanup, inactive, .. } = states;
        states.total = depend + priority + sched + run + cleanup + inactive;
        Some(states)
    }

    /// Inactive jobs, `None` where there is no such queue.
    pub fn ended(&self, queue: Option<&str>) -> Option<Outcomes> {
        Some(self.outcomes(self.queue_index(queue)?))
    }

    /// `Some(None)` is the whole instance.
    fn queue_index(&self, queue: Option<&str>) -> Option<Option<usize>> {
        match queue {
            None => Some(None),
            Some(name) => self.queues.iter().position(|queue| queue.name == name).map(Some),
        }
    }

    fn outcomes(&self, queue: Option<usize>) -> Outcomes {
        let mut sum = Outcomes::default();
        for (index, outcomes) in self.outcomes.iter().enumerate() {
            if queue.is_none_or(|queue| queue == index) {
                sum.add(outcomes);
            }
        }
        sum
    }
}

impl Tallies {
    fn add(&mut self, number: u32, rank: &Rank, up: bool) {
        let whole =
            Tally { nodes: 1, cores: rank.cores.len() as u64, gpus: rank.gpus.len() as u64 };
        let used = self.add_used(number, rank);
        let left = Tally::of(whole.cores - used.cores, whole.gpus - used.gpus);
        self.total.add(whole);
        if up {
            self.up.add(whole);
            self.free.add(left);
            self.used.add(used);
            self.idle += 1 - used.nodes;
        } else {
            self.down.add(whole);
        }
    }

    fn add_used(&mut self, number: u32, rank: &Rank) -> Tally {
        let taken = |ids: &[Option<JobId>]| ids.iter().filter(|id| id.is_some()).count() as u64;
        let used = Tally::of(taken(&rank.cores), taken(&rank.gpus));
        self.allocated.add(used);
        if used.nodes > 0 {
            self.cluster_size_min_safe = u64::from(number) + 1;
        }
        used
    }
}

impl Tally {
    fn of(cores: u64, gpus: u64) -> Self {
        Self { nodes: u64::from(cores + gpus > 0), cores, gpus }
    }

    const fn add(&mut self, other: Self) {
        self.nodes += other.nodes;
        self.cores += other.cores;
        self.gpus += other.gpus;
    }
}
