//! What is asked whenever the resources were read anew, and at a slow heartbeat: `resource.status`,
//! `job-manager.queue-status` and `job-manager.alloc-query`, each a source of its own.

use std::{sync::Arc, time::Duration};

use flux_client::Idset;
use fluxgauge_proto::catalogue::Source;
use serde_json::json;
use tokio::{sync::watch, time::Instant};

use super::{Context, Failure, LEAD, sched_status::Latest};
use crate::{
    backoff::Backoff,
    metrics::{queue_label, status, too_many_queues},
    state::{Cause, Reading, Values},
};

/// The longest time between two reads.
const PERIOD: Duration = Duration::from_secs(10);

/// A source, by its first topic.
#[derive(Clone, Copy)]
struct Status {
    source: Source,
    topic: &'static str,
}

/// Keeps the board up to date for ever.
pub(crate) async fn follow(context: &Context, latest: &watch::Receiver<Latest>) {
    let of = |source, topic| Status { source, topic }.follow(context, latest.clone());
    tokio::join!(
        Box::pin(of(Source::ResourceStatus, "resource.status")),
        Box::pin(of(Source::Queues, "job-manager.queue-list")),
        Box::pin(of(Source::AllocQuery, "job-manager.alloc-query")),
    );
}

impl Status {
    async fn follow(self, context: &Context, mut latest: watch::Receiver<Latest>) {
        let mut backoff = Backoff::new();
        loop {
            let asked = Instant::now();
            // What is allocated is not waited for: without it nobody knows what is draining.
            let (answer, allocated) = match &*latest.borrow_and_update() {
                Ok(resources) => (resources.answer, Ok(resources.status.allocated.ranks())),
                Err(reason) => (0, Err(Failure::Answered(reason.clone()))),
            };
            match self.read(context, allocated).await {
                Ok(reading) => {
                    context.board.answered(self.source, asked, reading, Cause::now(self.topic));
                    backoff = Backoff::new();
                }
                Err(failure) => {
                    context.fail(self.source, self.topic, &failure);
                    failure.wait(&mut backoff).await;
                    continue;
                }
            }
            loop {
                tokio::select! {
                    () = context.due(asked, PERIOD) => break,
                    Ok(()) = latest.changed() => {
                        let now = latest.borrow_and_update();
                        if !now.as_ref().is_ok_and(|now| now.answer == answer) {
                            break;
                        }
                    }
                }
            }
        }
    }

    async fn read(
        self,
        context: &Context,
        allocated: Result<Idset, Failure>,
    ) -> Result<Reading, Failure> {
        let answer = context.ask(self.source, self.topic, LEAD, &json!({})).await?;
        Ok(match self.source {
            Source::ResourceStatus => status::ranks(&answer, &allocated?)?,
            Source::AllocQuery => status::asked_for(&answer)?,
            _ => self.queues(context, status::queue_names(&answer)?).await?,
        })
    }

    /// One question for each queue.
    async fn queues(self, context: &Context, names: Vec<String>) -> Result<Reading, Failure> {
        const TOPIC: &str = "job-manager.queue-status";
        let mut values = Values::new();
        let mut missing = too_many_queues(names.len());
        if names.is_empty() {
            let answer = context.ask(self.source, TOPIC, LEAD, &json!({})).await?;
            status::queue(&answer, None, &mut values)?;
        }
        for name in names.iter().filter(|_| missing.is_none()) {
            let label: Arc<str> = match queue_label(name) {
                Ok(label) => label,
                Err(reason) => {
                    missing = Some(reason);
                    break;
                }
            };
            let answer = context.ask(self.source, TOPIC, LEAD, &json!({ "name": name })).await?;
            status::queue(&answer, Some(&label), &mut values)?;
        }
        Ok(Reading { values, missing })
    }
}
