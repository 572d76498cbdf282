//! The API as hyper calls it on one connection: who asks comes first, then what.
//!
//! Where it is remembered who asks and that they may, nothing is waited for.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    sync::Arc,
};

use futures_util::future::Either;
use http::{HeaderValue, Request, Response, Version, header::X_CONTENT_TYPE_OPTIONS};
use metrics_api::status::Reason;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::Span;

use super::{Asked, Body, DEADLINE, Service, complete};
use crate::{
    auth::{Caller, Claim, Question, Reader, Refusal},
    clock::Moment,
    telemetry::{self, Form},
};

/// The API on one connection. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Session {
    service: Service,
    caller: Arc<Caller>,
    leave: CancellationToken,
}

type Admission = Result<Arc<Reader>, Refusal>;

impl Session {
    pub(super) fn new(service: Service, caller: Caller, leave: CancellationToken) -> Self {
        Self { service, caller: Arc::new(caller), leave }
    }

    /// Waits for whatever must be waited for.
    async fn answer_late(
        &self,
        request: &Arc<Request<()>>,
        claim: &Claim,
        remembered: Option<Admission>,
        began: Moment,
        span: &Span,
    ) -> Response<Body> {
        let deadline = Instant::now() + DEADLINE;
        let asked = Asked::by(&**request);
        let question = asked.question();
        let admission = match remembered {
            Some(admission) => admission,
            None => timeout_at(deadline, self.caller.ask(claim, &question))
                .await
                .unwrap_or_else(|_| Err(Refusal::late(DEADLINE))),
        };
        let response = if admission.is_ok() && self.service.api.may_be_long(&asked) {
            self.service.answer_aside(request, deadline, span).await
        } else {
            self.answer(&asked, &question, &admission, self.service.clock.now(), span)
        };
        self.note(&asked, &admission, &response, began, span);
        response
    }

    /// Answers one who is known, as of `now`, or refuses.
    fn answer<B>(
        &self,
        asked: &Asked<'_, B>,
        question: &Question<'_>,
        admission: &Admission,
        now: Moment,
        span: &Span,
    ) -> Response<Body> {
        match admission {
            Ok(_) => self.service.answer(asked, now, span),
            Err(refusal) => self.refuse(asked.request, question, refusal, now),
        }
    }

    fn refuse<B>(
        &self,
        request: &Request<B>,
        question: &Question<'_>,
        refusal: &Refusal,
        now: Moment,
    ) -> Response<Body> {
        let status = self.caller.refuse(refusal, question, now);
        if status.reason() == Reason::Unauthorized && request.version() == Version::HTTP_2 {
            // A stranger gets no connection that holds hundreds of requests; as in Kubernetes.
            self.leave.cancel();
        }
        let mut response = complete(request, |_| Err(status));
        // It may repeat what others have named.
        let no_guess = HeaderValue::from_static("nosniff");
        response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, no_guess);
        response
    }

    /// Tells counters, traces and the log of reads what became of a request.
    fn note<B>(
        &self,
        asked: &Asked<'_, B>,
        admission: &Admission,
        response: &Response<Body>,
        began: Moment,
        span: &Span,
    ) {
        let user = match admission {
            Ok(user) | Err(Refusal::Forbidden { user, .. }) => Some(&*user.name),
            Err(Refusal::Unauthenticated(_) | Refusal::Unanswered(_)) => None,
        };
        let took = Instant::now().saturating_duration_since(began.instant);
        self.service.api.own.reads.note(Form::of(&asked.target), response.status(), took);
        telemetry::record_status(span, response.status());
        telemetry::audit(asked.request, user, response, began, || self.service.clock.now());
    }
}

impl<B> Asked<'_, B> {
    /// What it needs the right to.
    fn question(&self) -> Question<'_> {
        Question::of(self.request.method(), self.request.uri(), &self.target)
    }
}

impl<B> hyper::service::Service<Request<B>> for Session {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<
        Ready<Result<Response<Body>, Infallible>>,
        Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>,
    >;

    fn call(&self, mut request: Request<B>) -> Self::Future {
        let began = self.service.clock.now();
        let claim = self.caller.claim(request.headers_mut(), began);
        let span = telemetry::read_span(&request);
        let asked = Asked::by(&request);
        let question = asked.question();
        match self.caller.remembered(&claim, &question, began) {
            Some(admission) if admission.is_err() || !self.service.api.may_be_long(&asked) => {
                let response = self.answer(&asked, &question, &admission, began, &span);
                self.note(&asked, &admission, &response, began, &span);
                Either::Left(ready(Ok(response)))
            }
            remembered => {
                let (session, request) = (self.clone(), Arc::new(request.map(drop)));
                Either::Right(Box::pin(async move {
                    Ok(session.answer_late(&request, &claim, remembered, began, &span).await)
                }))
            }
        }
    }
}

#[cfg(test)]
mod tests;
