//! Takes the streams of collectors: proto → model → store.
//!
//! One [`Session`] per stream. It lets nothing in before `auth` says who reports and what, holds what
//! the stream said so far, applies each sample to it and publishes the result as one new snapshot. What
//! breaks the contract ends the stream with a status that says what and where; what is merely unknown
//! is ignored, since a collector may be one version ahead.

use std::{pin::Pin, sync::Arc, time::Duration};

use fluxgauge_proto::{
    limits,
    v1::{
        Ack, ReportRequest,
        telemetry_server::{Telemetry, TelemetryServer},
    },
};
use futures_util::{Stream, stream};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use crate::{
    clock::Clock,
    model::{Provenance, Reporter},
    store::Store,
    telemetry::Streams as Counters,
};

mod apply;
mod connection;
mod hello;
mod pace;
mod ration;
mod service;
mod session;

pub use connection::{Connection, UNUSED_TIMEOUT};
pub use ration::MAX_HELLO_BYTES;
pub use service::Service;
pub use session::{HELLO_TIMEOUT, RECHECK_INTERVAL};

use session::Session;

/// Told of each sample once readers can see it.
pub type OnSample = Arc<dyn Fn(&Reporter, &Provenance) + Send + Sync>;

/// What all streams share.
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
    /// Counts streams and samples.
    pub counters: Arc<Counters>,
    /// Ends all streams when the gateway goes.
    pub shutdown: CancellationToken,
}

impl std::fmt::Debug for Ingest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ingest").field("max_age", &self.max_age).finish_non_exhaustive()
    }
}

impl Ingest {
    /// The gRPC service for one connection.
    pub fn on(&self, connection: Connection) -> Service {
        let connection = Arc::new(connection);
        let streams = Streams { ingest: self.clone(), connection: Arc::clone(&connection) };
        let grpc = TelemetryServer::new(streams)
            .max_decoding_message_size(limits::MAX_MESSAGE_BYTES)
            .max_encoding_message_size(limits::MAX_MESSAGE_BYTES);
        Service::new(grpc, connection)
    }
}

/// The streams of one connection.
#[derive(Clone, Debug)]
struct Streams {
    ingest: Ingest,
    connection: Arc<Connection>,
}

#[tonic::async_trait]
impl Telemetry for Streams {
    type ReportStream = Pin<Box<dyn Stream<Item = Result<Ack, Status>> + Send>>;

    async fn report(
        &self,
        request: Request<Streaming<ReportRequest>>,
    ) -> Result<Response<Self::ReportStream>, Status> {
        let session = Session::enter(&self.ingest, &self.connection, request)?;
        let acks = stream::unfold(Some(session), |session| async move {
            let mut session = session?;
            match session.next_ack().await {
                Ok(Some(ack)) => Some((Ok(ack), Some(session))),
                Ok(None) => None,
                Err(status) => {
                    session.note_end(&status);
                    Some((Err(status), None))
                }
            }
        });
        Ok(Response::new(Box::pin(acks)))
    }
}
