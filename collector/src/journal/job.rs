//! One job: its state, and what an event makes of it.

use std::{collections::BTreeMap, sync::Arc};

use flux_client::ResourceSet;
use flux_demand::{Constraint, Request, Spec};
use serde::Deserialize;
use serde_json::Value;

use super::message::{Allocation, Event};

/// The states of RFC 21 in which a job is active.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Not validated yet: Flux counts it nowhere.
    #[default]
    New,
    /// Waits for a dependency.
    Depend,
    /// Waits for a priority.
    Priority,
    /// Waits for resources.
    Sched,
    /// Runs.
    Run,
    /// Has ended, and may still hold resources.
    Cleanup,
}

/// An active job.
#[derive(Debug, Default)]
pub(super) struct Job {
    pub(super) state: State,
    /// 0 is held.
    pub(super) priority: u64,
    /// Seconds since the epoch.
    pub(super) submitted: f64,
    /// Seconds that it may run; 0 is for ever.
    pub(super) duration: f64,
    pub(super) queue: Option<Arc<str>>,
    /// `None` where its size cannot be told.
    pub(super) request: Option<Request>,
    pub(super) constraint: Option<Arc<Constraint>>,
    /// What it holds, until `free`.
    pub(super) holds: Option<Box<Allocation>>,
    /// Its resources are none of the scheduler's.
    bypasses: bool,
}

/// What an event makes of a job, beside its state.
#[derive(Debug)]
pub(super) enum Effect {
    /// Nothing.
    None,
    /// It holds resources.
    Holds,
    /// It holds them no longer.
    Frees(Box<Allocation>),
    /// It has ended.
    Ends,
    /// It was never there: it did not pass the validation.
    Vanishes,
}

impl Job {
    /// What it holds, if it holds anything.
    pub(super) fn resources(&self) -> Option<&ResourceSet> {
        self.holds.as_ref().map(|holds| &holds.resources)
    }

    /// Takes what its jobspec says, but for the queue.
    pub(super) fn specify(&mut self, spec: &Spec) {
        self.duration = spec.duration();
        if let Ok(jobspec) = spec.jobspec() {
            self.request = Some(jobspec.request);
            self.constraint = jobspec.constraint;
        }
    }

    /// Takes one event. As `event_job_update` of job-manager does; what is unknown changes nothing.
    pub(super) fn take(&mut self, event: &Event<'_>, allocation: Option<&Allocation>) -> Effect {
        match (&*event.name, self.state) {
            ("submit", _) => self.submitted = event.timestamp,
            ("validate", State::New) => self.state = State::Depend,
            ("invalidate", _) => return Effect::Vanishes,
            ("depend", State::Depend) => self.state = State::Priority,
            ("priority", State::Priority | State::Sched) => {
                self.priority = event.context().map_or(self.priority, |Priority { priority }| {
                    u64::try_from(priority).unwrap_or_default()
                });
                self.state = State::Sched;
            }
            // The priority is to be found anew.
            ("urgency" | "flux-restart", State::Sched) => self.state = State::Priority,
            ("jobspec-update", state) => {
                self.update(event.context().unwrap_or_default());
                if state == State::Sched {
                    self.state = State::Priority;
                }
            }
            ("set-flags", _) => {
                let Flags { flags } = event.context().unwrap_or_default();
                self.bypasses |= flags.iter().any(|flag| flag == "alloc-bypass");
            }
            ("alloc", state) => {
                if state == State::Sched {
                    self.state = State::Run;
                }
                if let Some(allocation) = allocation.filter(|_| !self.bypasses) {
                    self.holds = Some(Box::new(allocation.clone()));
                    return Effect::Holds;
                }
            }
            ("resource-update", _) => {
                if let (Some(holds), Some(Expiration { expiration })) =
                    (&mut self.holds, event.context())
                {
                    holds.expiration = expiration;
                }
            }
            ("free", _) => return self.holds.take().map_or(Effect::None, Effect::Frees),
            ("finish", State::Run) => self.state = State::Cleanup,
            ("exception", state) if state != State::New => {
                if let Some(Exception { severity: 0 }) = event.context() {
                    self.state = State::Cleanup;
                }
            }
            ("clean", State::Cleanup) => return Effect::Ends,
            _ => {}
        }
        Effect::None
    }

    /// Takes changes of the jobspec, by the dotted names of what changes; the queue is the caller's.
    fn update(&mut self, changes: BTreeMap<String, Value>) {
        for (name, value) in changes {
            match name.as_str() {
                "attributes.system.duration" => {
                    self.duration = value.as_f64().unwrap_or(self.duration);
                }
                "attributes.system.constraints" => match Constraint::parse(&value) {
                    Ok(constraint) => self.constraint = Some(Arc::new(constraint)),
                    Err(_) => self.request = None,
                },
                // Another size, of which only a part is told.
                name if name.starts_with("resources") => self.request = None,
                _ => {}
            }
        }
    }
}

/// The queue that an event moves a job to.
pub(super) fn new_queue(event: &Event<'_>) -> Option<String> {
    #[derive(Deserialize)]
    struct Change {
        #[serde(rename = "attributes.system.queue")]
        queue: Option<String>,
    }
    (event.name == "jobspec-update").then(|| event.context::<Change>()?.queue)?
}

#[derive(Deserialize)]
struct Priority {
    priority: i64,
}

#[derive(Default, Deserialize)]
struct Flags {
    flags: Vec<String>,
}

#[derive(Deserialize)]
struct Expiration {
    expiration: f64,
}

#[derive(Deserialize)]
struct Exception {
    severity: i64,
}
