//! Who runs, and where: first fit, a few jobs ahead.

use flux_client::Idset;

use super::{Instance, JobId, LOOK_AHEAD, Need, State};

impl Instance {
    /// Starts what fits: oldest first, on the lowest ranks, a queue's next jobs tried behind one
    /// that has to wait.
    pub(super) fn schedule(&mut self) {
        let mut failed: Vec<usize> = self.outcomes.iter().map(|_| 0).collect();
        let ready: Vec<JobId> =
            self.jobs.iter().filter(|(_, job)| job.is_ready()).map(|(&id, _)| id).collect();
        for id in ready {
            let Some((need, queue)) = self.jobs.get(&id).map(|job| (job.need, job.queue)) else {
                continue;
            };
            let Some(failed) = failed.get_mut(queue.unwrap_or(self.queues.len())) else {
                continue;
            };
            let stopped = queue.is_some_and(|queue| self.stopped.contains(&queue));
            if stopped || *failed >= LOOK_AHEAD {
                continue;
            }
            match self.place(id, need, queue) {
                Some(ranks) => {
                    if let Some(job) = self.jobs.get_mut(&id) {
                        job.start(ranks);
                    }
                    self.note(id, Some(State::Sched));
                }
                None => *failed += 1,
            }
        }
    }

    /// Allocates all that a job needs, or nothing.
    fn place(&mut self, id: JobId, need: Need, queue: Option<usize>) -> Option<Idset> {
        let eligible = queue.and_then(|queue| self.queues.get(queue)?.ranks.as_ref());
        let mut wanted = need.slots();
        let mut plan = Vec::new();
        for (number, rank) in (0..).zip(&self.ranks) {
            if wanted == 0 {
                break;
            }
            let usable = !rank.excluded && self.is_up(number, rank);
            if usable && eligible.is_none_or(|ranks| ranks.contains(number)) {
                let slots = rank.slots(need).min(wanted);
                wanted -= slots;
                if slots > 0 {
                    plan.push((number, slots));
                }
            }
        }
        if wanted > 0 {
            return None;
        }
        for &(number, slots) in &plan {
            if let Some(rank) = self.rank_mut(number) {
                rank.allocate(id, need, slots);
            }
        }
        Some(plan.into_iter().map(|(number, _)| number).collect())
    }
}
