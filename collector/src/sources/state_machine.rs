//! `state-machine.get`: asked of the broker itself, on every rank.

use std::time::Duration;

use flux_client::message::NODEID_ANY;
use fluxgauge_proto::catalogue::Source;
use serde_json::json;
use tokio::time::Instant;

use super::{Context, Failure};
use crate::{
    backoff::Backoff,
    metrics::broker,
    state::{Cause, Reading},
};

const TOPIC: &str = "state-machine.get";

/// The longest time between two requests: the broker answers at once, from memory.
const PERIOD: Duration = Duration::from_secs(5);

/// Keeps the board up to date for ever.
pub(crate) async fn follow(context: Context) {
    let mut backoff = Backoff::new();
    loop {
        match read(&context).await {
            Ok(reading) => {
                let cause = Cause::now(TOPIC);
                context.board.answered(Source::Broker, cause.at, reading, cause);
                backoff = Backoff::new();
                context.due(cause.at, PERIOD).await;
            }
            Err(failure) => {
                context.fail(Source::Broker, TOPIC, &failure);
                backoff.wait().await;
            }
        }
    }
}

async fn read(context: &Context) -> Result<Reading, Failure> {
    let asked = Instant::now();
    let answer = context.ask(Source::Broker, TOPIC, NODEID_ANY, &json!({})).await?;
    Ok(broker::read(&answer, context.broker.rank, asked.elapsed())?)
}
