//! `job-list.job-stats`: jobs by state and outcome.

use std::sync::Arc;

use serde::Deserialize;

use super::{Unreadable, put, queue_label, too_many_queues};
use crate::state::{Key, Reading, Values};

/// Reads one answer, of a stream or not.
pub fn read(json: &[u8]) -> Result<Reading, Unreadable> {
    let stats: Stats = serde_json::from_slice(json)?;
    let mut values = Values::new();
    // Flux counts a job from DEPEND on: nobody ever sees one in NEW.
    values.insert(Key::instance("job_queue_state_new_count"), 0.0);
    stats.counts.put(&mut values, None);

    let queues = stats.queues.unwrap_or_default();
    let mut missing = too_many_queues(queues.len());
    if missing.is_none() {
        for queue in queues {
            match queue_label(&queue.name) {
                Ok(name) => queue.counts.put(&mut values, Some(&name)),
                Err(reason) => missing = Some(reason),
            }
        }
    }
    Ok(Reading { values, missing })
}

/// Keys that a version does not know are absent, and so are their metrics.
#[derive(Deserialize)]
struct Stats {
    #[serde(flatten)]
    counts: Counts,
    /// Since 0.45; empty until a queue has had a job before 0.59.
    queues: Option<Vec<Queue>>,
}

#[derive(Deserialize)]
struct Queue {
    name: String,
    #[serde(flatten)]
    counts: Counts,
}

#[derive(Deserialize)]
struct Counts {
    job_states: States,
    /// Since 0.45.
    successful: Option<u64>,
    failed: Option<u64>,
    canceled: Option<u64>,
    timeout: Option<u64>,
}

#[derive(Deserialize)]
struct States {
    depend: Option<u64>,
    priority: Option<u64>,
    sched: Option<u64>,
    run: Option<u64>,
    cleanup: Option<u64>,
    inactive: Option<u64>,
}

impl Counts {
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
