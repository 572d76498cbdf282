//! `job-list.list`: what waiting jobs need, by asking again whenever the resources were read anew,
//! which [`super::sched_status`] does when jobs or brokers changed and at a slow heartbeat.
//!
//! ```text
//!  journal, or job-list.job-stats ─▶ job-list.list ─▶ job-info.lookup ─▶ who waits, and for what
//!  config.get, resource.status, job-manager.queue-status ──────────────▶ where they may, and whether
//! ```
//!
//! All of it makes one reading: half of it would be wrong. With the journal the first line costs no
//! question, and the second one is asked when the resources were, or when a job waits elsewhere.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
    sync::Arc,
};

use bytes::Bytes;
use flux_demand::{Demand, HoldDown, Idle, Job, Jobspec, MAX_JOBS, Queue, TooMuch};
use fluxgauge_proto::catalogue::Source;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{sync::watch, time::Instant};

use super::{
    Context, Failure, LEAD, epoch_seconds,
    journal::JournalReader,
    sched_status::{Latest, Resources},
};
use crate::{
    backoff::Backoff,
    metrics::{
        count,
        demand::{Confines, Ranks, Remaining, Rest, reading},
        queues::Queues,
        waiting::{self, Listed, Numbers},
        window::Average,
    },
    state::{Cause, Reading},
};

const TOPIC: &str = "job-list.list";

/// Asking and counting take one part in so many of the time: a broker is not kept busy by a long list,
/// as far as proofs allow.
const MAX_SHARE: u32 = 20;

/// Keeps the board up to date for ever.
pub(crate) async fn follow(
    context: Context,
    journal: JournalReader,
    mut latest: watch::Receiver<Latest>,
) {
    let mut backoff = Backoff::new();
    let mut demands = Demands {
        start: Instant::now(),
        size: HoldDown::new(context.hold_down),
        idle: Idle::new(),
        nodes: Average::default(),
        jobspecs: Jobspecs::default(),
        places: Places::default(),
        journal,
        context,
    };
    loop {
        let asked = Instant::now();
        let resources = latest.borrow_and_update().clone();
        match resources {
            Err(reason) => demands.context.board.failed(Source::Demand, TOPIC, &reason),
            Ok(resources) => match demands.read(&resources).await {
                Ok((reading, proved)) => {
                    let cause = demands.cause(&resources);
                    demands.context.board.answered(Source::Demand, proved, reading, cause);
                    backoff = Backoff::new();
                }
                Err(failure) => {
                    demands.context.fail(Source::Demand, TOPIC, &failure);
                    backoff.wait().await;
                    continue;
                }
            },
        }
        demands.context.due(Instant::now(), asked.elapsed() * (MAX_SHARE - 1)).await;
        tokio::select! {
            changed = latest.changed() => {
                if changed.is_err() {
                    std::future::pending::<()>().await;
                }
            }
            () = demands.journal.changed() => {}
        }
    }
}

/// What a question will be answered with.
type Answer<'a> = Pin<Box<dyn Future<Output = Result<Bytes, Failure>> + Send + 'a>>;

struct Demands {
    context: Context,
    journal: JournalReader,
    start: Instant,
    size: HoldDown,
    idle: Idle,
    /// That waiting jobs need.
    nodes: Average,
    jobspecs: Jobspecs,
    places: Places,
}

/// Who waits.
struct Waiting {
    jobs: Vec<Job>,
    /// Jobs that are not inactive.
    active: u64,
}

/// Where jobs may run, and whether.
#[derive(Default)]
struct Places {
    /// The answer about resources that it was asked after.
    answer: u64,
    asked: Option<Instant>,
    queues: BTreeMap<Arc<str>, Queue>,
    /// Why some queue is missing.
    missing: Option<String>,
    ranks: Ranks,
    /// Whether jobs without a queue are sent to the scheduler.
    started: bool,
    /// The queues of which it was asked whether they are started.
    of: BTreeSet<Option<Arc<str>>>,
}

