//! The REST API that kube-apiserver, and through it autoscalers and people, read.
//!
//! ```text
//!  request ──▶ Target ─┬─ metric ────▶ query ──▶ list ──┐
//!  (metrics_api::path) ├─ discovery ─▶ bytes made once ─┼──▶ response
//!                      └─ health ────▶ state of lib.rs ─┘
//! ```
//!
//! [`Api::answer`] is a function of a request and a moment: it waits for nothing and keeps nothing.
//! [`Service`] is the thin shell that hyper calls. Whatever is asked, the answer is a document of
//! Kubernetes or a `Status`: never a redirect, never HTML, and never a `Retry-After`, which would
//! put an autoscaler's worker to sleep.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::Arc,
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, header::UPGRADE};
use http_body_util::Full;
use metrics_api::{
    Encoding,
    group_version::Group,
    parameters::{Parameters, QueryError},
    path::{self, PathError, Target},
    status::{Reason, Status},
};
use tracing::Span;

use crate::{
    clock::{Clock, Moment},
    pods,
    query::{Rules, View},
    store::Store,
    telemetry,
};

mod discovery;
mod external;
mod form;
mod health;
mod metric;
mod respond;

use form::Groups;
pub use health::{Health, State};

/// By which kube-apiserver tells its audit log and ours that they mean the same request.
const AUDIT_ID: HeaderName = HeaderName::from_static("audit-id");

/// Every answer is complete when it is made.
pub type Body = Full<Bytes>;

/// What the API answers from.
#[derive(Debug)]
pub struct Api {
    store: Arc<Store>,
    pods: pods::Shared,
    rules: Rules,
    health: Health,
    discovery: discovery::Discovery,
}

impl Api {
    /// An API over what collectors said and what Kubernetes says of pods.
    pub fn new(store: Arc<Store>, pods: pods::Shared, rules: Rules, health: Health) -> Self {
        Self { store, pods, rules, health, discovery: discovery::Discovery::new() }
    }

    /// Answers a request as of `now`. What a trace should know is noted in `span`.
    pub fn answer<B>(&self, request: &Request<B>, now: Moment, span: &Span) -> Response<Body> {
        let encoding = form::encoding(request);
        // Whoever reads none of the encodings gets failures as JSON.
        let of_failures = encoding.as_ref().map_or(Encoding::Json, |encoding| *encoding);
        let response = self
            .route(request, encoding, now, span)
            .unwrap_or_else(|status| respond::failure(&status, of_failures));
        let mut response = form::compressed(request.headers(), response);
        if let Some(audit_id) = request.headers().get(AUDIT_ID) {
            response.headers_mut().insert(AUDIT_ID, audit_id.clone());
        }
        if request.method() == Method::HEAD {
            response = respond::without_body(response);
        }
        response.map(Body::new)
    }

    fn route<B>(
        &self,
        request: &Request<B>,
        encoding: Result<Encoding, Status>,
        now: Moment,
        span: &Span,
    ) -> Result<Response<Bytes>, Status> {
        let headers = request.headers();
        let target = path::parse(request.uri().path()).map_err(|error| match error {
            PathError::TooLong(_) => Status::new(Reason::UriTooLong, error.to_string()),
            PathError::Invalid => Status::bad_request(&error),
            PathError::Unknown => Status::unknown_path(),
        })?;
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(Status::method_not_allowed());
        }
        if headers.get_all(UPGRADE).iter().any(|protocol| protocol != HTTP2_IN_THE_CLEAR) {
            return Err(Status::bad_request(&"this server upgrades no connection"));
        }
        let query = request.uri().query().unwrap_or_default();
        let parameters = Parameters::parse(query).map_err(|error| {
            let reason = match error {
                QueryError::TooLong(_) => Reason::UriTooLong,
                QueryError::Escape(_) => Reason::BadRequest,
            };
            Status::new(reason, error.to_string())
        })?;
        let view = View { store: &self.store, pods: &self.pods.load() };
        let read = Read { view, rules: &self.rules, now, span };
        match target {
            Target::Health(endpoint, check) => {
                self.health.answer(endpoint, check.as_deref(), &parameters)
            }
            Target::Root => Ok(self.discovery.paths()),
            Target::Version => Ok(self.discovery.version()),
            Target::Groups => Ok(self.discovery.groups(Groups::asked_by(request)?, headers)),
            Target::Group(group) => Ok(self.discovery.group(group, encoding?)),
            Target::Resources(version) => Ok(self.discovery.resources(version, encoding?)),
            Target::OpenApiV2 | Target::OpenApiV3 | Target::OpenApiV3Document(_) => {
                Err(Status::unknown_path())
            }
            Target::Metric(_) if parameters.watch => Err(Status::method_not_allowed()),
            Target::External(_) if parameters.watch => {
                Err(Status::watch_not_supported(Group::External.name()))
            }
            Target::Metric(asked) => {
                let encoding = encoding?;
                let body = metric::read(read, &asked, &parameters, encoding)?;
                Ok(respond::document(encoding, body.into()))
            }
            Target::External(asked) => {
                let encoding = encoding?;
                let body = external::read(read, &asked, &parameters, encoding)?;
                Ok(respond::document(encoding, body.into()))
            }
        }
    }
}

/// What every read of a metric needs.
#[derive(Clone, Copy)]
struct Read<'a> {
    view: View<'a>,
    rules: &'a Rules,
    now: Moment,
    span: &'a Span,
}

/// An upgrade that curl offers on plain connections; those who do not want it ignore it.
const HTTP2_IN_THE_CLEAR: HeaderValue = HeaderValue::from_static("h2c");

/// The API as hyper calls it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Service {
    api: Arc<Api>,
    clock: Clock,
}

impl Service {
    /// Serves an API by a clock.
    pub fn new(api: Api, clock: Clock) -> Self {
        Self { api: Arc::new(api), clock }
    }
}

impl<B> hyper::service::Service<Request<B>> for Service {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn call(&self, request: Request<B>) -> Self::Future {
        let span = telemetry::read_span(&request);
        let response = span.in_scope(|| self.api.answer(&request, self.clock.now(), &span));
        telemetry::record_status(&span, response.status());
        ready(Ok(response))
    }
}

#[cfg(test)]
mod tests;
