//! What one connection of the collectors' port serves: gRPC, with what a request may cost beside it.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use fluxgauge_proto::v1::telemetry_server::TelemetryServer;
use hyper::body::Incoming;
use tonic::{
    body::Body,
    codegen::{BoxFuture, Service as Tower},
};

use super::{
    Streams,
    connection::Connection,
    ration::{Ration, Rationed},
};

/// The service of one connection.
#[derive(Clone, Debug)]
pub struct Service {
    grpc: TelemetryServer<Streams>,
    connection: Arc<Connection>,
}

impl Service {
    pub(super) const fn new(grpc: TelemetryServer<Streams>, connection: Arc<Connection>) -> Self {
        Self { grpc, connection }
    }
}

impl Tower<http::Request<Incoming>> for Service {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: http::Request<Incoming>) -> Self::Future {
        // Whoever asks for what there is not keeps the connection no longer than a stream that is refused.
        let occupied = self.connection.stream();
        let ration = Ration::default();
        request.extensions_mut().insert(ration.clone());
        let answer = self.grpc.call(request.map(|body| Rationed { body, ration }));
        Box::pin(async move {
            let answer = answer.await;
            drop(occupied);
            answer
        })
    }
}
