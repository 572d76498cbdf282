//! `job-list.list`: what waiting jobs need, by asking again whenever the resources were read anew,
//! which [`super::sched_status`] does when jobs or brokers changed and at a slow heartbeat.
//!
//! ```text
//!  job-list.job-stats ─▶ any that wait? ─▶ job-list.list ─▶ job-info.lookup, of those not yet known
//!  config.get, resource.status, job-manager.queue-status ─▶ where they may run, and whether
//! ```
//!
//! All of it makes one reading: half of it would be wrong.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use flux_demand::{Demand, HoldDown, Idle, Job, Jobspec, MAX_JOBS, TooMuch};
use fluxgauge_proto::catalogue::Source;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{sync::watch, time::Instant};

use super::{Context, Failure, LEAD, sched_status::Latest};
use crate::{
    backoff::Backoff,
    metrics::{
        demand::{Confines, Ranks, reading},
        queues::Queues,
        resources::SchedStatus,
        waiting::{self, Listed, Numbers},
    },
    state::Reading,
};

const TOPIC: &str = "job-list.list";

/// Asking and counting take one part in so many of the time: a broker is not kept busy by a long list,
/// as far as proofs allow.
const MAX_SHARE: u32 = 20;

/// Keeps the board up to date for ever.
pub(crate) async fn follow(context: Context, mut latest: watch::Receiver<Latest>) {
    let mut backoff = Backoff::new();
    let mut demands = Demands {
        start: Instant::now(),
        size: HoldDown::new(context.hold_down),
        idle: Idle::new(),
        jobspecs: Jobspecs::default(),
        context,
    };
    loop {
        let asked = Instant::now();
        let resources = match &*latest.borrow_and_update() {
            Ok(resources) => Ok((resources.status.clone(), resources.proved, resources.cause)),
            Err(reason) => Err(reason.clone()),
        };
        match resources {
            Err(reason) => demands.context.board.failed(Source::Demand, TOPIC, &reason),
            Ok((status, proved, cause)) => match demands.read(&status).await {
                Ok(reading) => {
                    // The values are as old as the oldest of their answers.
                    let proved = proved.min(asked);
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
        if latest.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// What a question will be answered with.
type Answer<'a> = Pin<Box<dyn Future<Output = Result<Bytes, Failure>> + Send + 'a>>;

struct Demands {
    context: Context,
    start: Instant,
    size: HoldDown,
    idle: Idle,
    jobspecs: Jobspecs,
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
    async fn read(&mut self, status: &SchedStatus) -> Result<Reading, Failure> {
        let numbers = Numbers::read(&self.ask("job-list.job-stats", &json!({})).await?)?;
        let configured = Queues::read(&self.ask("config.get", &json!({})).await?)?;
        let confines = Confines::of(&configured, &status.all).map_err(Failure::Answered)?;
        let Confines { mut queues, missing } = confines;
        let (mut ranks, mut jobs, mut started) = (Ranks::default(), Vec::new(), true);
        let sched = usize::try_from(numbers.sched).unwrap_or(usize::MAX);
        if sched > MAX_JOBS {
            return Err(TooMuch::Jobs(sched).into());
        }
        if sched > 0 {
            ranks = Ranks::read(&self.ask("resource.status", &json!({})).await?)?;
            let listed = waiting::read(&self.ask(TOPIC, &waiting::request(MAX_JOBS)).await?)?;
            let waits_in: BTreeSet<_> = listed.iter().map(|entry| &entry.job.queue).collect();
            for name in waits_in {
                let on = self.is_started(name.as_deref()).await?;
                match name.as_ref().map(|name| queues.get_mut(name)) {
                    None => started = on,
                    Some(Some(queue)) => queue.started = on,
                    Some(None) => {}
                }
            }
            jobs = self.look_up(listed).await?;
        } else {
            self.jobspecs.known.clear();
        }
        let instance = ranks.instance(status)?;
        let demand = Demand::of(&instance, &queues, started, &jobs, epoch_seconds())?;
        let moment = self.start.elapsed();
        let size = demand.size.map(|size| self.size.feed(moment, size));
        let idle = self.idle.feed(moment, numbers.active > 0);
        Ok(reading(&demand, size, idle, missing))
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

impl From<TooMuch> for Failure {
    fn from(error: TooMuch) -> Self {
        Self::Answered(error.to_string())
    }
}

/// By the clock of the broker's node, which is this pod's: Flux dates submissions by it.
#[expect(clippy::disallowed_methods, reason = "the edge: this is where the clock is taken")]
fn epoch_seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since: Duration| since.as_secs_f64())
}
