//! The jobs of an instance, one by one, in the order in which job-list has them.

use std::{cmp::Reverse, collections::BTreeMap};

use flux_client::Idset;

use super::{Instance, Job, JobId, LOOK_AHEAD, Need, State};

/// An active job, as others see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Its id.
    pub id: JobId,
    /// What it asks for.
    pub need: Need,
    /// The name of its queue.
    pub queue: Option<String>,
    /// Its state.
    pub state: State,
    /// Its urgency, which is also its priority: 0 is held.
    pub urgency: u32,
    /// When it was submitted, in seconds since the epoch.
    pub submitted: f64,
    /// Seconds that it may run; 0 is for ever.
    pub limit: f64,
    /// Where it runs.
    pub ranks: Idset,
}

/// The urgency of a job that nobody holds.
const URGENCY: u32 = 16;

impl Instance {
    /// The active jobs: pending ones in the order of the queue, then the others.
    pub fn list(&self) -> Vec<Listed> {
        let mut jobs: Vec<_> = self.jobs.keys().filter_map(|id| self.listed(*id)).collect();
        jobs.sort_by_key(|job| {
            let pending = matches!(job.state, State::Depend | State::Priority | State::Sched);
            (!pending, Reverse(job.urgency))
        });
        jobs
    }

    /// Jobs that the scheduler has not been asked to place yet, and those that it has: the first
    /// [`LOOK_AHEAD`] of each queue.
    pub fn asked_for(&self) -> (usize, usize) {
        let mut of_queue = BTreeMap::new();
        let stopped = |job: &Job| job.queue.is_some_and(|queue| self.stopped.contains(&queue));
        for job in self.jobs.values().filter(|job| job.is_ready() && !stopped(job)) {
            *of_queue.entry(job.queue).or_insert(0_usize) += 1;
        }
        let asked = of_queue.values().map(|jobs| (*jobs).min(LOOK_AHEAD)).sum();
        (of_queue.values().sum::<usize>() - asked, asked)
    }

    /// An active job.
    pub fn listed(&self, id: JobId) -> Option<Listed> {
        let job = self.jobs.get(&id)?;
        let queue = job.queue.and_then(|queue| self.queues.get(queue));
        let held = job.state() == State::Sched && job.is_held();
        Some(Listed {
            id,
            need: job.need,
            queue: queue.map(|queue| queue.name.clone()),
            state: job.state(),
            urgency: if held { 0 } else { URGENCY },
            submitted: job.submitted,
            limit: job.limit,
            ranks: job.ranks.clone(),
        })
    }
}