/// Of jobs that wait, by id: as many as are listed, or as two lists have while the second is looked up.
#[derive(Default)]
struct Jobspecs {
    /// `None` is one whose size cannot be told.
    known: BTreeMap<u64, Option<Arc<Jobspec>>>,
    /// They are told to the owner only: then the list has to do.
    refused: bool,
}

impl Demands {
    /// What waiting jobs need, and since when that is known: as long as the oldest of the answers.
    async fn read(&mut self, resources: &Resources) -> Result<(Reading, Instant), Failure> {
        let asked = Instant::now();
        let mut waiting = match self.journaled() {
            Some(waiting) => waiting,
            None => self.listed().await?,
        };
        if self.places.answer != resources.answer || !self.places.serve(&waiting.jobs) {
            self.places = self.ask_places(resources, &waiting.jobs).await?;
            // What has happened meanwhile is known already, unless it needs another question.
            let newer = self.journaled().filter(|newer| self.places.serve(&newer.jobs));
            waiting = newer.unwrap_or(waiting);
        }
        let Places { queues, ranks, started, .. } = &self.places;
        let instance = ranks.instance(&resources.status)?;
        let now = epoch_seconds();
        let demand = Demand::of(&instance, queues, *started, &waiting.jobs, now)?;
        let moment = self.start.elapsed();
        let size = demand.size.map(|size| self.size.feed(moment, size));
        let idle = self.idle.feed(moment, waiting.active > 0);
        self.nodes.feed(moment, Some(count(demand.instance.nodes)));
        let averages = self.nodes.averages();
        let remaining = self.remaining(&demand, now);
        let up = resources.status.up().nodes();
        let rest = Rest { size, idle, averages, remaining, up };
        let proved = resources.proved.min(self.places.asked.unwrap_or(asked)).min(asked);
        Ok((reading(&demand, &rest, self.places.missing.clone()), proved))
    }

    /// Node-seconds that running jobs have left, as far as they have a limit, of the instance and of
    /// each queue.
    fn remaining(&self, demand: &Demand, now: f64) -> Option<Remaining> {
        let journal = self.journal.now();
        let jobs = &journal.as_ref()?.jobs;
        let mut remaining = Remaining::of(demand.queues.keys());
        for (queue, nodes, expiration) in jobs.ends().filter(|(.., end)| *end > now) {
            remaining.add(queue, count(nodes as u64) * (expiration - now));
        }
        Some(remaining)
    }

    /// The message that this reading is owed to.
    fn cause(&self, resources: &Resources) -> Cause {
        let followed = self.journal.now().is_some();
        let last = self.journal.cause();
        if followed && last.at > resources.cause.at { last } else { resources.cause }
    }

    /// Who waits, by the journal.
    fn journaled(&self) -> Option<Waiting> {
        let journal = self.journal.now();
        let jobs = &journal.as_ref()?.jobs;
        let active = jobs.numbers().active();
        Some(Waiting { jobs: jobs.waiting(), active })
    }

    /// Who waits, by the lists of jobs.
    async fn listed(&mut self) -> Result<Waiting, Failure> {
        let numbers = Numbers::read(&self.ask("job-list.job-stats", &json!({})).await?)?;
        let active = numbers.active;
        let sched = usize::try_from(numbers.sched).unwrap_or(usize::MAX);
        if sched > MAX_JOBS {
            return Err(TooMuch::Jobs(sched).into());
        }
        if sched == 0 {
            self.jobspecs.known.clear();
            return Ok(Waiting { jobs: Vec::new(), active });
        }
        let listed = waiting::read(&self.ask(TOPIC, &waiting::request(MAX_JOBS)).await?)?;
        Ok(Waiting { jobs: self.look_up(listed).await?, active })
    }

