//! `job-list.job-stats`: jobs by state and outcome.

use std::sync::Arc;

use serde::Deserialize;

use super::{Unreadable, count, put, queue_label, too_many_queues};
use crate::{
    journal::{Jobs, Numbers},
    state::{Key, Reading, Values},
};

/// One answer. Keys that a version does not know are absent, and so are their metrics.
#[derive(Debug, Deserialize)]
pub struct Stats {
    #[serde(flatten)]
    counts: Counts,
    /// Since 0.45; empty until a queue has had a job before 0.59.
    queues: Option<Vec<Queue>>,
}

impl Stats {
    /// Reads one answer, of a stream or not.
    pub fn read(json: &[u8]) -> Result<Self, Unreadable> {
        Ok(serde_json::from_slice(json)?)
    }

    /// The values. Of active jobs they are the journal's where there is one, which job-list is a moment
    /// behind; it was found wrong so many times.
    pub fn reading(&self, journal: Option<&Jobs>, disagreements: u64) -> Reading {
        let mut values = Values::new();
        // Flux counts a job from DEPEND on: nobody ever sees one in NEW.
        values.insert(Key::instance("job_queue_state_new_count"), 0.0);
        values.insert(Key::instance("journal_disagreements_total"), count(disagreements));
        let numbers = journal.map(Jobs::numbers);
        self.counts.corrected(numbers).put(&mut values, None);

        let queues = self.queues.as_deref().unwrap_or_default();
        let mut missing = too_many_queues(queues.len());
        if missing.is_none() {
            for Queue { name, counts } in queues {
                let numbers = journal.map(|jobs| jobs.queues().get(name.as_str()).copied());
                let numbers = numbers.map(Option::unwrap_or_default);
                match queue_label(name) {
                    Ok(name) => counts.corrected(numbers.as_ref()).put(&mut values, Some(&name)),
                    Err(reason) => missing = Some(reason),
                }
            }
        }
        Reading { values, missing }
    }

    /// What the journal counts otherwise, of jobs that are active.
    pub fn difference(&self, journal: &Jobs) -> Option<String> {
        let (own, other) = (&self.counts.job_states, journal.numbers());
        let States { depend, priority, sched, run, cleanup, .. } = *own;
        let pairs = [
            ("depend", depend, other.depend),
            ("priority", priority, other.priority),
            ("sched", sched, other.sched),
            ("run", run, other.run),
            ("cleanup", cleanup, other.cleanup),
        ];
        let differs = pairs.iter().find(|(_, own, other)| own.is_some_and(|own| own != *other));
        differs.map(|(state, own, other)| {
            format!("{} jobs in {state}, and {other} by the journal", own.unwrap_or_default())
        })
    }
}

#[derive(Debug, Deserialize)]
struct Queue {
    name: String,
    #[serde(flatten)]
    counts: Counts,
}

#[derive(Clone, Debug, Deserialize)]
struct Counts {
    job_states: States,
    /// Since 0.45.
    successful: Option<u64>,
    failed: Option<u64>,
    canceled: Option<u64>,
    timeout: Option<u64>,
    /// Since 0.46.
    inactive_purged: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
struct States {
    depend: Option<u64>,
    priority: Option<u64>,
    sched: Option<u64>,
    run: Option<u64>,
    cleanup: Option<u64>,
    inactive: Option<u64>,
}

impl States {
    fn pending(&self) -> Option<u64> {
        Some(self.depend? + self.priority? + self.sched?)
    }

    fn running(&self) -> Option<u64> {
        Some(self.run? + self.cleanup?)
    }
}

impl Counts {
    /// The same with these numbers of active jobs, where there are any.
    fn corrected(&self, numbers: Option<&Numbers>) -> Self {
        let Some(numbers) = numbers else { return self.clone() };
        let job_states = States {
            depend: Some(numbers.depend),
            priority: Some(numbers.priority),
            sched: Some(numbers.sched),
            run: Some(numbers.run),
            cleanup: Some(numbers.cleanup),
            inactive: self.job_states.inactive,
        };
        Self { job_states, ..self.clone() }
    }

    fn put(&self, values: &mut Values, queue: Option<&Arc<str>>) {
        let states = &self.job_states;
        for (metric, value) in [
            ("job_queue_state_depend_count", states.depend),
            ("job_queue_state_priority_count", states.priority),
            ("job_queue_state_sched_count", states.sched),
            ("job_queue_state_run_count", states.run),
            ("job_queue_state_cleanup_count", states.cleanup),
            ("job_queue_state_inactive_count", states.inactive),
            ("job_successful_count", self.successful),
            ("job_failed_count", self.failed_alone()),
            ("job_canceled_count", self.canceled),
            ("job_timeout_count", self.timeout),
            ("job_inactive_purged_count", self.inactive_purged),
            ("job_pending_count", states.pending()),
            ("job_running_count", states.running()),
            ("job_active_count", states.pending().zip(states.running()).map(|(a, b)| a + b)),
        ] {
            put(values, Key::of(metric, queue), value);
        }
    }

    /// Failed jobs that were neither canceled nor timed out. Before 0.50 `failed` included those,
    /// which the numbers themselves tell, whatever a distribution calls its version: each inactive
    /// job is counted once under one rule, and under the other rule once too often. Before 0.45
    /// there is no `successful` to tell by, and the old rule.
    fn failed_alone(&self) -> Option<u64> {
        let (failed, canceled, timeout) = (self.failed?, self.canceled?, self.timeout?);
        let included = match (self.successful, self.job_states.inactive) {
            (Some(successful), Some(inactive)) => successful.checked_add(failed)? == inactive,
            _ => true,
        };
        if included { failed.checked_sub(canceled)?.checked_sub(timeout) } else { Some(failed) }
    }
}

#[cfg(test)]
mod tests;
