//! What is asked of the broker itself, on every rank: one row for each service.

use std::time::Duration;

use flux_client::message::NODEID_ANY;
use fluxgauge_proto::catalogue::Source;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Context, Failure, LEAD};
use crate::{
    backoff::Backoff,
    metrics::{
        Unreadable,
        broker::{self, Asked},
    },
    state::{Cause, Reading},
};

/// A service that every broker has.
#[derive(Debug)]
struct Service {
    source: Source,
    topic: &'static str,
    nodeid: u32,
    request: fn() -> Value,
    read: fn(&[u8], Asked) -> Result<Reading, Unreadable>,
    /// The longest time between two requests: the broker answers at once, from memory.
    period: Duration,
}

/// In the order of [`Source::OF_BROKER`].
static SERVICES: [Service; 5] = [
    Service {
        source: Source::Broker,
        topic: "state-machine.get",
        nodeid: NODEID_ANY,
        request: || json!({}),
        read: broker::state,
        period: Duration::from_secs(5),
    },
    Service {
        source: Source::Rusage,
        topic: "broker.rusage",
        nodeid: NODEID_ANY,
        request: || json!({}),
        read: broker::rusage,
        period: Duration::from_secs(15),
    },
    Service {
        source: Source::Overlay,
        topic: "overlay.health",
        nodeid: NODEID_ANY,
        request: || json!({}),
        read: broker::overlay,
        period: Duration::from_secs(15),
    },
    Service {
        source: Source::Modules,
        topic: "module.list",
        nodeid: NODEID_ANY,
        request: || json!({}),
        read: broker::modules,
        period: Duration::from_secs(15),
    },
    Service {
        source: Source::Lead,
        topic: "broker.ping",
        nodeid: LEAD,
        request: || json!({ "seq": 0, "pad": "" }),
        read: broker::lead,
        period: Duration::from_secs(15),
    },
];

/// Keeps the board up to date for ever.
pub(crate) async fn follow(context: Context) {
    let [state, rusage, overlay, modules, lead] = &SERVICES;
    tokio::join!(
        state.follow(&context),
        rusage.follow(&context),
        overlay.follow(&context),
        modules.follow(&context),
        lead.follow(&context),
    );
}

impl Service {
    async fn follow(&self, context: &Context) {
        let mut backoff = Backoff::new();
        loop {
            match self.ask(context).await {
                Ok(reading) => {
                    let cause = Cause::now(self.topic);
                    context.board.answered(self.source, cause.at, reading, cause);
                    backoff = Backoff::new();
                    context.due(cause.at, self.period).await;
                }
                Err(failure) => {
                    context.fail(self.source, self.topic, &failure);
                    backoff.wait().await;
                }
            }
        }
    }

    async fn ask(&self, context: &Context) -> Result<Reading, Failure> {
        let asked = Instant::now();
        let request = (self.request)();
        let answer = context.ask(self.source, self.topic, self.nodeid, &request).await?;
        let asked = Asked { rank: context.broker.rank, round_trip: asked.elapsed() };
        Ok((self.read)(&answer, asked)?)
    }
}