    /// Where these jobs may run. Nothing but the queues is asked for while nobody waits.
    async fn ask_places(&self, resources: &Resources, jobs: &[Job]) -> Result<Places, Failure> {
        let asked = Some(Instant::now());
        let configured = Queues::read(&self.ask("config.get", &json!({})).await?)?;
        let confines =
            Confines::of(&configured, &resources.status.all).map_err(Failure::Answered)?;
        let Confines { queues, missing } = confines;
        let answer = resources.answer;
        let mut places =
            Places { answer, asked, queues, missing, started: true, ..Places::default() };
        if jobs.is_empty() {
            return Ok(places);
        }
        places.ranks = Ranks::read(&self.ask("resource.status", &json!({})).await?)?;
        let waits_in: BTreeSet<_> = jobs.iter().map(|job| job.queue.clone()).collect();
        for name in &waits_in {
            let on = self.is_started(name.as_deref()).await?;
            match name.as_ref().map(|name| places.queues.get_mut(name)) {
                None => places.started = on,
                Some(Some(queue)) => queue.started = on,
                Some(None) => {}
            }
        }
        places.of = waits_in;
        Ok(places)
    }

    /// Replaces what the list tells of each job by what its jobspec says, where that may be read.
    async fn look_up(&mut self, listed: Vec<Listed>) -> Result<Vec<Job>, Failure> {
        let mut before = std::mem::take(&mut self.jobspecs.known);
        let mut jobs = Vec::with_capacity(listed.len());
        for Listed { id, mut job } in listed {
            // What a held job asks for does not matter yet.
            let jobspec = match before.remove(&id) {
                _ if self.jobspecs.refused || job.held => None,
                Some(known) => Some(known),
                None => match self.jobspec(id).await {
                    Ok(jobspec) => jobspec,
                    Err(failure) => {
                        // The next list may have the rest again.
                        self.jobspecs.known.append(&mut before);
                        return Err(failure);
                    }
                },
            };
            if let Some(jobspec) = jobspec {
                job.request = jobspec.as_ref().map(|jobspec| jobspec.request);
                job.constraint = jobspec.as_ref().and_then(|jobspec| jobspec.constraint.clone());
                self.jobspecs.known.insert(id, jobspec);
            }
            jobs.push(job);
        }
        Ok(jobs)
    }

    /// `Some(None)` is one whose size cannot be told, `None` one that may not be read.
    async fn jobspec(&mut self, id: u64) -> Result<Option<Option<Arc<Jobspec>>>, Failure> {
        let payload = json!({ "id": id, "keys": ["jobspec"], "flags": 0 });
        match self.ask("job-info.lookup", &payload).await {
            Ok(answer) => Ok(Some(waiting::read_jobspec(&answer).map(Arc::new))),
            Err(Failure::Refused(_)) => {
                self.jobspecs.refused = true;
                Ok(None)
            }
            Err(Failure::NoService(_)) => Ok(None),
            Err(Failure::Answered(_)) => Ok(Some(None)),
            Err(Failure::Silent) => Err(Failure::Silent),
        }
    }

    /// Whether the jobs of a queue are sent to the scheduler. Before 0.45 no queue could be stopped.
    async fn is_started(&self, queue: Option<&str>) -> Result<bool, Failure> {
        #[derive(Deserialize)]
        struct Status {
            start: Option<bool>,
        }
        let payload = queue.map_or_else(|| json!({}), |name| json!({ "name": name }));
        let answer = match self.ask("job-manager.queue-status", &payload).await {
            Err(Failure::NoService(_)) => return Ok(true),
            answer => answer?,
        };
        let Status { start } =
            serde_json::from_slice(&answer).map_err(crate::metrics::Unreadable::from)?;
        Ok(start != Some(false))
    }

    /// Boxed, so that there is one copy of it in the program and not one for each question.
    fn ask<'a>(&'a self, topic: &'static str, payload: &'a Value) -> Answer<'a> {
        Box::pin(self.context.ask(Source::Demand, topic, LEAD, payload))
    }
}

impl Places {
    /// Whether all is known that these jobs need.
    fn serve(&self, jobs: &[Job]) -> bool {
        let mut last = None;
        jobs.iter()
            .all(|job| last.replace(&job.queue) == Some(&job.queue) || self.of.contains(&job.queue))
    }
}

impl From<TooMuch> for Failure {
    fn from(error: TooMuch) -> Self {
        Self::Answered(error.to_string())
    }
}
