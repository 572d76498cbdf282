//! A Flux instance as numbers: ranks, queues, jobs and a first-fit scheduler.
//!
//! Everything that the simulator says is read from here, by [`crate::answers`]; what happens to it
//! comes from the [`crate::Simulator`] handle or from [`crate::day`]. No I/O and no clock: a time
//! that Flux would record is passed in.
//!
//! What holds always: an id of a core or gpu belongs to at most one job, a running job has all that
//! it asked for, and jobs start only on ranks that are up.

mod job;
mod journal;
mod list;
mod rank;
mod scheduler;
mod sets;
mod tally;

use std::collections::{BTreeMap, BTreeSet};

use flux_client::Idset;

pub(crate) use self::journal::{JobEntry, JobEvent, Log, Lost, RankEntry};
use self::rank::Rank;
pub use self::{
    job::{Hold, Job, JobId, Need, Outcome, State},
    list::Listed,
    tally::{Outcomes, States, TakenOut, Tallies, Tally},
};

/// Ranks of an instance: as many as fit in the RPCs that a broker still answers in a second.
pub const MAX_RANKS: u32 = 16 * 1024;

/// Cores, or gpus, of a rank.
pub const MAX_IDS: u32 = 1024;

/// Jobs that are not inactive: more than any test waits for, and 10 MB at most.
pub const MAX_ACTIVE_JOBS: usize = 100_000;

/// Pending jobs that the scheduler looks at in each queue, like sched-simple's `alloc-limit`.
const LOOK_AHEAD: usize = 8;

/// What the ranks are made of; all have the same shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Ranks that R lists, whether their brokers run or not.
    pub size: u32,
    /// Cores of each rank.
    pub cores: u32,
    /// Gpus of each rank.
    pub gpus: u32,
}

/// A named queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Also the property that its ranks have.
    pub name: String,
    /// The ranks that it `requires`; `None` is every rank, with no property.
    pub ranks: Option<Idset>,
}

/// Why a job is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The instance has no such queue.
    #[error("no queue is named {0:?}")]
    NoSuchQueue(String),
    /// The bound of this model.
    #[error("{MAX_ACTIVE_JOBS} jobs are active already: finish some first")]
    TooMany,
}

/// The model.
#[derive(Clone, Debug)]
pub struct Instance {
    shape: Shape,
    queues: Vec<Queue>,
    ranks: Vec<Rank>,
    jobs: BTreeMap<JobId, Job>,
    /// Of jobs that are inactive, by queue; the last entry is for jobs without one.
    outcomes: Vec<Outcomes>,
    drained: BTreeMap<u32, Drain>,
    /// Indexes of queues whose jobs are not scheduled.
    stopped: BTreeSet<usize>,
    next_job: u64,
    /// Seconds since the epoch, as it was told last.
    now: f64,
    job_log: Log<JobEntry>,
    rank_log: Log<RankEntry>,
}

/// Why and when a rank was drained.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Drain {
    /// Seconds since the epoch.
    pub(crate) timestamp: f64,
    pub(crate) reason: String,
}

impl Instance {
    /// All ranks online and empty. Sizes are cut to [`MAX_RANKS`] and [`MAX_IDS`].
    pub fn new(shape: Shape, queues: Vec<Queue>) -> Self {
        let shape = Shape {
            size: shape.size.clamp(1, MAX_RANKS),
            cores: shape.cores.min(MAX_IDS),
            gpus: shape.gpus.min(MAX_IDS),
        };
        let rank = Rank::new(shape);
        Self {
            ranks: (0..shape.size).map(|_| rank.clone()).collect(),
            outcomes: (0..=queues.len()).map(|_| Outcomes::default()).collect(),
            shape,
            queues,
            jobs: BTreeMap::new(),
            drained: BTreeMap::new(),
            stopped: BTreeSet::new(),
            next_job: FIRST_JOB,
            now: 0.0,
            job_log: Log::default(),
            rank_log: Log::default(),
        }
    }

    /// What its ranks are made of.
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// Its queues, in the order of the configuration; none means the anonymous one.
    pub fn queues(&self) -> &[Queue] {
        &self.queues
    }

    /// Says what time it is, in seconds since the epoch.
    pub const fn at(&mut self, now: f64) {
        self.now = now;
    }

    /// Takes a job, and starts it at once where it fits. Without a queue it goes to the first one.
    pub fn submit(
        &mut self,
        need: Need,
        queue: Option<&str>,
        hold: Option<Hold>,
    ) -> Result<JobId, SubmitError> {
        self.submit_limited(need, queue, hold, 0.0)
    }

