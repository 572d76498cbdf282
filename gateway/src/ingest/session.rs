//! One stream, from its hello to its end.

use std::{sync::Arc, time::Duration};

use fluxgauge_proto::v1::{Ack, Hello, ReportRequest, Sample, Wishes, report_request::Body};
use http::HeaderMap;
use tokio::time::{Instant, sleep, sleep_until};
use tonic::{Code, Request, Status, Streaming};
use tracing::{debug, info};

use super::{
    Ingest,
    apply::{self, Applied, Report},
    connection::{Connection, Occupied},
    hello,
    pace::Pace,
    ration::Ration,
};
use crate::{
    auth::collectors::{Claim, Grounds, Pass, Refused},
    crowd::Place,
    model::{Provenance, Standing},
    store::{ClaimError, Unpublished, Writer},
    telemetry::OpenStream,
};

/// How long a stream may take to say hello.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(5);

/// How often it is looked at whether a silent stream may go on; one that speaks, with each sample.
pub const RECHECK_INTERVAL: Duration = Duration::from_secs(2);

/// One stream.
pub(super) struct Session {
    ingest: Ingest,
    connection: Arc<Connection>,
    /// With what it was opened; empty once it is known who reports.
    headers: HeaderMap,
    messages: Streaming<ReportRequest>,
    /// What it says it is, once it has said it.
    claim: Option<Claim>,
    /// Why it was not let in.
    refused: Option<Refused>,
    /// While it is not known whose it is.
    entry: Option<Place>,
    /// What it may send before that is known.
    ration: Ration,
    /// What follows the hello.
    open: Option<Open>,
    _counted: OpenStream,
    /// Last, so that the connection goes after all that is of the stream.
    _occupied: Occupied,
}

/// A stream whose hello was accepted.
struct Open {
    writer: Writer,
    report: Report,
    pass: Pass,
    /// `None`: where anybody reports, nobody is slowed.
    pace: Option<Pace>,
}

impl Session {
    /// Lets a stream in that has proved nothing yet.
    ///
    /// # Errors
    ///
    /// When there are too many of these.
    pub(super) fn enter(
        ingest: &Ingest,
        connection: &Arc<Connection>,
        request: Request<Streaming<ReportRequest>>,
    ) -> Result<Self, Status> {
        let occupied = connection.stream();
        let entry = connection.caller.enter().map_err(|refused| {
            let now = ingest.clock.now().instant;
            connection.caller.audit(None, None, &refused.to_string(), now);
            let status = status(&refused);
            ingest.counters.refuse(status.code());
            status
        })?;
        let (metadata, extensions, messages) = request.into_parts();
        let ration = extensions.get::<Ration>().cloned().unwrap_or_default();
        Ok(Self {
            ingest: ingest.clone(),
            connection: Arc::clone(connection),
            headers: metadata.into_headers(),
            messages,
            claim: None,
            refused: None,
            entry: Some(entry),
            ration,
            open: None,
            _counted: ingest.counters.open(),
            _occupied: occupied,
        })
    }

    /// Reads one message and answers it; `None` when the collector ended the stream.
    pub(super) async fn next_ack(&mut self) -> Result<Option<Ack>, Status> {
        match self.message().await?.map(|message| message.body) {
            None => Ok(None),
            Some(Some(Body::Hello(hello))) => self.hello(hello).await.map(Some),
            Some(Some(Body::Sample(sample))) => self.sample(sample).await.map(Some),
            Some(Some(Body::Leaving(leaving))) => {
                if let Some(open) = self.open.take() {
                    let reporter = Arc::clone(open.writer.reporter());
                    info!(
                        namespace = &*reporter.cluster.namespace,
                        minicluster = &*reporter.cluster.name,
                        rank = reporter.rank,
                        reason = %apply::text(&leaving.reason),
                        "collector left"
                    );
                    open.writer.leave();
                }
                Ok(None)
            }
            Some(None) => {
                let open = self.open.as_ref().ok_or_else(no_hello)?;
                let sequence = open.report.sequence();
                Ok(Some(Ack { sequence, want_full: false, wishes: None }))
            }
        }
    }

    /// The next message, while the stream may go on.
    async fn message(&mut self) -> Result<Option<ReportRequest>, Status> {
        let (patience, what) = match self.open {
            Some(_) => (self.ingest.max_age, "message"),
            None => (HELLO_TIMEOUT, "hello"),
        };
        let deadline = Instant::now() + patience;
        loop {
            tokio::select! {
                biased;
                () = self.ingest.shutdown.cancelled() => {
                    return Err(Status::unavailable("this gateway is shutting down; reconnect"));
                }
                read = self.messages.message() => {
                    let read = read?;
                    // What has just been said counts only if it may be said.
                    self.check()?;
                    return Ok(read);
                }
                () = sleep_until(deadline) => {
                    let seconds = patience.as_secs();
                    return Err(Status::deadline_exceeded(format!(
                        "no {what} for {seconds} s: report at least every {seconds} s"
                    )));
                }
                () = replaced(self.open.as_ref()) => self.check()?,
                () = sleep(RECHECK_INTERVAL) => self.check()?,
            }
        }
    }

    /// Whether the stream may go on.
    fn check(&self) -> Result<(), Status> {
        let Some(open) = &self.open else { return Ok(()) };
        open.writer.check().map_err(|replaced| Status::aborted(replaced.to_string()))?;
        open.pass.check(self.ingest.clock.now()).map_err(|refused| status(&refused))
    }

