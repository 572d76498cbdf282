//! Takes the streams of collectors: proto → model → store.
//!
//! One [`Session`] per stream. It holds what the stream said so far, applies each sample to it and
//! publishes the result as one new snapshot. What breaks the contract ends the stream with a
//! status that says what and where; what is merely unknown is ignored, since a collector may be
//! one version ahead.

use std::{pin::Pin, sync::Arc, time::Duration};

use fluxgauge_proto::{
    CONTRACT_VERSION, limits,
    v1::{Ack, Hello, ReportRequest, Wishes, report_request::Body, telemetry_server::Telemetry},
};
use futures_util::{Stream, stream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};
use tracing::{debug, info, warn};

use crate::{
    clock::Clock,
    model::{ClusterKey, Provenance, Reporter},
    store::{ClaimError, Store, Writer},
};

mod apply;

use apply::{Applied, Report};

/// Told of each sample once readers can see it.
pub type OnSample = Arc<dyn Fn(&Reporter, &Provenance) + Send + Sync>;

/// The gRPC service.
#[derive(Clone)]
pub struct Ingest {
    /// Where samples go.
    pub store: Arc<Store>,
    /// What times they get.
    pub clock: Clock,
    /// The longest time between samples that collectors are asked for.
    pub interval: Duration,
    /// The age up to which values are served; a stream that is silent for as long is ended.
    pub max_age: Duration,
    /// Writes the spans of a sample.
    pub on_sample: OnSample,
    /// Ends all streams when the gateway goes.
    pub shutdown: CancellationToken,
}

impl std::fmt::Debug for Ingest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ingest").field("max_age", &self.max_age).finish_non_exhaustive()
    }
}

#[tonic::async_trait]
impl Telemetry for Ingest {
    type ReportStream = Pin<Box<dyn Stream<Item = Result<Ack, Status>> + Send>>;

    async fn report(
        &self,
        request: Request<Streaming<ReportRequest>>,
    ) -> Result<Response<Self::ReportStream>, Status> {
        let session = Session { ingest: self.clone(), messages: request.into_inner(), open: None };
        let acks = stream::unfold(Some(session), |session| async move {
            let mut session = session?;
            match session.next_ack().await {
                Ok(Some(ack)) => Some((Ok(ack), Some(session))),
                Ok(None) => None,
                Err(status) => {
                    session.log_end(&status);
                    Some((Err(status), None))
                }
            }
        });
        Ok(Response::new(Box::pin(acks)))
    }
}

/// One stream.
struct Session {
    ingest: Ingest,
    messages: Streaming<ReportRequest>,
    /// What follows the hello.
    open: Option<Open>,
}

/// A stream whose hello was accepted.
struct Open {
    writer: Writer,
    report: Report,
}

