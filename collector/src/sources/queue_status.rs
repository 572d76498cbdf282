//! `resource.sched-status` by queue: the resources that [`super::sched_status`] read last, and the
//! queues of `config.get`. Flux tells nobody when its configuration changes, so that it is read
//! again with each proof.

use std::{convert::Infallible, future::pending, time::Duration};

use fluxgauge_proto::catalogue::Source;
use serde_json::json;
use tokio::{sync::watch, time::Instant};

use super::{Context, Failure, LEAD, sched_status::Latest};
use crate::{backoff::Backoff, metrics::queues::Queues};

const TOPIC: &str = "config.get";

/// The longest time between two reads.
const PERIOD: Duration = Duration::from_secs(60);

/// Keeps the board up to date for ever.
pub(crate) async fn follow(context: Context, mut latest: watch::Receiver<Latest>) {
    let mut backoff = Backoff::new();
    loop {
        let queues = tokio::select! {
            queues = read(&context) => queues,
            never = vanish(&context, &mut latest) => match never {},
        };
        let queues = match queues {
            Ok(queues) => queues,
            Err(failure) => {
                context.fail(Source::QueueStatus, TOPIC, &failure);
                backoff.wait().await;
                continue;
            }
        };
        backoff = Backoff::new();
        let configured = Instant::now();
        loop {
            publish(&context, &queues, configured, &latest.borrow_and_update());
            tokio::select! {
                Ok(()) = latest.changed() => {}
                () = context.due(configured, PERIOD) => break,
            }
        }
    }
}

/// The values are as old as the older one of their two answers.
fn publish(context: &Context, queues: &Queues, configured: Instant, latest: &Latest) {
    match latest {
        Ok(resources) => {
            let proved = configured.min(resources.proved);
            let reading = queues.reading(&resources.status);
            context.board.answered(Source::QueueStatus, proved, reading, resources.cause);
        }
        Err(reason) => context.board.failed(Source::QueueStatus, TOPIC, reason),
    }
}

/// While the configuration is waited for, what becomes of the resources still counts.
async fn vanish(context: &Context, latest: &mut watch::Receiver<Latest>) -> Infallible {
    loop {
        if latest.changed().await.is_err() {
            pending::<()>().await;
        }
        if let Err(reason) = &*latest.borrow_and_update() {
            context.board.failed(Source::QueueStatus, TOPIC, reason);
        }
    }
}

async fn read(context: &Context) -> Result<Queues, Failure> {
    let answer = context.ask(Source::QueueStatus, TOPIC, LEAD, &json!({})).await?;
    Ok(Queues::read(&answer)?)
}
