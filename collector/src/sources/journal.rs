//! `job-manager.events-journal`: every event of every job, for the owner since 0.61.
//!
//! Where it can be followed, jobs are known the moment Flux knows them, and the sources that are asked
//! from time to time have it put right. Where it cannot, those have to do.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context as Look, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use flux_client::{Responses, RpcError};
use serde_json::json;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, timeout},
};
use tracing::{debug, info, warn};

use super::{Context, Failure, LEAD};
use crate::{
    backoff::Backoff,
    journal::{Jobs, Message, Unusable},
    state::Cause,
};

/// The service.
pub(crate) const TOPIC: &str = "job-manager.events-journal";

/// Messages that wait to be taken: more than the connection reads before they have their turn.
const KEEP: usize = 16 * 1024;

/// Messages that are taken before others have their turn, and are one change for all who look.
const BATCH: usize = 256;

/// How long a stream that was cancelled may take to end.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(2);

/// What the journal said.
#[derive(Debug)]
pub(crate) struct Journal {
    /// The jobs as of `arrived`.
    pub(crate) jobs: Jobs,
    /// When the last message arrived.
    pub(crate) arrived: Instant,
}

/// For those who look. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct JournalReader {
    /// `None` while it is not followed.
    journal: watch::Receiver<Option<Journal>>,
    doubts: Arc<Doubts>,
}

/// Disagreements with one service in a row, after which the journal is given up: what can be asked for is
/// right.
const MAX_IN_A_ROW: u64 = 3;

/// What the journal is compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Witness {
    /// The numbers of jobs by state.
    JobStats,
    /// What is allocated.
    SchedStatus,
}

/// What is thought of the journal by those who compare.
#[derive(Debug, Default)]
struct Doubts {
    wake: Notify,
    count: AtomicU64,
    /// By each witness since it last agreed.
    in_a_row: [AtomicU64; 2],
}

impl Doubts {
    fn in_a_row(&self, witness: Witness) -> &AtomicU64 {
        let [job_stats, sched_status] = &self.in_a_row;
        match witness {
            Witness::JobStats => job_stats,
            Witness::SchedStatus => sched_status,
        }
    }

    fn are_too_many(&self) -> bool {
        self.in_a_row.iter().any(|count| count.load(Relaxed) >= MAX_IN_A_ROW)
    }
}

/// Why the journal is not followed at the moment.
enum End {
    /// It never will be on this connection.
    ForGood(String),
    /// It is tried again.
    ForNow(String),
}

/// A journal that is not followed yet, and who keeps it up to date.
pub(crate) fn channel() -> (watch::Sender<Option<Journal>>, JournalReader) {
    let (sender, journal) = watch::channel(None);
    (sender, JournalReader { journal, doubts: Arc::default() })
}

/// Keeps the journal up to date for ever.
pub(crate) async fn follow(
    context: Context,
    journal: watch::Sender<Option<Journal>>,
    reader: JournalReader,
) {
    let mut backoff = Backoff::new();
    loop {
        let begun = Instant::now();
        let end = run(&context, &journal, &reader.doubts).await;
        journal.send_replace(None);
        match end {
            End::ForGood(reason) => {
                info!(%reason, "jobs are polled: their journal cannot be followed");
                return std::future::pending().await;
            }
            End::ForNow(reason) => {
                debug!(%reason, "jobs are polled until their journal can be followed");
                if begun.elapsed() > Backoff::CAP {
                    backoff = Backoff::new();
                }
                backoff.wait().await;
            }
        }
    }
}

/// Follows one stream to its end.
async fn run(context: &Context, journal: &watch::Sender<Option<Journal>>, doubts: &Doubts) -> End {
    let stream = context.client.stream_keeping(TOPIC, LEAD, &json!({ "full": false }), KEEP);
    let mut stream = match stream {
        Ok(stream) => stream,
        Err(error) => return End::of(&error),
    };
    let mut jobs = Jobs::default();
    loop {
        let message = stream.next().await;
        match take(&stream, message, &mut jobs) {
            Ok(true) => break,
            Ok(false) => {}
            Err(end) => return end,
        }
    }
    debug!(active = jobs.numbers().active(), "the journal of jobs is followed");
    journal.send_replace(Some(Journal { jobs, arrived: Instant::now() }));
    loop {
        let first = tokio::select! {
            first = stream.next() => first,
            () = doubts.wake.notified() => {
                cancel(&mut stream).await;
                return if doubts.are_too_many() {
                    End::ForGood(format!("it was wrong {MAX_IN_A_ROW} times in a row"))
                } else {
                    End::ForNow("it was wrong and is read anew".to_owned())
                };
            }
        };
        let mut end = None;
        journal.send_modify(|journal| {
            if let Some(journal) = journal {
                end = take_batch(&mut stream, first, &mut journal.jobs).err();
                journal.arrived = Instant::now();
            }
        });
        if let Some(end) = end {
            return end;
        }
    }
}

