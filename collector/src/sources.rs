//! One module per source: which service to ask, when, and what to do when it does not answer.
//!
//! Flux's streams speak only on change, so that silence proves nothing: each source is asked anew
//! at least every [`proof_period`](crate::pace::Pace::proof_period), and the answer both proves and
//! corrects what the stream said. An error that is answered empties the source at once, with the
//! reason; no answer at all lets its values age until a gateway refuses them.
//!
//! ```text
//!  journal ──┬──────────▶ job_stats ─────────────────────▶ board
//!            ├──────────▶ sched_status ──┬────────────────▶ board
//!            └──────────▶ demand ────────│────────────────▶ board
//!  online ───────────┐ changed           ├▶ queue_status ──▶ board
//!  resource_journal ─┴─▶ sched_status ───┼▶ demand
//!                                        └▶ statuses (three services) ▶ board
//!  broker (a row for each service) ───────────────────────▶ board
//! ```
//!
//! The journal has every event of every job, where it can be followed; without it a change in
//! job_stats has the resources, and with them what waiting jobs need, asked for anew.

pub(crate) mod broker;
pub(crate) mod demand;
pub(crate) mod job_stats;
pub(crate) mod journal;
pub(crate) mod online;
pub(crate) mod queue_status;
pub(crate) mod resource_journal;
pub(crate) mod sched_status;
pub(crate) mod snapshots;
pub(crate) mod statuses;

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use flux_client::{Client, Errno, RpcError};
use fluxgauge_proto::catalogue::Source;
use serde::Serialize;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    backoff::Backoff,
    metrics::Unreadable,
    pace::PaceReader,
    state::{Board, Broker, Cause, Reading},
};

/// The rank that speaks for the instance.
const LEAD: u32 = 0;

/// How long an answer may take before its source is called silent, unless proofs are due sooner.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long an answer is waited for after that at most, before the request is made again: a module
/// that was unloaded never answers, and the value must be proved before it is too old.
const GIVE_UP: Duration = Duration::from_secs(60);

/// What every source needs, for as long as one connection to the broker lasts.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) client: Client,
    pub(crate) board: Board,
    pub(crate) pace: PaceReader,
    pub(crate) broker: Arc<Broker>,
    /// The latest message that may mean other resources.
    pub(crate) changes: watch::Sender<Cause>,
    /// For how long ranks are idle before a size falls below them.
    pub(crate) hold_down: Duration,
    /// Connections to the broker before this one.
    pub(crate) reconnects: u32,
}

/// By the clock of the broker's node, which is this pod's: Flux dates submissions by it.
#[expect(clippy::disallowed_methods, reason = "the edge: this is where the clock is taken")]
fn epoch_seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nobody has the service: an older broker, or one that is still starting.
    NoService(String),
    /// The service is for those who have another role.
    Refused(String),
    /// The answer was an error, or cannot be used.
    Answered(String),
    /// There was none.
    Silent,
}

impl Context {
    /// Asks once, at `nodeid`. When that takes too long the board learns it, and the wait goes on:
    /// a broker that hangs is not buried in requests.
    pub(crate) async fn ask(
        &self,
        source: Source,
        topic: &'static str,
        nodeid: u32,
        payload: &impl Serialize,
    ) -> Result<Bytes, Failure> {
        let answer = self.client.rpc_bytes(topic, nodeid, payload);
        tokio::pin!(answer);
        let patience = self.pace.now().proof_period().min(PATIENCE);
        let answer = match timeout(patience, &mut answer).await {
            Ok(answer) => answer,
            Err(_) => {
                let patience = humantime::format_duration(patience);
                let reason = format!("no answer to {topic} within {patience}");
                self.board.silent(source, topic, &reason);
                let give_up = self.pace.now().proof_period().min(GIVE_UP);
                timeout(give_up, answer).await.map_err(|_| Failure::Silent)?
            }
        };
        match answer {
            // The connection says why, and ends all sources with it.
            Err(RpcError::Disconnected(_)) => std::future::pending().await,
            answer => answer.map_err(|error| Failure::from(&error)),
        }
    }

    /// Waits until the next proof is due, `limit` after `since` at the latest, however the pace
    /// changes meanwhile.
    pub(crate) async fn due(&self, since: Instant, limit: Duration) {
        let mut pace = self.pace.clone();
        loop {
            tokio::select! {
                () = sleep_until(since + pace.now().proof_period().min(limit)) => return,
                () = pace.changed() => {}
            }
        }
    }

    /// The source says this now, because of a message, which is told to the sources that follow; it was
    /// `proved` by the last answer.
    fn publish(&self, source: Source, cause: Cause, proved: Instant, reading: Reading) {
        if self.board.answered(source, proved, reading, cause) {
            self.changes.send_replace(cause);
        }
    }

    /// The source says nothing now.
    fn fail(&self, source: Source, topic: &'static str, failure: &Failure) {
        if let Some(reason) = failure.reason() {
            self.board.failed(source, topic, reason);
        }
    }
}

impl Failure {
    /// Waits until it is time to ask again.
    pub(crate) async fn wait(&self, backoff: &mut Backoff) {
        match self {
            Self::NoService(_) => backoff.wait_for_service().await,
            Self::Refused(_) | Self::Answered(_) | Self::Silent => backoff.wait().await,
        }
    }

    /// What was answered, if anything was.
    pub(crate) fn reason(&self) -> Option<&str> {
        match self {
            Self::NoService(reason) | Self::Refused(reason) | Self::Answered(reason) => {
                Some(reason)
            }
            Self::Silent => None,
        }
    }
}

impl From<&RpcError> for Failure {
    fn from(error: &RpcError) -> Self {
        match error {
            RpcError::Failed { errno: Errno::EPERM, .. } => {
                Self::Refused(format!("insufficient role: {error}"))
            }
            RpcError::Failed { errno: Errno::ENOSYS, .. } => Self::NoService(error.to_string()),
            RpcError::TooLarge { topic, len, limit } => Self::Answered(format!(
                "the answer to {topic} has {len} bytes, over the limit of {limit}: raise \
                 --max-frame (FLUXGAUGE_MAX_FRAME)"
            )),
            // The broker reads nothing: it hangs.
            RpcError::Busy { .. } => Self::Silent,
            error => Self::Answered(error.to_string()),
        }
    }
}

impl From<Unreadable> for Failure {
    fn from(error: Unreadable) -> Self {
        Self::Answered(error.to_string())
    }
}