    async fn hello(&mut self, hello: Hello) -> Result<Ack, Status> {
        if self.open.is_some() {
            return Err(Status::invalid_argument("a stream has one hello, and this is a second"));
        }
        hello::check(&hello)?;
        let claim = hello::claim(&hello);
        self.claim = Some(claim.clone());
        let headers = std::mem::take(&mut self.headers);
        let now = self.ingest.clock.now();
        let pass =
            self.connection.caller.admit(&headers, &claim, now).await.map_err(|refused| {
                let status = status(&refused);
                self.refused = Some(refused);
                status
            })?;
        let connected = self.ingest.clock.now().instant;
        let pod = pass.pod().map(AsRef::as_ref);
        let reporter = Arc::new(hello::reporter(hello, pass.standing(), pod, connected));
        let writer = self.ingest.store.claim(Arc::clone(&reporter)).map_err(|error| {
            self.refused = Some(pass.refused(error.to_string()));
            match error {
                ClaimError::Superseded { .. } => Status::failed_precondition(error.to_string()),
                ClaimError::Outranked { .. } => Status::permission_denied(error.to_string()),
                ClaimError::Full | ClaimError::TooMuch(_) => {
                    Status::resource_exhausted(error.to_string())
                }
            }
        })?;
        info!(
            namespace = &*reporter.cluster.namespace,
            minicluster = &*reporter.cluster.name,
            rank = reporter.rank,
            pod = &*reporter.pod,
            flux = &*reporter.flux_version,
            by = pass.who(),
            "collector connected"
        );
        let pace = (pass.standing() > Standing::Unasked).then(|| Pace::new(connected));
        self.open = Some(Open { writer, report: Report::default(), pass, pace });
        self.entry = None;
        self.ration.lift();
        Ok(Ack {
            sequence: 0,
            want_full: false,
            wishes: Some(Wishes {
                interval_ms: milliseconds(self.ingest.interval),
                max_age_ms: milliseconds(self.ingest.max_age),
            }),
        })
    }

    async fn sample(&mut self, sample: Sample) -> Result<Ack, Status> {
        let open = self.open.as_mut().ok_or_else(no_hello)?;
        let received = self.ingest.clock.now();
        let sequence = sample.sequence;
        let counters = &self.ingest.counters;
        let applied = open.report.apply(sample, open.writer.reporter(), received);
        let want_full = match applied.inspect_err(|_| counters.samples_refused.add())? {
            Applied::Gap => {
                counters.gaps.add();
                true
            }
            Applied::Snapshot(snapshot, provenance) => {
                open.writer.publish(*snapshot).map_err(|error| {
                    counters.samples_refused.add();
                    match error {
                        Unpublished::Replaced(_) => Status::aborted(error.to_string()),
                        Unpublished::TooMuch(_) => Status::resource_exhausted(error.to_string()),
                    }
                })?;
                counters.samples.add();
                if let Some(provenance) = provenance {
                    let stored = self.ingest.clock.now().wall;
                    let told = Provenance { stored, ..Provenance::clone(&provenance) };
                    (self.ingest.on_sample)(open.writer.reporter(), &told);
                }
                false
            }
        };
        if let Some(wait) = open.pace.as_mut().map(|pace| pace.take(received.instant))
            && !wait.is_zero()
        {
            sleep(wait).await;
        }
        Ok(Ack { sequence, want_full, wishes: None })
    }

    /// Counts a stream that its collector has not ended itself, and writes down how it ended.
    pub(super) fn note_end(&self, status: &Status) {
        self.ingest.counters.refuse(status.code());
        let who = match &self.open {
            Some(open) => Some(open.pass.who()),
            None => self.refused.as_ref().and_then(|refused| refused.who.as_deref()),
        };
        let why = match &self.refused {
            Some(refused) => refused.for_log(),
            None => status.message().to_owned(),
        };
        let refused = match status.code() {
            Code::Unauthenticated
            | Code::PermissionDenied
            | Code::ResourceExhausted
            | Code::InvalidArgument
            | Code::FailedPrecondition
            | Code::OutOfRange => true,
            Code::Unavailable => self.open.is_none() && self.claim.is_some(),
            Code::DeadlineExceeded => self.open.is_none(),
            _ => false,
        };
        if refused {
            let now = self.ingest.clock.now().instant;
            self.connection.caller.audit(who, self.claim.as_ref(), &why, now);
        } else {
            debug!(who, code = ?status.code(), why, "stream ended");
        }
    }
}

/// Waits until another stream has the place of an open one: at once it costs nothing any more.
async fn replaced(open: Option<&Open>) {
    match open {
        Some(open) => open.writer.replaced().await,
        None => std::future::pending().await,
    }
}

fn no_hello() -> Status {
    Status::invalid_argument("the first message of a stream must be a hello")
}

/// A refusal as it is told to the collector.
fn status(refused: &Refused) -> Status {
    let code = match refused.grounds {
        Grounds::Unproved => Code::Unauthenticated,
        Grounds::Denied => Code::PermissionDenied,
        Grounds::TooMany => Code::ResourceExhausted,
        Grounds::Undecided => Code::Unavailable,
    };
    Status::new(code, refused.to_string())
}

fn milliseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
