//! `resource.sched-status`: read when jobs or brokers changed, and at a slow heartbeat.
//!
//! There is no event for resources. What jobs and brokers do not tell, such as a drain, is seen at
//! the heartbeat.

use std::time::Duration;

use flux_demand::HoldDown;
use fluxgauge_proto::catalogue::Source;
use tokio::{sync::watch, time::Instant};

use super::{Context, Failure, LEAD};
use crate::{backoff::Backoff, metrics::resources::SchedStatus, state::Cause};

/// Where the scheduler's view is: since 0.61, and before. The newer name is cached in the broker.
const TOPICS: [&str; 2] = ["resource.sched-status", "sched.resource-status"];

/// The least time between two reads: each is work proportional to the ranks.
const DEBOUNCE: Duration = Duration::from_secs(1);

/// The longest time between two reads.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// What was read last, for [`super::queue_status`] and [`super::demand`].
#[derive(Debug)]
pub(crate) struct Resources {
    pub(crate) status: SchedStatus,
    pub(crate) proved: Instant,
    pub(crate) cause: Cause,
}

/// What was read last, or why nothing could be.
pub(crate) type Latest = Result<Resources, String>;

/// Keeps the board up to date for ever.
pub(crate) async fn follow(context: Context, latest: watch::Sender<Latest>) {
    let mut changes = context.changes.subscribe();
    let mut topics = TOPICS;
    let mut backoff = Backoff::new();
    // A change may be known to job-list a moment before the scheduler shows it, so that each read
    // that a change caused is followed by another one.
    let mut follow_up: Option<Cause> = None;
    let (start, mut size) = (Instant::now(), HoldDown::new(context.hold_down));
    loop {
        let asked = Instant::now();
        let changed = match changes.has_changed() {
            Ok(true) => Some(*changes.borrow_and_update()),
            _ => None,
        };
        match read(&context, &mut topics).await {
            Ok(status) => {
                let cause = changed.or(follow_up).unwrap_or_else(|| Cause::now(topics[0]));
                let proved = Instant::now();
                let size = size.feed(proved.duration_since(start), status.min_safe_size());
                context.board.answered(Source::SchedStatus, proved, status.reading(size), cause);
                latest.send_modify(|latest| *latest = Ok(Resources { status, proved, cause }));
                backoff = Backoff::new();
            }
            Err(failure) => {
                context.fail(Source::SchedStatus, topics[0], &failure);
                if let Some(reason) = failure.reason() {
                    let reason = reason.to_owned();
                    latest.send_modify(|latest| *latest = Err(reason));
                }
                backoff.wait().await;
                continue;
            }
        }
        context.due(asked, DEBOUNCE).await;
        follow_up = changed;
        if follow_up.is_none() {
            tokio::select! {
                Ok(()) = changes.changed() => changes.mark_changed(),
                () = context.due(asked, HEARTBEAT) => {}
            }
        }
    }
}

/// Asks under the name that answered last. Nobody there means an older broker or one that is still
/// starting: then the other name is asked, and kept if it answers.
async fn read(context: &Context, topics: &mut [&'static str; 2]) -> Result<SchedStatus, Failure> {
    let [first, other] = *topics;
    let ask = |topic| context.ask(Source::SchedStatus, topic, LEAD, &());
    let answer = match ask(first).await {
        Err(Failure::NoService(reason)) => match ask(other).await {
            Ok(answer) => {
                topics.swap(0, 1);
                answer
            }
            Err(Failure::NoService(_)) => return Err(Failure::NoService(reason)),
            Err(failure) => return Err(failure),
        },
        answer => answer?,
    };
    Ok(SchedStatus::read(&answer)?)
}
