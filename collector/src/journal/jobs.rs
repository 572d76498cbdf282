//! All active jobs, and what they sum up to.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use flux_client::ResourceSet;

use super::{
    job::{Effect, Job, State, new_queue},
    message::{JobEvents, Unusable},
};

/// Names of queues that are kept although no job is in them any more.
const MAX_IDLE_QUEUES: usize = 256;

/// Active jobs that are kept; at 400 bytes each 26 MB. With more the lists of jobs have to do.
pub const MAX_ACTIVE_JOBS: usize = 64 * 1024;

/// The active jobs of an instance.
#[derive(Debug, Default)]
pub struct Jobs {
    jobs: BTreeMap<u64, Job>,
    /// Those in SCHED, in the order of the queue.
    waiting: BTreeSet<(Reverse<u64>, u64)>,
    numbers: Numbers,
    /// Of each queue that has had a job.
    queues: BTreeMap<Arc<str>, Numbers>,
    allocated: ResourceSet,
    /// How often that has changed.
    allocations: u64,
    /// Jobs that were submitted and that ended since the backlog.
    flow: Flow,
}

/// Jobs by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// In DEPEND.
    pub depend: u64,
    /// In PRIORITY.
    pub priority: u64,
    /// In SCHED.
    pub sched: u64,
    /// In RUN.
    pub run: u64,
    /// In CLEANUP.
    pub cleanup: u64,
}

/// Jobs that came and went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// Passed the validation.
    pub submitted: u64,
    /// Became inactive.
    pub ended: u64,
}

/// Where a job counts.
#[derive(Clone, PartialEq)]
struct Place {
    state: State,
    priority: u64,
    queue: Option<Arc<str>>,
}

impl Jobs {
    /// Takes the events of one job.
    ///
    /// # Errors
    ///
    /// When there are more jobs than are kept.
    pub fn take(&mut self, message: &JobEvents<'_>) -> Result<(), Unusable> {
        let id = message.id;
        if !self.jobs.contains_key(&id) {
            // All that is said of a job that was not submitted is about one that has ended.
            if !message.events.iter().any(|event| event.name == "submit") {
                return Ok(());
            }
            if self.jobs.len() >= MAX_ACTIVE_JOBS {
                return Err(Unusable::TooMany);
            }
        }
        let known = self.jobs.entry(id).or_default();
        let before = Place::of(known);
        if let Some(spec) = &message.spec {
            known.specify(spec);
            known.queue = spec.queue().map(|name| shared(&mut self.queues, name));
        }
        let mut gone = false;
        for event in &message.events {
            match known.take(event, message.allocation.as_ref()) {
                Effect::None => {}
                Effect::Holds => {
                    known.resources().into_iter().for_each(|held| self.allocated.add(held));
                    self.allocations += 1;
                }
                Effect::Frees(allocation) => {
                    self.allocated.remove(&allocation.resources);
                    self.allocations += 1;
                }
                Effect::Ends => {
                    self.flow.ended += 1;
                    gone = true;
                }
                Effect::Vanishes => gone = true,
            }
            if let Some(name) = new_queue(event) {
                known.queue = Some(shared(&mut self.queues, &name));
            }
        }
        let after = Place::of(known);
        self.flow.submitted += u64::from(before.state == State::New && after.state != State::New);
        if gone && let Some(left) = self.jobs.remove(&id) {
            // It should have freed what it held.
            left.resources().into_iter().for_each(|held| self.allocated.remove(held));
        }
        self.move_job(id, &before, (!gone).then_some(&after));
        Ok(())
    }

    fn move_job(&mut self, id: u64, before: &Place, after: Option<&Place>) {
        if after == Some(before) {
            return;
        }
        self.count(before, |number| *number = number.saturating_sub(1));
        if before.state == State::Sched {
            self.waiting.remove(&(Reverse(before.priority), id));
        }
        let Some(after) = after else { return };
        self.count(after, |number| *number += 1);
        if after.state == State::Sched {
            self.waiting.insert((Reverse(after.priority), id));
        }
    }

    fn count(&mut self, place: &Place, change: impl Fn(&mut u64)) {
        let queue = place.queue.as_ref().and_then(|queue| self.queues.get_mut(queue));
        for numbers in [Some(&mut self.numbers), queue].into_iter().flatten() {
            if let Some(number) = numbers.of(place.state) {
                change(number);
            }
        }
    }

    /// How many there are by state.
    pub const fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    /// The same of each queue that has had a job.
    pub const fn queues(&self) -> &BTreeMap<Arc<str>, Numbers> {
        &self.queues
    }

    /// What they hold.
    pub const fn allocated(&self) -> &ResourceSet {
        &self.allocated
    }

    /// A number that is another one whenever they hold something else.
    pub const fn allocations(&self) -> u64 {
        self.allocations
    }

    /// Jobs that came and went.
    pub const fn flow(&self) -> Flow {
        self.flow
    }

    /// The jobs that wait for resources, in the order of the queue.
    pub fn waiting(&self) -> Vec<flux_demand::Job> {
        let jobs = self.waiting.iter().filter_map(|(_, id)| self.jobs.get(id));
        jobs.map(|job| flux_demand::Job {
            request: job.request,
            constraint: job.constraint.clone(),
            queue: job.queue.clone(),
            held: job.priority == 0,
            submitted: job.submitted,
            duration: job.duration,
        })
        .collect()
    }

    /// Jobs that hold resources until a known time: how many nodes, and when.
    pub fn ends(&self) -> impl Iterator<Item = (Option<&Arc<str>>, usize, f64)> {
        self.jobs.values().filter_map(|job| {
            let holds = job.holds.as_ref()?;
            Some((job.queue.as_ref(), holds.resources.nodes(), holds.expiration))
        })
    }
}

/// The name of a queue, which all its jobs share.
fn shared(queues: &mut BTreeMap<Arc<str>, Numbers>, name: &str) -> Arc<str> {
    if let Some((known, _)) = queues.get_key_value(name) {
        return Arc::clone(known);
    }
    if queues.len() >= MAX_IDLE_QUEUES {
        queues.retain(|name, _| Arc::strong_count(name) > 1);
    }
    let name: Arc<str> = name.into();
    queues.insert(Arc::clone(&name), Numbers::default());
    name
}

impl Place {
    fn of(job: &Job) -> Self {
        Self { state: job.state, priority: job.priority, queue: job.queue.clone() }
    }
}

impl Numbers {
    /// Jobs that are not inactive.
    pub const fn active(&self) -> u64 {
        self.depend + self.priority + self.sched + self.run + self.cleanup
    }

    const fn of(&mut self, state: State) -> Option<&mut u64> {
        Some(match state {
            State::New => return None,
            State::Depend => &mut self.depend,
            State::Priority => &mut self.priority,
            State::Sched => &mut self.sched,
            State::Run => &mut self.run,
            State::Cleanup => &mut self.cleanup,
        })
    }
}
