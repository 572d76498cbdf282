//! `resource.sched-status`: read when jobs or brokers changed, and at a slow heartbeat.
//!
//! What jobs hold is also told by the journal, where it is followed, and then known at once. What that
//! does not tell, such as a drain without `resource.journal`, is seen at the heartbeat.

use std::time::Duration;

use flux_client::ResourceSet;
use flux_demand::{HoldDown, Idle};
use fluxgauge_proto::catalogue::Source;
use tokio::{sync::watch, time::Instant};

use super::{
    Context, Failure, LEAD,
    job_stats::JobStats,
    journal::{self, JournalReader, Witness},
    snapshots::Snapshots as _,
};
use crate::{
    backoff::Backoff,
    metrics::{
        count,
        resources::SchedStatus,
        window::{self, Average},
    },
    state::{Cause, Key},
};

/// Where the scheduler's view is: since 0.61, and before. The newer name is cached in the broker.
const TOPICS: [&str; 2] = ["resource.sched-status", "sched.resource-status"];

/// The least time between two reads, each of which is work proportional to the ranks.
const DEBOUNCE: Duration = Duration::from_secs(1);

/// The same while the journal of jobs is followed, when only what happens to ranks is read for.
const SHORT_DEBOUNCE: Duration = Duration::from_millis(50);

/// A read takes one part in so many of the time at most.
const MAX_SHARE: u32 = 20;

/// The longest time between two reads.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// The same while somebody else than a job holds resources, of which no event tells that it ends:
/// housekeeping.
const HOUSEKEEPING_PERIOD: Duration = Duration::from_secs(1);

/// What was read last, for [`super::queue_status`] and [`super::demand`].
#[derive(Clone, Debug)]
pub(crate) struct Resources {
    pub(crate) status: SchedStatus,
    /// Counts the answers: with each one other things may be true of ranks.
    pub(crate) answer: u64,
    pub(crate) proved: Instant,
    pub(crate) cause: Cause,
}

/// What was read last, or why nothing could be.
pub(crate) type Latest = Result<Resources, String>;

/// Keeps the board up to date for ever.
pub(crate) async fn follow(
    context: Context,
    mut journal: JournalReader,
    latest: watch::Sender<Latest>,
) {
    let mut changes = context.changes.subscribe();
    let mut topics = TOPICS;
    let mut backoff = Backoff::new();
    // A change may be known to job-list a moment before the scheduler shows it, so that each read
    // that a change caused is followed by another one.
    let mut follow_up: Option<Cause> = None;
    let mut board = Publisher {
        start: Instant::now(),
        size: HoldDown::new(context.hold_down),
        context: &context,
        latest,
        others: ResourceSet::default(),
        utilization: Average::default(),
        idle: Idle::new(),
    };
    let mut answer = 0;
    loop {
        let asked = Instant::now();
        let changed = match changes.has_changed() {
            Ok(true) => Some(*changes.borrow_and_update()),
            _ => None,
        };
        let read = match read(&context, &mut topics).await {
            Ok(status) => {
                answer += 1;
                let cause = changed.or(follow_up).unwrap_or_else(|| Cause::now(topics[0]));
                Resources { status, answer, proved: Instant::now(), cause }
            }
            Err(failure) => {
                board.fail(topics[0], &failure);
                backoff.wait().await;
                continue;
            }
        };
        backoff = Backoff::new();
        board.compare(&read, asked, &journal);
        board.publish(&read, read.cause, &journal);

        let followed = journal.now().is_some();
        let pause = if followed { SHORT_DEBOUNCE } else { DEBOUNCE };
        let pause = pause.max(asked.elapsed() * (MAX_SHARE - 1));
        follow_up = changed.filter(|cause| !(followed && is_of_jobs(cause)));
        let period = if board.others.is_empty() { HEARTBEAT } else { HOUSEKEEPING_PERIOD };
        let next = async {
            context.due(asked, pause).await;
            loop {
                if follow_up.is_some() {
                    return;
                }
                tokio::select! {
                    Ok(()) = changes.changed() => {
                        let cause = *changes.borrow_and_update();
                        // The journal tells what jobs hold.
                        if !(followed && is_of_jobs(&cause)) {
                            changes.mark_changed();
                            return;
                        }
                    }
                    () = context.due(asked, period) => return,
                }
            }
        };
        tokio::pin!(next);
        loop {
            let before = allocations(&journal);
            tokio::select! {
                () = &mut next => break,
                () = journal.changed() => {
                    if allocations(&journal) != before {
                        board.publish(&read, journal.cause(), &journal);
                    }
                }
            }
        }
    }
}

/// Whether a change is one of jobs.
fn is_of_jobs(cause: &Cause) -> bool {
    [JobStats::TOPIC, journal::TOPIC].contains(&cause.topic)
}

/// A number that is another one whenever jobs hold something else.
fn allocations(journal: &JournalReader) -> Option<u64> {
    journal.now().as_ref().map(|journal| journal.jobs.allocations())
}

/// Says what was read, put right by the journal.
struct Publisher<'a> {
    context: &'a Context,
    latest: watch::Sender<Latest>,
    start: Instant,
    size: HoldDown,
    /// What is allocated and no job holds.
    others: ResourceSet,
    /// Of nodes.
    utilization: Average,
    /// Of any node.
    idle: Idle,
}

impl Publisher<'_> {
    /// What the scheduler has allocated is what jobs hold and what is cleaned up after them. Both
    /// can be told apart where nothing happened to jobs since the question.
    fn compare(&mut self, read: &Resources, asked: Instant, journal: &JournalReader) {
        let allocated = &read.status.allocated;
        let journaled = journal.now();
        let Some(known) = journaled.as_ref() else {
            self.others = ResourceSet::default();
            return;
        };
        if known.arrived >= asked {
            self.others = self.others.intersection(allocated);
            return;
        }
        self.others = allocated.difference(known.jobs.allocated());
        let freed = known.jobs.allocated().difference(allocated);
        let difference = (!freed.is_empty())
            .then(|| format!("jobs hold {freed} by the journal, which are not allocated"));
        drop(journaled);
        journal.compared(Witness::SchedStatus, TOPICS[0], difference.as_deref());
    }

    fn publish(&mut self, read: &Resources, cause: Cause, journal: &JournalReader) {
        let mut resources = Resources { cause, ..read.clone() };
        if let Some(journal) = &*journal.now() {
            resources.status.allocated.clone_from(journal.jobs.allocated());
            resources.status.allocated.add(&self.others);
        }
        let moment = Instant::now().duration_since(self.start);
        let size = self.size.feed(moment, resources.status.min_safe_size());
        let mut reading = resources.status.reading(size);
        let values = &mut reading.values;
        let value = |metric| values.get(&Key::instance(metric)).copied();
        self.utilization.feed(moment, value("node_utilization_ratio"));
        let idle = self.idle.feed(moment, value("node_idle_count") == Some(0.0));
        values.insert(Key::instance("node_idle_seconds"), count(idle.as_secs()));
        let utilization = ["node_utilization_ratio_1m", "node_utilization_ratio_5m"];
        window::put(values, utilization, self.utilization.averages());
        self.context.board.answered(Source::SchedStatus, resources.proved, reading, cause);
        drop(self.latest.send_replace(Ok(resources)));
    }

    fn fail(&self, topic: &'static str, failure: &Failure) {
        self.context.fail(Source::SchedStatus, topic, failure);
        if let Some(reason) = failure.reason() {
            drop(self.latest.send_replace(Err(reason.to_owned())));
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