/// Takes a message and those that wait behind it.
fn take_batch(
    stream: &mut Responses,
    first: Option<Result<Bytes, RpcError>>,
    jobs: &mut Jobs,
) -> Result<(), End> {
    take(stream, first, jobs)?;
    for _ in 1..BATCH {
        match stream.poll_next(&mut Look::from_waker(Waker::noop())) {
            Poll::Ready(message) => take(stream, message, jobs)?,
            Poll::Pending => break,
        };
    }
    Ok(())
}

/// Takes a message. Returns whether it is the end of the backlog.
fn take(
    stream: &Responses,
    message: Option<Result<Bytes, RpcError>>,
    jobs: &mut Jobs,
) -> Result<bool, End> {
    let json = match message {
        Some(Ok(json)) => json,
        Some(Err(error)) => return Err(End::of(&error)),
        None => return Err(End::ForNow("the service ended the stream".to_owned())),
    };
    if stream.skipped() > 0 {
        return Err(End::ForNow(format!("more than {KEEP} messages came at once")));
    }
    match Message::read(&json)? {
        Message::Live => Ok(true),
        Message::Job(events) => {
            jobs.take(&events)?;
            Ok(false)
        }
    }
}

/// Has the service end the stream, so that it does not go on for nobody.
async fn cancel(stream: &mut Responses) {
    let ended = async {
        if stream.cancel().is_ok() {
            while let Some(Ok(_)) = stream.next().await {}
        }
    };
    // One that goes on is read by nobody.
    timeout(CANCEL_TIMEOUT, ended).await.ok();
}

impl End {
    fn of(error: &RpcError) -> Self {
        match Failure::from(error) {
            Failure::Refused(reason) => Self::ForGood(reason),
            Failure::NoService(reason) | Failure::Answered(reason) => Self::ForNow(reason),
            Failure::Silent => Self::ForNow("the broker reads nothing".to_owned()),
        }
    }
}

impl From<Unusable> for End {
    fn from(error: Unusable) -> Self {
        match error {
            Unusable::Old => Self::ForGood(error.to_string()),
            Unusable::Unreadable(_) | Unusable::TooMany => Self::ForNow(error.to_string()),
        }
    }
}

impl JournalReader {
    /// What is known now. Not to be kept: the journal waits meanwhile.
    pub(crate) fn now(&self) -> watch::Ref<'_, Option<Journal>> {
        self.journal.borrow()
    }

    /// Waits until something else is known, since the last time that this returned.
    pub(crate) async fn changed(&mut self) {
        if self.journal.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The last message.
    pub(crate) fn cause(&self) -> Cause {
        let arrived = self.now().as_ref().map(|journal| journal.arrived);
        arrived.map_or_else(|| Cause::now(TOPIC), |at| Cause { topic: TOPIC, at })
    }

    /// Whether nothing came for so long, so that what is known can be compared with an answer.
    pub(crate) fn is_quiet_since(&self, moment: Instant) -> bool {
        self.now().as_ref().is_some_and(|journal| journal.arrived < moment)
    }

    /// How often the journal was found to be wrong.
    pub(crate) fn disagreements(&self) -> u64 {
        self.doubts.count.load(Relaxed)
    }

    /// The journal was compared with an answer. A difference counts, and has the journal read anew.
    pub(crate) fn compared(&self, witness: Witness, topic: &str, difference: Option<&str>) {
        let in_a_row = self.doubts.in_a_row(witness);
        let Some(difference) = difference else {
            return in_a_row.store(0, Relaxed);
        };
        warn!(topic, difference, "the journal of jobs disagrees with an answer, and is read anew");
        in_a_row.fetch_add(1, Relaxed);
        self.doubts.count.fetch_add(1, Relaxed);
        self.doubts.wake.notify_one();
    }
}
