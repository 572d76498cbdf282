//! `resource.journal`: what happens to ranks, for the owner since 0.72. Nothing is read from it but that
//! something happened: the resources are then asked for at once.

use flux_client::RpcError;
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use super::{Context, Failure, LEAD};
use crate::{backoff::Backoff, state::Cause};

const TOPIC: &str = "resource.journal";

/// Messages that wait: that there is one says it all.
const KEEP: usize = 1;

/// Tells of changes for ever.
pub(crate) async fn follow(context: Context) {
    let mut backoff = Backoff::new();
    loop {
        match run(&context).await.as_ref().map(Failure::from) {
            Some(Failure::Refused(_)) => return std::future::pending().await,
            // Before 0.72 nobody has the service.
            Some(failure) => failure.wait(&mut backoff).await,
            None => backoff.wait().await,
        }
    }
}

/// Follows one stream to its end.
async fn run(context: &Context) -> Option<RpcError> {
    let mut stream = match context.client.stream_keeping(TOPIC, LEAD, &json!({}), KEEP) {
        Ok(stream) => stream,
        Err(error) => return Some(error),
    };
    let mut live = false;
    loop {
        match stream.next().await {
            Some(Ok(_)) if live => {
                context.changes.send_replace(Cause::now(TOPIC));
            }
            // The backlog ends with a message without events, behind which nothing is skipped.
            Some(Ok(json)) => live = is_empty(&json) || stream.skipped() > 0,
            Some(Err(error)) => return Some(error),
            None => return None,
        }
    }
}

fn is_empty(json: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(borrow)]
        events: Vec<&'a RawValue>,
    }
    serde_json::from_slice::<Message<'_>>(json).is_ok_and(|message| message.events.is_empty())
}