impl Session {
    /// Reads one message and answers it; `None` when the collector ended the stream.
    async fn next_ack(&mut self) -> Result<Option<Ack>, Status> {
        let message = tokio::select! {
            biased;
            () = self.ingest.shutdown.cancelled() => {
                return Err(Status::unavailable("this gateway is shutting down; reconnect"));
            }
            read = tokio::time::timeout(self.ingest.max_age, self.messages.message()) => {
                read.map_err(|_| Status::deadline_exceeded(format!(
                    "no message for {}s, the age up to which values are served",
                    self.ingest.max_age.as_secs()
                )))??
            }
        };
        match message.map(|message| message.body) {
            None => Ok(None),
            Some(Some(Body::Hello(hello))) => self.hello(hello).map(Some),
            Some(Some(Body::Sample(sample))) => {
                let open = self.open.as_mut().ok_or_else(|| {
                    Status::invalid_argument("the first message of a stream must be a hello")
                })?;
                let received = self.ingest.clock.now();
                let sequence = sample.sequence;
                match open.report.apply(sample, open.writer.reporter(), received)? {
                    Applied::Gap => Ok(Some(Ack { sequence, want_full: true, wishes: None })),
                    Applied::Snapshot(snapshot, provenance) => {
                        open.writer
                            .publish(*snapshot)
                            .map_err(|replaced| Status::aborted(replaced.to_string()))?;
                        if let Some(provenance) = provenance {
                            let stored = self.ingest.clock.now().wall;
                            let told = Provenance { stored, ..Provenance::clone(&provenance) };
                            (self.ingest.on_sample)(open.writer.reporter(), &told);
                        }
                        Ok(Some(Ack { sequence, want_full: false, wishes: None }))
                    }
                }
            }
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
                let sequence = self.open.as_ref().map_or(0, |open| open.report.sequence());
                Ok(Some(Ack { sequence, want_full: false, wishes: None }))
            }
        }
    }

    fn hello(&mut self, hello: Hello) -> Result<Ack, Status> {
        if self.open.is_some() {
            return Err(Status::invalid_argument("a stream has one hello, and this is a second"));
        }
        let reporter = Arc::new(reporter(hello, self.ingest.clock.now().instant)?);
        let writer =
            self.ingest.store.claim(Arc::clone(&reporter)).map_err(|error| match error {
                ClaimError::Superseded { .. } => Status::failed_precondition(error.to_string()),
                ClaimError::Full => Status::resource_exhausted(error.to_string()),
            })?;
        info!(
            namespace = &*reporter.cluster.namespace,
            minicluster = &*reporter.cluster.name,
            rank = reporter.rank,
            pod = &*reporter.pod,
            flux = &*reporter.flux_version,
            "collector connected"
        );
        self.open = Some(Open { writer, report: Report::default() });
        Ok(Ack {
            sequence: 0,
            want_full: false,
            wishes: Some(Wishes {
                interval_ms: milliseconds(self.ingest.interval),
                max_age_ms: milliseconds(self.ingest.max_age),
            }),
        })
    }

    fn log_end(&self, status: &Status) {
        let Some(open) = &self.open else {
            warn!(code = ?status.code(), reason = status.message(), "stream refused");
            return;
        };
        let reporter = open.writer.reporter();
        debug!(
            namespace = &*reporter.cluster.namespace,
            minicluster = &*reporter.cluster.name,
            rank = reporter.rank,
            code = ?status.code(),
            reason = status.message(),
            "stream ended"
        );
    }
}

fn milliseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

/// Checks a hello.
fn reporter(hello: Hello, connected: Instant) -> Result<Reporter, Status> {
    let version = hello.contract_version;
    if version == 0 || version.abs_diff(CONTRACT_VERSION) > 1 {
        return Err(Status::failed_precondition(format!(
            "this gateway speaks contract version {CONTRACT_VERSION} and serves the one before \
             and after; the collector speaks {version}: upgrade the older of the two"
        )));
    }
    for (field, name) in [
        ("namespace", &hello.namespace),
        ("minicluster", &hello.minicluster),
        ("pod_name", &hello.pod_name),
    ] {
        if !is_object_name(name) {
            return Err(Status::invalid_argument(format!(
                "{field} of the hello is {:?}, not the name of a Kubernetes object (a-z, 0-9, - \
                 and ., at most {} bytes)",
                apply::text(name),
                limits::MAX_NAME_BYTES
            )));
        }
    }
    if hello.rank >= hello.size {
        return Err(Status::invalid_argument(format!(
            "rank {} of the hello is not below its size {}",
            hello.rank, hello.size
        )));
    }
    let start = hello.broker_start_time;
    Ok(Reporter {
        cluster: ClusterKey { namespace: hello.namespace.into(), name: hello.minicluster.into() },
        rank: hello.rank,
        index: hello.rank.to_string().into(),
        pod: hello.pod_name.into(),
        broker_start: if start.is_finite() && start > 0.0 { start } else { 0.0 },
        headless_service: is_object_name(&hello.headless_service)
            .then(|| hello.headless_service.into()),
        flux_version: apply::text(&hello.flux_version).into(),
        connected,
    })
}

/// RFC 1123 subdomain, as Kubernetes asks of the names of objects.
fn is_object_name(name: &str) -> bool {
    let ends_well = |c: Option<u8>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    name.len() <= limits::MAX_NAME_BYTES
        && name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-.".contains(&c))
        && ends_well(name.bytes().next())
        && ends_well(name.bytes().last())
}