    /// The same with a time limit in seconds, which is told and not kept; 0 is none.
    pub fn submit_limited(
        &mut self,
        need: Need,
        queue: Option<&str>,
        hold: Option<Hold>,
        limit: f64,
    ) -> Result<JobId, SubmitError> {
        let id = self.take(need, queue, hold, limit)?;
        self.schedule();
        Ok(id)
    }

    /// Takes so many jobs before any of them starts.
    pub fn submit_many(
        &mut self,
        count: usize,
        need: Need,
        queue: Option<&str>,
    ) -> Result<(), SubmitError> {
        let taken = (0..count).try_for_each(|_| self.take(need, queue, None, 0.0).map(drop));
        self.schedule();
        taken
    }

    fn take(
        &mut self,
        need: Need,
        queue: Option<&str>,
        hold: Option<Hold>,
        limit: f64,
    ) -> Result<JobId, SubmitError> {
        let queue = match queue {
            None if self.queues.is_empty() => None,
            None => Some(0),
            Some(name) => {
                let found = self.queues.iter().position(|queue| queue.name == name);
                Some(found.ok_or_else(|| SubmitError::NoSuchQueue(name.to_owned()))?)
            }
        };
        if self.jobs.len() >= MAX_ACTIVE_JOBS {
            return Err(SubmitError::TooMany);
        }
        let id = JobId(self.next_job);
        self.next_job += JOB_STEP;
        let mut job = Job::new(need, queue, hold);
        (job.submitted, job.limit) = (self.now, limit);
        self.jobs.insert(id, job);
        self.note(id, None);
        Ok(id)
    }

    /// Ends what keeps a job in DEPEND, PRIORITY or, as a hold, in SCHED.
    pub fn release(&mut self, id: JobId) {
        if let Some(job) = self.jobs.get_mut(&id) {
            let before = job.state();
            job.release();
            match before {
                State::Sched => self.note_release(id),
                before => self.note(id, Some(before)),
            }
        }
        self.schedule();
    }

    /// Moves a running job to CLEANUP, where it keeps its resources until [`finish`](Self::finish).
    pub fn clean_up(&mut self, id: JobId) {
        if let Some(job) = self.jobs.get_mut(&id) {
            let before = job.state();
            job.clean_up();
            self.note(id, Some(before));
        }
    }

    /// Makes an active job inactive, whatever its state; a job that is not active is left alone.
    pub fn finish(&mut self, job: JobId, outcome: Outcome) {
        self.end(job, outcome);
        self.schedule();
    }

    /// Forgets the inactive jobs, as `flux job purge` does.
    pub fn purge(&mut self) {
        self.outcomes.iter_mut().for_each(Outcomes::purge);
    }

    /// Takes ranks out of use; jobs that run there run on.
    pub fn drain(&mut self, ranks: &Idset, reason: &str, timestamp: f64) {
        for rank in self.known(ranks) {
            let reason = reason.to_owned();
            self.drained.insert(rank, Drain { timestamp, reason });
        }
        self.note_ranks("drain", ranks.clone(), Some(reason));
    }

    /// Puts drained ranks back into use.
    pub fn undrain(&mut self, ranks: &Idset) {
        self.drained.retain(|&rank, _| !ranks.contains(rank));
        self.note_ranks("undrain", ranks.clone(), None);
        self.schedule();
    }

    /// A broker is gone: its jobs fail, its rank stays in R.
    pub fn lose(&mut self, rank: u32) {
        if let Some(rank) = self.rank_mut(rank) {
            rank.online = false;
        }
        self.note_ranks("offline", Idset::range(rank, rank), None);
        let on_it = |job: &Job| job.ranks.contains(rank);
        let lost: Vec<_> =
            self.jobs.iter().filter(|(_, job)| on_it(job)).map(|(&id, _)| id).collect();
        lost.into_iter().for_each(|job| self.end(job, Outcome::Failed));
        self.schedule();
    }

    /// A broker is back.
    pub fn join(&mut self, rank: u32) {
        if let Some(rank) = self.rank_mut(rank) {
            rank.online = true;
        }
        self.note_ranks("online", Idset::range(rank, rank), None);
        self.schedule();
    }

    /// Sets whether a broker is slow to answer its heartbeat: down, but online.
    pub fn set_torpid(&mut self, rank: u32, torpid: bool) {
        if let Some(rank) = self.rank_mut(rank) {
            rank.torpid = torpid;
        }
        let name = if torpid { "torpid" } else { "lively" };
        self.note_ranks(name, Idset::range(rank, rank), None);
        self.schedule();
    }

