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

    /// What to ask.
    fn request(&self) -> Value;

    /// Reads one snapshot.
    fn read(&mut self, json: &[u8]) -> Result<Reading, Unreadable>;

    /// Whether the stream that was just opened will speak again; `None`: nobody said.
    async fn streams(&self, context: &Context) -> Option<bool>;

    /// Waits until the same snapshot reads differently, and says what made it.
    async fn reads_differently(&mut self) -> Cause {
        std::future::pending().await
    }

    /// Compares a snapshot that was asked for at `asked` with what is known otherwise.
    fn compare(&self, _json: &[u8], _asked: Instant) {}
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
        let mut last = match poll(&mut service, &context).await {
            Ok(snapshot) => snapshot,
            Err(failure) => {
                context.fail(S::SOURCE, S::TOPIC, &failure);
                backoff.wait().await;
                continue;
            }
        };
        service.compare(&last.json, asked);
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
                        last = Snapshot { json, at: Instant::now() };
                        take(&mut service, &context, &last, Cause::now(S::TOPIC))
                    }
                    Some(Err(error @ RpcError::TooLarge { .. })) => Err(Failure::from(&error)),
                    // The service was unloaded, or the stream cannot be had: ask it plainly.
                    Some(Err(_)) | None => {
                        (stream, speaks) = (None, None);
                        backoff.wait().await;
                        break;
                    }
                },
                cause = service.reads_differently() => take(&mut service, &context, &last, cause),
                () = context.due(asked, period) => break,
            };
            if let Err(failure) = outcome {
                context.fail(S::SOURCE, S::TOPIC, &failure);
            }
        }
    }
}

/// What was said last.
struct Snapshot {
    json: Bytes,
    /// When it arrived.
    at: Instant,
}

/// Asks for one snapshot.
async fn poll<S: Snapshots>(service: &mut S, context: &Context) -> Result<Snapshot, Failure> {
    let json = context.ask(S::SOURCE, S::TOPIC, LEAD, &service.request()).await?;
    let snapshot = Snapshot { json, at: Instant::now() };
    take(service, context, &snapshot, Cause::now(S::TOPIC))?;
    Ok(snapshot)
}

fn take<S: Snapshots>(
    service: &mut S,
    context: &Context,
    snapshot: &Snapshot,
    cause: Cause,
) -> Result<(), Failure> {
    context.publish(S::SOURCE, cause, snapshot.at, service.read(&snapshot.json)?);
    Ok(())
}

/// The next message; waits for ever where there is no stream.
async fn next(stream: &mut Option<Responses>) -> Option<Result<Bytes, RpcError>> {
    match stream {
        Some(stream) => stream.next().await,
        None => std::future::pending().await,
    }
}
