//! `job-list.list`, `job-list.job-stats` and `job-info.lookup`: which jobs wait, and for what.

use std::sync::Arc;

use flux_demand::{Job, Jobspec, Request};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Unreadable;

/// RFC 21's bit of the state SCHED in requests of job-list.
const SCHED: u32 = 8;

/// What is asked of `job-list.list`: the jobs that wait for resources, in the order of the queue, and
/// one more than `most`, so that it shows when there are more. Older brokers filter by `states`,
/// newer ones by `constraint`; `userid` is everybody.
pub fn request(most: usize) -> Value {
    json!({
        "max_entries": most.saturating_add(1),
        "attrs": ["priority", "t_submit", "nnodes", "ntasks", "ncores", "duration", "queue"],
        "since": 0.0,
        "userid": u32::MAX,
        "states": SCHED,
        "results": 0,
        "constraint": { "and": [{ "states": [SCHED] }] },
    })
}

/// How many jobs there are, by `job-list.job-stats`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// Jobs that are not inactive.
    pub active: u64,
    /// Those in SCHED.
    pub sched: u64,
}

impl Numbers {
    /// Reads one answer.
    pub fn read(json: &[u8]) -> Result<Self, Unreadable> {
        #[derive(Deserialize)]
        struct Stats {
            job_states: States,
        }
        #[derive(Deserialize)]
        struct States {
            sched: u64,
            inactive: u64,
            total: u64,
        }
        let Stats { job_states: States { sched, inactive, total } } = serde_json::from_slice(json)?;
        Ok(Self { active: total.saturating_sub(inactive), sched })
    }
}

/// A job in the list.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Its id.
    pub id: u64,
    /// What the list tells of it.
    pub job: Job,
}

/// Reads one answer of `job-list.list`.
pub fn read(json: &[u8]) -> Result<Vec<Listed>, Unreadable> {
    #[derive(Deserialize)]
    struct List {
        jobs: Vec<Entry>,
    }
    /// Keys that do not apply to a job are absent.
    #[derive(Deserialize)]
    struct Entry {
        id: u64,
        priority: Option<u64>,
        t_submit: Option<f64>,
        nnodes: Option<u32>,
        ntasks: Option<u32>,
        ncores: Option<u32>,
        duration: Option<f64>,
        queue: Option<String>,
    }
    let List { jobs } = serde_json::from_slice(json)?;
    // Jobs of one queue share its name.
    let mut names: Vec<Arc<str>> = Vec::new();
    let mut shared = |name: String| match names.iter().find(|known| ***known == *name) {
        Some(known) => Arc::clone(known),
        None => {
            let name: Arc<str> = name.into();
            names.push(Arc::clone(&name));
            name
        }
    };
    let listed = jobs.into_iter().map(|entry| Listed {
        id: entry.id,
        job: Job {
            request: Request::from_counts(entry.nnodes, entry.ncores, entry.ntasks),
            constraint: None,
            queue: entry.queue.map(&mut shared),
            held: entry.priority == Some(0),
            submitted: entry.t_submit.unwrap_or(f64::INFINITY),
            duration: entry.duration.unwrap_or_default(),
        },
    });
    Ok(listed.collect())
}

/// Reads one answer of `job-info.lookup`; `None` if the size of the job cannot be told from it.
pub fn read_jobspec(json: &[u8]) -> Option<Jobspec> {
    #[derive(Deserialize)]
    struct Lookup {
        jobspec: String,
    }
    let Lookup { jobspec } = serde_json::from_slice(json).ok()?;
    Jobspec::from_json(jobspec.as_bytes()).ok()
}

#[cfg(test)]
mod tests;
