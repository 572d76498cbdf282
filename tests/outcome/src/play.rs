//! One trace under one policy, second by second.

use std::{collections::BTreeMap, time::Duration};

use flux_simulator::instance::{Instance, JobId, Outcome as End, State};

use crate::{
    Second,
    autoscaler::{Autoscaler, Current, PERIOD},
    pods::{Delays, GRACE, OPERATOR, Pods, START},
    policy::{Collector, HOLD_DOWN, Policy, SAMPLE_AGE},
    trace::Trace,
};

/// How long after the last arrival a trace is played at most.
const PATIENCE: Second = 24 * 60 * 60;

/// What became of the jobs of a trace, and what that took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Times that a job lost a node. It is submitted again, and does all of its work again.
    pub killed: u32,
    /// Seconds that each job waited until the run that completed; `None`: there was none.
    pub waits: Vec<Option<Second>>,
    /// Sum of pods × seconds, those that start and those that end included.
    pub node_seconds: u64,
}

/// Who decides.
enum Decider {
    /// An autoscaler, by values of the past, now and then.
    Autoscaler(Box<Autoscaler>),
    /// Somebody who knows at once what is needed, and whose word is done at once.
    Oracle,
}

/// Plays a trace under a policy.
pub fn play(trace: &Trace, policy: &Policy) -> Outcome {
    let autoscaler = Autoscaler::of(&policy.manifest, trace.shape.size);
    let delays = Delays { operator: OPERATOR, start: START, grace: GRACE };
    let collector = Collector::new(trace.shape, Some(Duration::from_secs(HOLD_DOWN)));
    Game::new(trace, Decider::Autoscaler(Box::new(autoscaler)), delays, collector).play()
}

/// Plays a trace under the oracle: in each second the MiniCluster has the smallest size that holds
/// all that runs and waits. Only starting pods takes time.
pub fn oracle(trace: &Trace) -> Outcome {
    let delays = Delays { operator: 0, start: START, grace: 0 };
    Game::new(trace, Decider::Oracle, delays, Collector::new(trace.shape, None)).play()
}

struct Game<'a> {
    trace: &'a Trace,
    decider: Decider,
    flux: Instance,
    pods: Pods,
    collector: Collector,
    /// Active jobs, each with its number in the trace.
    active: BTreeMap<JobId, usize>,
    /// When jobs that run will have completed.
    ends: BTreeMap<JobId, Second>,
    outcome: Outcome,
}

impl<'a> Game<'a> {
    fn new(trace: &'a Trace, decider: Decider, delays: Delays, collector: Collector) -> Self {
        let mut flux = Instance::new(trace.shape, Vec::new());
        let pods = Pods::new(delays, trace.shape.size, &mut flux);
        let waits = vec![None; trace.jobs.len()];
        Self {
            trace,
            decider,
            flux,
            pods,
            collector,
            active: BTreeMap::new(),
            ends: BTreeMap::new(),
            outcome: Outcome { killed: 0, waits, node_seconds: 0 },
        }
    }

    fn play(mut self) -> Outcome {
        let last = self.trace.jobs.last().map_or(0, |job| job.arrives);
        let (mut next, mut samples) = (0, Vec::new());
        for now in 0..last + PATIENCE {
            let mut changed = now == 0;
            while let Some(job) = self.trace.jobs.get(next).filter(|job| job.arrives == now) {
                let id = self.flux.submit(job.need, None, None).unwrap();
                self.active.insert(id, next);
                (next, changed) = (next + 1, true);
            }
            changed |= self.complete(now);
            changed |= self.move_pods(now);
            if changed {
                self.note_starts(now);
                samples.push((now, self.collector.look(&self.flux)));
            }
            self.decide(now, &samples);
            self.outcome.node_seconds += u64::from(self.pods.nodes());
            if next == self.trace.jobs.len() && self.active.is_empty() && self.pods.nodes() == 1 {
                break;
            }
        }
        self.outcome
    }

    /// Ends jobs whose time has come.
    fn complete(&mut self, now: Second) -> bool {
        let done: Vec<_> =
            self.ends.iter().filter(|(_, end)| **end <= now).map(|(id, _)| *id).collect();
        for id in &done {
            self.ends.remove(id);
            self.active.remove(id);
            self.flux.finish(*id, End::Successful);
        }
        !done.is_empty()
    }

    /// Lets pods come and go. Jobs that lose a rank are submitted again.
    fn move_pods(&mut self, now: Second) -> bool {
        let mut killed = Vec::new();
        let before = self.flux.online();
        let Self { pods, flux, active, .. } = self;
        pods.step(now, flux, |flux, rank| {
            let on_it = active.keys().filter(|id| flux.ranks_of(**id).contains(rank));
            killed.extend(on_it.copied());
            flux.lose(rank);
        });
        for id in killed {
            let Some(number) = self.active.remove(&id) else { continue };
            self.ends.remove(&id);
            self.outcome.killed += 1;
            self.outcome.waits[number] = None;
            let again = self.flux.submit(self.trace.jobs[number].need, None, None).unwrap();
            self.active.insert(again, number);
        }
        before != self.flux.online()
    }

    fn note_starts(&mut self, now: Second) {
        for (&id, &number) in &self.active {
            if self.flux.state(id) == Some(State::Run) && !self.ends.contains_key(&id) {
                let job = &self.trace.jobs[number];
                self.ends.insert(id, now + job.runs);
                self.outcome.waits[number] = Some(now - job.arrives);
            }
        }
    }

    fn decide(&mut self, now: Second, samples: &[(Second, crate::policy::Sample)]) {
        let newest = samples.last().map(|(_, sample)| *sample).unwrap_or_default();
        let size = match &mut self.decider {
            Decider::Oracle => newest.desired,
            Decider::Autoscaler(autoscaler) => {
                let then = now.saturating_sub(SAMPLE_AGE);
                let known = samples.iter().rev().find(|(at, _)| *at <= then);
                let sample = known.map(|(_, sample)| *sample).unwrap_or(newest);
                let sample = self.collector.report(then, sample);
                if now % PERIOD != PERIOD / 2 {
                    return;
                }
                let current = Current { size: self.pods.size(), ready: self.pods.ready() };
                autoscaler.decide(now, current, |metric| sample.value(metric))
            }
        };
        self.pods.resize(now, size);
    }
}
