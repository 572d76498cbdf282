//! A job from submission until it is inactive. Afterwards only a count remains of it.

use std::fmt;

use flux_client::Idset;

/// A job's id, as Flux numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a job asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Whole nodes, exclusively: `flux submit -N2 -x`.
    Nodes(u32),
    /// Slots that share nodes: `flux submit -n4 -c2 -g1`.
    Slots {
        /// How many.
        count: u32,
        /// Cores of each.
        cores: u32,
        /// Gpus of each.
        gpus: u32,
    },
}

impl Need {
    /// This many single cores.
    pub const fn cores(count: u32) -> Self {
        Self::Slots { count, cores: 1, gpus: 0 }
    }

    pub(super) const fn slots(self) -> u32 {
        match self {
            Self::Nodes(count) | Self::Slots { count, .. } => count,
        }
    }
}

/// What keeps a job from being scheduled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// A dependency: it stays in DEPEND.
    Dependency,
    /// The priority plugin has not spoken: it stays in PRIORITY.
    Priority,
    /// Urgency 0: it stays in SCHED.
    Urgency,
}

/// The states of RFC 21 that last: NEW is over before anyone can see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Waits for a dependency.
    Depend,
    /// Waits for its priority.
    Priority,
    /// Waits for resources.
    Sched,
    /// Runs.
    Run,
    /// Has run, and still has its resources.
    Cleanup,
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With status 0.
    Successful,
    /// With another status, or because its node was lost.
    Failed,
    /// By `flux cancel`.
    Canceled,
    /// Over its time limit.
    Timeout,
}

impl Outcome {
    /// The exception that ended the job, where one did.
    pub(super) const fn exception(self) -> Option<&'static str> {
        match self {
            Self::Successful | Self::Failed => None,
            Self::Canceled => Some("cancel"),
            Self::Timeout => Some("timeout"),
        }
    }
}

/// An active job.
#[derive(Clone, Debug)]
pub struct Job {
    pub(super) need: Need,
    /// Index into the instance's queues.
    pub(super) queue: Option<usize>,
    /// Empty while it is pending.
    pub(super) ranks: Idset,
    /// Seconds since the epoch.
    pub(super) submitted: f64,
    /// Seconds that it may run; 0 is for ever.
    pub(super) limit: f64,
    state: State,
    held: bool,
}

impl Job {
    pub(super) fn new(need: Need, queue: Option<usize>, hold: Option<Hold>) -> Self {
        let state = match hold {
            Some(Hold::Dependency) => State::Depend,
            Some(Hold::Priority) => State::Priority,
            Some(Hold::Urgency) | None => State::Sched,
        };
        let held = hold.is_some();
        Self { need, queue, ranks: Idset::new(), submitted: 0.0, limit: 0.0, state, held }
    }

    pub(super) const fn state(&self) -> State {
        self.state
    }

    pub(super) const fn is_held(&self) -> bool {
        self.held
    }

    pub(super) fn is_ready(&self) -> bool {
        self.state == State::Sched && !self.held
    }

    pub(super) const fn release(&mut self) {
        self.held = false;
        if let State::Depend | State::Priority = self.state {
            self.state = State::Sched;
        }
    }

    pub(super) fn start(&mut self, ranks: Idset) {
        self.ranks = ranks;
        self.state = State::Run;
    }

    pub(super) const fn clean_up(&mut self) {
        if let State::Run = self.state {
            self.state = State::Cleanup;
        }
    }
}