    /// Sets which ranks the configuration excludes: they appear nowhere but in `resource.status`.
    pub fn exclude(&mut self, ranks: &Idset) {
        for (number, rank) in (0..).zip(&mut self.ranks) {
            rank.excluded = ranks.contains(number);
        }
        self.schedule();
    }

    /// Sets whether the jobs of a queue are scheduled, as `flux queue start` and `stop` do.
    pub fn set_started(&mut self, queue: &str, started: bool) {
        if let Some(index) = self.queues.iter().position(|known| known.name == queue) {
            if started {
                self.stopped.remove(&index);
            } else {
                self.stopped.insert(index);
            }
        }
        self.schedule();
    }

    /// Whether they are.
    pub fn is_started(&self, queue: &str) -> bool {
        let index = self.queues.iter().position(|known| known.name == queue);
        index.is_none_or(|index| !self.stopped.contains(&index))
    }

    /// The state of an active job.
    pub fn state(&self, job: JobId) -> Option<State> {
        self.jobs.get(&job).map(Job::state)
    }

    /// Where an active job runs; empty while it is pending.
    pub fn ranks_of(&self, job: JobId) -> Idset {
        self.jobs.get(&job).map(|job| job.ranks.clone()).unwrap_or_default()
    }

    /// Active jobs in a state, oldest first.
    pub fn jobs_in(&self, state: State) -> impl Iterator<Item = JobId> + '_ {
        self.jobs.iter().filter(move |(_, job)| job.state() == state).map(|(&id, _)| id)
    }

    /// Every active job.
    pub(crate) fn active(&self) -> impl Iterator<Item = JobId> + '_ {
        self.jobs.keys().copied()
    }

    pub(crate) const fn job_log(&self) -> &Log<JobEntry> {
        &self.job_log
    }

    pub(crate) const fn rank_log(&self) -> &Log<RankEntry> {
        &self.rank_log
    }

    /// One more, or one less, follows what happens to jobs, or to ranks.
    pub(crate) const fn followers(&mut self, of_jobs: bool) -> &mut usize {
        if of_jobs { &mut self.job_log.followers } else { &mut self.rank_log.followers }
    }

    pub(crate) const fn drained(&self) -> &BTreeMap<u32, Drain> {
        &self.drained
    }

    /// The ids of last and number of jobs, as `job-manager.stats-get` has them.
    pub(crate) const fn max_jobid(&self) -> u64 {
        if self.next_job == FIRST_JOB { 0 } else { self.next_job - JOB_STEP }
    }

    /// The cores and gpus of each rank that some job has.
    pub fn allocated(&self) -> impl Iterator<Item = (u32, Idset, Idset)> + '_ {
        let taken = |ids: &[Option<JobId>]| -> Idset {
            (0..).zip(ids).filter(|(_, job)| job.is_some()).map(|(id, _)| id).collect()
        };
        (0..)
            .zip(&self.ranks)
            .map(move |(number, rank)| (number, taken(&rank.cores), taken(&rank.gpus)))
            .filter(|(_, cores, gpus)| !cores.is_empty() || !gpus.is_empty())
    }

    fn rank_mut(&mut self, rank: u32) -> Option<&mut Rank> {
        self.ranks.get_mut(usize::try_from(rank).ok()?)
    }

    fn known(&self, ranks: &Idset) -> Vec<u32> {
        (0..self.shape.size).filter(|&rank| ranks.contains(rank)).collect()
    }

    fn is_up(&self, number: u32, rank: &Rank) -> bool {
        rank.online && !rank.torpid && !self.drained.contains_key(&number)
    }

    fn end(&mut self, id: JobId, outcome: Outcome) {
        self.note_end(id, outcome.exception());
        let Some(job) = self.jobs.remove(&id) else {
            return;
        };
        for rank in job.ranks.iter() {
            if let Some(rank) = self.rank_mut(rank) {
                let ids = rank.cores.iter_mut().chain(&mut rank.gpus);
                ids.filter(|owner| **owner == Some(id)).for_each(|owner| *owner = None);
            }
        }
        let queue = job.queue.unwrap_or(self.queues.len());
        if let Some(outcomes) = self.outcomes.get_mut(queue) {
            outcomes.count(outcome);
        }
    }
}

/// Job ids of Flux are large and sparse: they hold the time of submission.
const FIRST_JOB: u64 = 33_252_442_112;
const JOB_STEP: u64 = 50_331_648;

#[cfg(test)]
mod tests;
