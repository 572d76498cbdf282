//! What is asked of the broker itself, on every rank: one row for each service.

use std::time::Duration;

use flux_client::message::NODEID_ANY;
use fluxgauge_proto::catalogue::Source;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Context, Failure, LEAD, epoch_seconds};
use crate::{
    backoff::Backoff,
    metrics::{
        Unreadable,
        broker::{self, Asked},
    },
    state::{Broker, Cause, Reading},
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

/// In the order of [`Source::OF_BROKER`], the last of which is an event.
static SERVICES: [Service; 6] = [
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
    Service {
        source: Source::OverlayStats,
        topic: "overlay.stats-get",
        nodeid: NODEID_ANY,
        request: || json!({}),
        read: broker::overlay_stats,
        period: Duration::from_secs(15),
    },
];

/// The event that every broker gets from the lead broker.
const PULSE: &str = "heartbeat.pulse";

/// How often its age is told.
const PULSE_PERIOD: Duration = Duration::from_secs(5);

/// Keeps the board up to date for ever.
pub(crate) async fn follow(context: Context) {
    let [state, rusage, overlay, modules, lead, overlay_stats] = &SERVICES;
    tokio::join!(
        state.follow(&context),
        rusage.follow(&context),
        overlay.follow(&context),
        modules.follow(&context),
        lead.follow(&context),
        overlay_stats.follow(&context),
        heartbeat(&context),
    );
}

/// Tells for how long no heartbeat has come.
async fn heartbeat(context: &Context) {
    let mut backoff = Backoff::new();
    loop {
        let mut pulses = match context.client.subscribe(PULSE).await {
            Ok(pulses) => pulses,
            Err(error) => {
                context.fail(Source::Heartbeat, PULSE, &Failure::from(&error));
                backoff.wait().await;
                continue;
            }
        };
        let (mut last, mut told) = (None, None);
        loop {
            let now = Instant::now();
            if told.is_none_or(|told| now.duration_since(told) >= PULSE_PERIOD) {
                let age = last.map(|last| now.duration_since(last));
                let reading = broker::heartbeat(age);
                context.board.answered(Source::Heartbeat, now, reading, Cause::now(PULSE));
                told = Some(now);
            }
            tokio::select! {
                pulse = pulses.next() => match pulse {
                    Some(Ok(_)) => last = Some(Instant::now()),
                    Some(Err(_)) | None => break,
                },
                () = context.due(told.unwrap_or(now), PULSE_PERIOD) => told = None,
            }
        }
        backoff.wait().await;
    }
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
                    failure.wait(&mut backoff).await;
                }
            }
        }
    }

    async fn ask(&self, context: &Context) -> Result<Reading, Failure> {
        let asked = Instant::now();
        let request = (self.request)();
        let answer = context.ask(self.source, self.topic, self.nodeid, &request).await?;
        let Broker { rank, start_time, .. } = *context.broker;
        let uptime = (start_time > 0.0).then(|| (epoch_seconds() - start_time).max(0.0));
        let (round_trip, reconnects) = (asked.elapsed(), context.reconnects);
        let asked = Asked { rank, round_trip, uptime, reconnects };
        Ok((self.read)(&answer, asked)?)
    }
}
