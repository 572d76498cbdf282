//! The API as hyper calls it: most answers at once, long ones aside, none after the deadline.
//!
//! A read takes microseconds and waits for nobody, so it is answered where the connection is
//! driven. One that may list thousands of objects would keep all other requests of its connection
//! waiting, and a kube-apiserver has one connection for all autoscalers: it gets a thread.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use futures_util::future::Either;
use http::{Request, Response};
use metrics_api::status::{Reason, Status};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};
use tracing::Span;

use super::{Api, Body, complete};
use crate::{
    clock::{Clock, Moment},
    telemetry,
};

/// How long any answer may take. An autoscaler has five workers for the whole cluster, and each
/// waits as long as it must.
pub const DEADLINE: Duration = Duration::from_secs(2);

/// With so many collectors and pods or fewer every answer is made at once: at about 1 µs to find a value
/// and 1 µs to write it this is 2 ms, in YAML 10 ms.
pub const MANY_REPORTERS: usize = 1_000;

/// Long answers made at once; others wait until the deadline. At most 16,384 objects of 350 bytes
/// are 6 MiB each.
pub const LONG_READS: usize = 2;

/// The API as hyper calls it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Service {
    api: Arc<Api>,
    clock: Clock,
    long_reads: Arc<Semaphore>,
}

impl Service {
    /// Serves an API by a clock.
    pub fn new(api: Api, clock: Clock) -> Self {
        let long_reads = Arc::new(Semaphore::new(LONG_READS));
        Self { api: Arc::new(api), clock, long_reads }
    }

    fn answer<B>(&self, request: &Request<B>, span: &Span) -> Response<Body> {
        span.in_scope(|| self.api.answer(request, self.clock.now(), span))
    }

    /// Answers on a thread of its own.
    async fn answer_aside(&self, request: &Arc<Request<()>>, span: &Span) -> Response<Body> {
        let answer = async {
            // The semaphore is never closed; were it, one long read too many is no harm.
            let slot = Arc::clone(&self.long_reads).acquire_owned().await.ok();
            let (request, span) = (Arc::clone(request), span.clone());
            let service = self.clone();
            let answer = spawn_blocking(move || {
                let response = service.answer(&request, &span);
                drop(slot);
                response
            });
            answer.await
        };
        let failure = match timeout(DEADLINE, answer).await {
            Ok(Ok(response)) => return response,
            Ok(Err(error)) => {
                tracing::error!(%error, path = request.uri().path(), "a read failed");
                Status::new(Reason::InternalError, "this server has a fault; its log says more")
            }
            Err(_) => Status::new(
                Reason::Timeout,
                format!("the answer would take longer than {} s", DEADLINE.as_secs()),
            ),
        };
        complete(request, |_| Err(failure))
    }

    /// Tells traces and the log of reads what became of a request.
    fn note<B>(&self, request: &Request<B>, response: &Response<Body>, began: Moment, span: &Span) {
        telemetry::record_status(span, response.status());
        telemetry::audit(request, response, began, self.clock.now());
    }
}

impl<B> hyper::service::Service<Request<B>> for Service {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<
        Ready<Result<Response<Body>, Infallible>>,
        Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>,
    >;

    fn call(&self, request: Request<B>) -> Self::Future {
        let span = telemetry::read_span(&request);
        let began = self.clock.now();
        if self.api.may_be_long(request.uri()) {
            let (service, request) = (self.clone(), Arc::new(request.map(drop)));
            return Either::Right(Box::pin(async move {
                let response = service.answer_aside(&request, &span).await;
                service.note(&request, &response, began, &span);
                Ok(response)
            }));
        }
        let response = self.answer(&request, &span);
        self.note(&request, &response, began, &span);
        Either::Left(ready(Ok(response)))
    }
}

#[cfg(test)]
mod tests;
