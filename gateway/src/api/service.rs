//! The API with a deadline: most answers at once, long ones aside, none too late.
//!
//! A read takes microseconds and waits for nobody, so it is answered where the connection is
//! driven. One that may list thousands of objects would keep all other requests of its connection
//! waiting, and a kube-apiserver has one connection for all autoscalers: it gets a thread.

use std::{sync::Arc, time::Duration};

use http::{Request, Response};
use metrics_api::status::{Reason, Status};
use tokio::{
    sync::Semaphore,
    task::spawn_blocking,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::Span;

use super::{Api, Asked, Body, Session, complete};
use crate::{
    auth,
    clock::{Clock, Moment},
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

/// The API for all connections. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Service {
    pub(super) api: Arc<Api>,
    pub(super) clock: Clock,
    long_reads: Arc<Semaphore>,
}

impl Service {
    /// Serves an API by a clock.
    pub fn new(api: Api, clock: Clock) -> Self {
        let long_reads = Arc::new(Semaphore::new(LONG_READS));
        Self { api: Arc::new(api), clock, long_reads }
    }

    /// The API for one connection: `caller` is who is at its other end, `leave` ends it.
    pub fn on(&self, caller: auth::Caller, leave: CancellationToken) -> Session {
        Session::new(self.clone(), caller, leave)
    }

    /// Answers at once, as of `now`.
    pub(super) fn answer<B>(
        &self,
        asked: &Asked<'_, B>,
        now: Moment,
        span: &Span,
    ) -> Response<Body> {
        span.in_scope(|| self.api.answer(asked, now, span))
    }

    /// Answers on a thread of its own, at the latest at `deadline`.
    pub(super) async fn answer_aside(
        &self,
        request: &Arc<Request<()>>,
        deadline: Instant,
        span: &Span,
    ) -> Response<Body> {
        let answer = async {
            // The semaphore is never closed; were it, one long read too many is no harm.
            let slot = Arc::clone(&self.long_reads).acquire_owned().await.ok();
            let (request, span) = (Arc::clone(request), span.clone());
            let service = self.clone();
            let answer = spawn_blocking(move || {
                let response = service.answer(&Asked::by(&request), service.clock.now(), &span);
                drop(slot);
                response
            });
            answer.await
        };
        let failure = match timeout_at(deadline, answer).await {
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
}

#[cfg(test)]
mod tests;
