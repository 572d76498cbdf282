//! A day of jobs, played fast: what the demo shows.
//!
//! Arrivals follow the hours of a working day, with bursts into one queue or another; jobs of many
//! sizes, some with gpus, run for minutes to hours of that day. Nodes are drained and undrained, and
//! one is lost and comes back. Pure: time is passed in, and the same seed plays the same day.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    time::Duration,
};

use fastrand::Rng;
use flux_client::Idset;

use crate::instance::{Instance, JobId, Need, Outcome, Shape, State};

/// What is played, and how far it is.
#[derive(Clone, Debug)]
pub struct Day {
    random: Rng,
    speed: f64,
    /// Jobs, relative to a day as it is usual.
    load: f64,
    /// Seconds of the day that have been played.
    played: f64,
    next_arrival: f64,
    next_burst: f64,
    next_drain: f64,
    next_loss: f64,
    next_purge: f64,
    /// When running jobs end.
    ends: BTreeMap<JobId, f64>,
    /// Drained and lost ranks, with the second in which they are back.
    repairs: BinaryHeap<Reverse<(u64, Repair)>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Repair {
    Undrain(u32),
    Join(u32),
}

impl Day {
    /// Starts at eight in the morning. `speed` is seconds of that day in a second; 600 makes a day
    /// of two minutes and a half.
    pub fn new(seed: u64, speed: f64) -> Self {
        Self {
            random: Rng::with_seed(seed),
            speed: speed.clamp(MIN_SPEED, MAX_SPEED),
            load: 1.0,
            played: 0.0,
            next_arrival: 0.0,
            next_burst: 20.0 * MINUTE,
            next_drain: 40.0 * MINUTE,
            next_loss: 90.0 * MINUTE,
            next_purge: 24.0 * HOUR,
            ends: BTreeMap::new(),
            repairs: BinaryHeap::new(),
        }
    }

    /// The same without drained and lost nodes: those come and go with somebody else.
    pub const fn without_outages(mut self) -> Self {
        self.next_drain = f64::INFINITY;
        self.next_loss = f64::INFINITY;
        self
    }

    /// The same with so many times the jobs, 0.01 to 100.
    pub const fn with_load(mut self, load: f64) -> Self {
        self.load = load.clamp(0.01, 100.0);
        self
    }

    /// Plays on until `elapsed` since the start. `now` is what drains are stamped with.
    pub fn advance(&mut self, instance: &mut Instance, elapsed: Duration, now: f64) {
        let target = elapsed.as_secs_f64() * self.speed;
        // A process that was stopped does not replay what it missed.
        if target - self.played > MAX_STEPS * STEP {
            self.played = target - MAX_STEPS * STEP;
        }
        while self.played < target {
            self.played += STEP;
            self.step(instance, now);
        }
    }

    fn step(&mut self, instance: &mut Instance, now: f64) {
        self.end_jobs(instance);
        self.repair(instance);
        if self.played >= self.next_arrival {
            self.arrive(instance, None);
            // Exponential gaps make a Poisson process: arrivals that do not know of each other.
            self.next_arrival =
                self.played - self.random.f64().max(1e-9).ln() * self.mean_gap(instance);
        }
        if self.played >= self.next_burst {
            let queue = self.random.usize(..instance.queues().len().max(1));
            for _ in 0..self.random.u32(8..=24) {
                self.arrive(instance, Some(queue));
            }
            self.next_burst = self.in_about(75.0 * MINUTE / self.load);
        }
        if self.played >= self.next_drain {
            self.take_out(instance, now);
            self.next_drain = self.in_about(100.0 * MINUTE);
        }
        if self.played >= self.next_loss {
            self.lose(instance);
            self.next_loss = self.in_about(240.0 * MINUTE);
        }
        if self.played >= self.next_purge {
            instance.purge();
            self.next_purge = self.played + 24.0 * HOUR;
        }
    }

    /// A job that no queue can hold back for long: most are small, some take a third of the nodes.
    fn arrive(&mut self, instance: &mut Instance, queue: Option<usize>) {
        let waiting = instance.jobs_in(State::Sched).take(MAX_WAITING).count();
        if waiting >= MAX_WAITING {
            return;
        }
        let Shape { size, cores, gpus } = instance.shape();
        let need = match self.random.u32(..10) {
            0 | 1 => Need::Nodes(self.random.u32(1..=(size / 8).max(1))),
            2 => Need::Nodes(self.random.u32(1..=(size / 4).max(1))),
            3..=5 if gpus > 0 => {
                let count = self.random.u32(1..=gpus);
                Need::Slots { count, cores: 1, gpus: 1 }
            }
            _ => Need::cores(self.random.u32(1..=(2 * cores).max(1))),
        };
        // Two thirds go to the default queue.
        let queue = queue.unwrap_or_else(|| match instance.queues().len() {
            0 => 0,
            queues if self.random.u32(..3) == 0 => self.random.usize(..queues),
            _ => 0,
        });
        let queue = instance.queues().get(queue).map(|queue| queue.name.clone());
        // A full instance turns the job away; the next one tries again.
        drop(instance.submit_limited(need, queue.as_deref(), None, TIME_LIMIT));
    }

