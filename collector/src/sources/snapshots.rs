//! Services that stream snapshots: each message says all, as does the answer to a plain request.

use std::time::Duration;

use bytes::Bytes;
use flux_client::{Responses, RpcError};
use fluxgauge_proto::catalogue::Source;
use serde_json::Value;
use tokio::time::Instant;

use super::{Context, Failure, LEAD};
use crate::{
    backoff::Backoff,
    metrics::Unreadable,
    state::{Cause, Reading},
};

/// How often a service that streams is asked nevertheless, unless a proof is due sooner.
const PERIOD: Duration = Duration::from_secs(60);

/// How often a service that cannot stream is asked.
const POLL_PERIOD: Duration = Duration::from_secs(2);

/// A service of rank 0 that answers a plain request and a streaming one with the same snapshot.
pub(crate) trait Snapshots {
    /// The source that it is.
    const SOURCE: Source;
    /// Its topic.
    const TOPIC: &'static str;
    /// What an answer is read to.
    type Snapshot;

    /// What to ask.
    fn request(&self) -> Value;

    /// Reads one snapshot.
    fn read(&self, json: &[u8]) -> Result<Self::Snapshot, Unreadable>;

    /// What it says at this moment.
    fn reading(&mut self, snapshot: &Self::Snapshot) -> Reading;

    /// Whether the stream that was just opened will speak again; `None`: nobody said.
    async fn streams(&self, context: &Context) -> Option<bool>;

    /// Waits until the same snapshot reads differently, and says what made it.
    async fn reads_differently(&mut self) -> Cause {
        std::future::pending().await
    }

    /// Compares a snapshot that was asked for at `asked` with what is known otherwise.
    fn compare(&self, _snapshot: &Self::Snapshot, _asked: Instant) {}
}

/// Keeps the board up to date for ever: by the stream where there is one, and by plain requests.
///
/// A stream of these services cannot be cancelled: one that works is kept while requests fail, or
/// brokers would collect streams that nobody reads.
pub(crate) async fn follow<S: Snapshots>(mut service: S, context: Context) {
    let mut backoff = Backoff::new();
    let mut stream = None;
    let mut speaks = None;
    loop {
        let asked = Instant::now();
        let first = match poll(&mut service, &context).await {
            Ok(first) => first,
            Err(failure) => {
                context.fail(S::SOURCE, S::TOPIC, &failure);
                backoff.wait().await;
                continue;
            }
        };
        service.compare(&first.what, asked);
        let mut last = Some(first);
        backoff = Backoff::new();
        if speaks.is_none() {
            // It is opened before it is known whether it will speak: its being open tells.
            stream =
                stream.or_else(|| context.client.stream(S::TOPIC, LEAD, &service.request()).ok());
            speaks = match &stream {
                Some(_) => service.streams(&context).await,
                None => Some(false),
            };
            stream = stream.filter(|_| speaks != Some(false));
        }
        let period = if speaks == Some(true) { PERIOD } else { POLL_PERIOD };
        loop {
            let outcome = tokio::select! {
                update = next(&mut stream) => match update {
                    Some(Ok(json)) => {
                        last = None;
                        take(&mut service, &context, &json).map(|new| last = Some(new))
                    }
                    Some(Err(error @ RpcError::TooLarge { .. })) => Err(Failure::from(&error)),
                    // The service was unloaded, or the stream cannot be had: ask it plainly.
                    Some(Err(_)) | None => {
                        (stream, speaks) = (None, None);
                        backoff.wait().await;
                        break;
                    }
                },
                cause = service.reads_differently() => {
                    if let Some(last) = &last {
                        publish(&mut service, &context, last, cause);
                    }
                    Ok(())
                }
                () = context.due(asked, period) => break,
            };
            if let Err(failure) = outcome {
                context.fail(S::SOURCE, S::TOPIC, &failure);
            }
        }
    }
}

/// What was said last and could be read.
struct Last<T> {
    what: T,
    /// When it arrived.
    at: Instant,
}

/// Asks for one snapshot.
async fn poll<S: Snapshots>(
    service: &mut S,
    context: &Context,
) -> Result<Last<S::Snapshot>, Failure> {
    let json = context.ask(S::SOURCE, S::TOPIC, LEAD, &service.request()).await?;
    take(service, context, &json)
}

/// Takes a snapshot in and publishes it.
fn take<S: Snapshots>(
    service: &mut S,
    context: &Context,
    json: &[u8],
) -> Result<Last<S::Snapshot>, Failure> {
    let last = Last { at: Instant::now(), what: service.read(json)? };
    publish(service, context, &last, Cause::now(S::TOPIC));
    Ok(last)
}

fn publish<S: Snapshots>(
    service: &mut S,
    context: &Context,
    last: &Last<S::Snapshot>,
    cause: Cause,
) {
    context.publish(S::SOURCE, cause, last.at, service.reading(&last.what));
}

/// The next message; waits for ever where there is no stream.
async fn next(stream: &mut Option<Responses>) -> Option<Result<Bytes, RpcError>> {
    match stream {
        Some(stream) => stream.next().await,
        None => std::future::pending().await,
    }
}
