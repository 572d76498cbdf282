//! What happens to jobs and ranks, event by event, for those who follow it.

use std::collections::VecDeque;

use flux_client::Idset;

use super::{Instance, Job, JobId, Listed, State};

/// Events that are kept for those who follow; who falls behind further loses the stream.
pub(crate) const MAX_EVENTS: usize = 256 * 1024;

/// An event of RFC 21, as far as this model has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobEvent {
    Submit,
    Validate,
    Depend,
    /// With the priority.
    Priority(u32),
    /// With the new urgency.
    Urgency(u32),
    Alloc,
    Start,
    Finish,
    /// It was canceled, or its time is over.
    Exception(&'static str),
    Release,
    Free,
    Clean,
}

/// An event of a job.
#[derive(Clone, Debug)]
pub(crate) struct JobEntry {
    pub(crate) id: JobId,
    /// Seconds since the epoch.
    pub(crate) at: f64,
    pub(crate) event: JobEvent,
    /// The job, where more is told of it: with `submit` and `alloc`.
    pub(crate) job: Option<Box<Listed>>,
    /// With `alloc`: the cores and gpus of each rank.
    pub(crate) got: Vec<(u32, Idset, Idset)>,
}

/// An event of ranks: its name, and the reason of a drain.
#[derive(Clone, Debug)]
pub(crate) struct RankEntry {
    pub(crate) at: f64,
    pub(crate) name: &'static str,
    pub(crate) ranks: Idset,
    pub(crate) reason: Option<String>,
}

/// The newest entries, numbered from 0.
#[derive(Clone, Debug)]
pub(crate) struct Log<T> {
    entries: VecDeque<T>,
    /// The number of the first one that is kept.
    first: u64,
    /// Who follows: nothing is kept for nobody.
    pub(crate) followers: usize,
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self { entries: VecDeque::new(), first: 0, followers: 0 }
    }
}

impl<T> Log<T> {
    fn push(&mut self, entry: impl FnOnce() -> T) {
        if self.followers == 0 {
            self.first += self.entries.len() as u64;
            self.entries = VecDeque::new();
            return;
        }
        if self.entries.len() >= MAX_EVENTS {
            self.entries.pop_front();
            self.first += 1;
        }
        self.entries.push_back(entry());
    }

    /// The number of the next entry.
    pub(crate) fn next(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// An entry; an error where it is kept no longer.
    pub(crate) fn get(&self, number: u64) -> Result<Option<&T>, Lost> {
        let index = number.checked_sub(self.first).ok_or(Lost)?;
        Ok(usize::try_from(index).ok().and_then(|index| self.entries.get(index)))
    }
}

/// Entries between two others are gone.
#[derive(Debug)]
pub(crate) struct Lost;

/// What leads to a state, in order; the priority is filled in.
const LIFE: [JobEvent; 7] = [
    JobEvent::Submit,
    JobEvent::Validate,
    JobEvent::Depend,
    JobEvent::Priority(0),
    JobEvent::Alloc,
    JobEvent::Start,
    JobEvent::Finish,
];

/// How many events of [`LIFE`] lead to a state.
const fn steps(state: State) -> usize {
    match state {
        State::Depend => 2,
        State::Priority => 3,
        State::Sched => 4,
        State::Run => 6,
        State::Cleanup => 7,
    }
}

impl Instance {
    /// All that has happened to an active job.
    pub(crate) fn history(&self, id: JobId) -> Vec<JobEntry> {
        let Some(job) = self.jobs.get(&id) else { return Vec::new() };
        let events = LIFE.into_iter().take(steps(job.state()));
        events.map(|event| self.entry(id, job, event)).collect()
    }

    /// Notes what brought a job from one state to the one that it is in.
    pub(super) fn note(&mut self, id: JobId, before: Option<State>) {
        let Some(after) = self.jobs.get(&id).map(Job::state) else { return };
        for event in LIFE.into_iter().take(steps(after)).skip(before.map_or(0, steps)) {
            self.note_event(id, event);
        }
    }

    /// Notes that a hold by urgency has ended.
    pub(super) fn note_release(&mut self, id: JobId) {
        let urgency = self.listed(id).map_or(0, |job| job.urgency);
        self.note_event(id, JobEvent::Urgency(urgency));
        self.note_event(id, JobEvent::Priority(urgency));
    }

    /// Notes how a job ends, which is still there.
    pub(super) fn note_end(&mut self, id: JobId, exception: Option<&'static str>) {
        let Some(job) = self.jobs.get(&id) else { return };
        let (state, ran) = (job.state(), !job.ranks.is_empty());
        if let Some(kind) = exception.or(if ran { None } else { Some("cancel") }) {
            self.note_event(id, JobEvent::Exception(kind));
        }
        if state == State::Run {
            self.note_event(id, JobEvent::Finish);
        }
        if ran {
            self.note_event(id, JobEvent::Release);
            self.note_event(id, JobEvent::Free);
        }
        self.note_event(id, JobEvent::Clean);
    }

    /// Notes what happens to ranks.
    pub(super) fn note_ranks(&mut self, name: &'static str, ranks: Idset, reason: Option<&str>) {
        if ranks.is_empty() {
            return;
        }
        let (at, reason) = (self.now, reason.map(str::to_owned));
        self.rank_log.push(|| RankEntry { at, name, ranks, reason });
    }

    fn note_event(&mut self, id: JobId, event: JobEvent) {
        if self.job_log.followers == 0 {
            return;
        }
        let Some(job) = self.jobs.get(&id) else { return };
        let entry = JobEntry { at: self.now, ..self.entry(id, job, event) };
        self.job_log.push(|| entry);
    }

    fn entry(&self, id: JobId, job: &Job, event: JobEvent) -> JobEntry {
        let listed = || self.listed(id).map(Box::new);
        let urgency = || self.listed(id).map_or(0, |job| job.urgency);
        let (event, job_of, got) = match event {
            JobEvent::Submit => (event, listed(), Vec::new()),
            JobEvent::Alloc => (event, listed(), self.got(id, job)),
            JobEvent::Priority(0) => (JobEvent::Priority(urgency()), None, Vec::new()),
            event => (event, None, Vec::new()),
        };
        JobEntry { id, at: job.submitted, event, job: job_of, got }
    }

    /// The cores and gpus that a job has.
    fn got(&self, id: JobId, job: &Job) -> Vec<(u32, Idset, Idset)> {
        let own = |ids: &[Option<JobId>]| -> Idset {
            (0..).zip(ids).filter(|(_, owner)| **owner == Some(id)).map(|(n, _)| n).collect()
        };
        let ranks = job.ranks.iter().filter_map(|number| {
            let rank = self.ranks.get(usize::try_from(number).ok()?)?;
            Some((number, own(&rank.cores), own(&rank.gpus)))
        });
        ranks.collect()
    }
}