    /// Ends running jobs whose time is over, and gives the new ones their time.
    fn end_jobs(&mut self, instance: &mut Instance) {
        let running: Vec<JobId> = instance.jobs_in(State::Run).collect();
        // Jobs that ended with a lost node are forgotten.
        self.ends.retain(|job, _| running.binary_search(job).is_ok());
        for job in running {
            let minutes = 5.0 + 85.0 * self.random.f64() * self.random.f64();
            let end = *self.ends.entry(job).or_insert(self.played + minutes * MINUTE);
            if end <= self.played {
                let outcome = match self.random.u32(..20) {
                    0 => Outcome::Failed,
                    1 => Outcome::Canceled,
                    2 => Outcome::Timeout,
                    _ => Outcome::Successful,
                };
                instance.finish(job, outcome);
                self.ends.remove(&job);
            }
        }
    }

    fn take_out(&mut self, instance: &mut Instance, now: f64) {
        let Some(rank) = self.some_rank(instance) else { return };
        instance.drain(&Idset::range(rank, rank), "disk is slow", now);
        self.repair_in(35.0 * MINUTE, Repair::Undrain(rank));
    }

    fn lose(&mut self, instance: &mut Instance) {
        let Some(rank) = self.some_rank(instance) else { return };
        instance.lose(rank);
        self.repair_in(45.0 * MINUTE, Repair::Join(rank));
    }

    fn repair(&mut self, instance: &mut Instance) {
        while let Some(Reverse((at, repair))) = self.repairs.peek().copied() {
            if Duration::from_secs(at).as_secs_f64() > self.played {
                return;
            }
            self.repairs.pop();
            match repair {
                Repair::Undrain(rank) => instance.undrain(&Idset::range(rank, rank)),
                Repair::Join(rank) => instance.join(rank),
            }
        }
    }

    fn repair_in(&mut self, mean: f64, repair: Repair) {
        let at = Duration::from_secs_f64(self.in_about(mean)).as_secs();
        self.repairs.push(Reverse((at, repair)));
    }

    /// A rank that is up; never the first one, without which there is no instance, and only while
    /// most of them are.
    fn some_rank(&mut self, instance: &Instance) -> Option<u32> {
        let up = instance.all().difference(&instance.down());
        let candidates: Vec<u32> = up.iter().filter(|&rank| rank > 0).collect();
        if up.len() * 4 < u64::from(instance.shape().size) * 3 {
            return None;
        }
        self.random.choice(candidates)
    }

    /// Seconds between two jobs: as many jobs as keep three quarters of the cores busy at noon.
    fn mean_gap(&self, instance: &Instance) -> f64 {
        let hour = (8.0 + self.played / HOUR) % 24.0;
        // Highest at two in the afternoon, a quarter of that at two in the morning.
        let load = 0.625 + 0.375 * ((hour - 14.0) / 24.0 * std::f64::consts::TAU).cos();
        let nodes = f64::from(instance.shape().size);
        // A job has about an eighth of the nodes, or two of them, for about half an hour.
        26.0 * MINUTE * (nodes / 12.0 + 1.0) / nodes / load / 0.9 / self.load
    }

    fn in_about(&mut self, mean: f64) -> f64 {
        self.played + mean * (0.5 + self.random.f64())
    }
}

const MINUTE: f64 = 60.0;
const HOUR: f64 = 60.0 * MINUTE;

/// What every job asks for; none runs longer.
const TIME_LIMIT: f64 = 2.0 * HOUR;

/// Seconds of the day that are decided at once.
const STEP: f64 = 10.0;

/// An hour: what is made up after a pause.
const MAX_STEPS: f64 = 360.0;

/// Slower than real time shows nothing, faster than a day a second nothing that can be followed.
pub(crate) const MIN_SPEED: f64 = 1.0;
pub(crate) const MAX_SPEED: f64 = 86_400.0;

/// Jobs that wait, beyond which people stop submitting.
const MAX_WAITING: usize = 200;

#[cfg(test)]
mod tests;
