//! The REST API that kube-apiserver, and through it autoscalers and people, read.
//!
//! ```text
//!  request ──▶ Target ─┬─ metric ────▶ query ──▶ list ──┐
//!  (metrics_api::path) ├─ discovery ─▶ bytes made once ─┼──▶ response
//!                      ├─ openapi ───▶ bytes made once ─┤
//!                      ├─ metrics ───▶ prometheus ──────┤
//!                      └─ health ────▶ state of lib.rs ─┘
//! ```
//!
//! [`Api::answer`] is a function of a request and a moment: it waits for nothing and keeps nothing.
//! [`Service`] is the shell around it, which has a deadline, and [`Session`] that of one connection,
//! which hyper calls and which first finds out who asks. Whatever is asked, the answer is a document
//! of Kubernetes or a `Status`: never a redirect, never HTML, and never a `Retry-After`, which would
//! put an autoscaler's worker to sleep.

use std::{sync::Arc, time::SystemTime};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header::UPGRADE};
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
    clock::Moment,
    pods::{self, Pods},
    prometheus::{Own, Sources},
    query::{Rules, View},
    store::Store,
    telemetry::{self, AUDIT_ID, Oldest},
};

mod discovery;
mod external;
mod form;
mod health;
mod metric;
mod openapi;
mod respond;
mod scrape;
mod service;
mod session;

use form::Groups;
pub use health::{Health, State};
pub use service::{DEADLINE, LONG_READS, MANY_REPORTERS, Service};
pub use session::Session;

/// Every answer is complete when it is made.
pub type Body = Full<Bytes>;

/// What the API answers from.
#[derive(Debug)]
pub struct Api {
    store: Arc<Store>,
    pods: pods::Shared,
    rules: Rules,
    health: Health,
    own: Own,
    groups: &'static [Group],
    discovery: discovery::Discovery,
    openapi: openapi::OpenApi,
}

impl Api {
    /// An API over what collectors said and what Kubernetes says of pods.
    pub fn new(store: Arc<Store>, pods: pods::Shared, rules: Rules, health: Health) -> Self {
        Self {
            store,
            pods,
            rules,
            health,
            own: Own::default(),
            groups: &Group::ALL,
            discovery: discovery::Discovery::new(&Group::ALL),
            openapi: openapi::OpenApi::new(&Group::ALL),
        }
    }

    /// The same, which shows Prometheus also these counters.
    pub fn with_own(self, own: Own) -> Self {
        Self { own, ..self }
    }

    /// The same with these groups alone: of others nothing is said and nothing is served.
    pub fn with_groups(self, groups: &'static [Group]) -> Self {
        Self {
            groups,
            discovery: discovery::Discovery::new(groups),
            openapi: openapi::OpenApi::new(groups),
            ..self
        }
    }

    /// Answers a request as of `now`. What a trace should know is noted in `span`.
    pub fn answer<B>(&self, asked: &Asked<'_, B>, now: Moment, span: &Span) -> Response<Body> {
        complete(asked.request, |encoding| self.route(asked, encoding, now, span))
    }

    /// Whether the answer may list more objects than can be read in passing.
    fn may_be_long<B>(&self, asked: &Asked<'_, B>) -> bool {
        if matches!(asked.target, Ok(Target::Metrics)) {
            return true;
        }
        let pods = match &**self.pods.load() {
            Pods::Known(known) => known.pods(),
            Pods::Unwatched | Pods::Unknown(_) => 0,
        };
        self.store.reporters().max(pods) > MANY_REPORTERS
            && match &asked.target {
                Ok(Target::Metric(metric)) => {
                    !matches!(metric.object, path::Object::Named(_, path::Name::Exact(_)))
                }
                Ok(Target::External(_)) => !external::is_of_one_minicluster(asked.query()),
                _ => false,
            }
    }

    fn route<B>(
        &self,
        asked: &Asked<'_, B>,
        encoding: Result<Encoding, Status>,
        now: Moment,
        span: &Span,
    ) -> Result<Response<Bytes>, Status> {
        let (request, headers) = (asked.request, asked.request.headers());
        let target = asked.target.as_ref().map_err(|error| match error {
            PathError::TooLong(_) => Status::new(Reason::UriTooLong, error.to_string()),
            PathError::Invalid => Status::bad_request(error),
            PathError::Unknown => Status::unknown_path(),
        })?;
        if target.group().is_some_and(|group| !self.groups.contains(&group)) {
            return Err(Status::unknown_path());
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(Status::method_not_allowed());
        }
        if headers.get_all(UPGRADE).iter().any(|protocol| protocol != HTTP2_IN_THE_CLEAR) {
            return Err(Status::bad_request(&"this server upgrades no connection"));
        }
        let parameters = Parameters::parse(asked.query()).map_err(|error| {
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
                self.health.answer(*endpoint, check.as_deref(), &parameters)
            }
            Target::Metrics => {
                let watch_errors = self.pods.errors();
                scrape::read(
                    headers,
                    Sources { view, watch_errors, rules: &self.rules, own: &self.own },
                    now,
                )
            }
            Target::Root => Ok(self.discovery.paths()),
            Target::Version => Ok(self.discovery.version()),
            Target::Groups => Ok(self.discovery.groups(Groups::asked_by(request)?, headers)),
            Target::Group(group) => Ok(self.discovery.group(*group, encoding?)),
            Target::Resources(version) => Ok(self.discovery.resources(*version, encoding?)),
            Target::OpenApiV2 => Ok(self.openapi.v2(headers)),
            Target::OpenApiV3 => Ok(self.openapi.v3_index(headers)),
            Target::OpenApiV3Document(version) => {
                Ok(self.openapi.v3_document(*version, &parameters.hash, headers, now))
            }
            Target::Metric(_) if parameters.watch => Err(Status::method_not_allowed()),
            Target::External(_) if parameters.watch => {
                Err(Status::watch_not_supported(Group::External.name()))
            }
            Target::Metric(asked) => {
                let encoding = encoding?;
                let answer = metric::read(read, asked, &parameters, encoding)?;
                Ok(answer.into_response(encoding))
            }
            Target::External(asked) => {
                let encoding = encoding?;
                let answer = external::read(read, asked, &parameters, encoding)?;
                Ok(answer.into_response(encoding))
            }
        }
    }
}

/// A request, and what its path asks for.
#[derive(Debug)]
pub struct Asked<'a, B> {
    request: &'a Request<B>,
    target: Result<Target<'a>, PathError>,
}

impl<'a, B> Asked<'a, B> {
    /// Reads the path of a request, once for all who want to know.
    pub fn by(request: &'a Request<B>) -> Self {
        Self { request, target: path::parse(request.uri().path()) }
    }

    fn query(&self) -> &'a str {
        self.request.uri().query().unwrap_or_default()
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

/// What a read found.
struct Found {
    body: Vec<u8>,
    /// When the oldest value was last proved right.
    oldest: Option<SystemTime>,
}

impl Found {
    fn into_response(self, encoding: Encoding) -> Response<Bytes> {
        let mut response = respond::document(encoding, self.body.into());
        // Extensions are allocated: only for those who look.
        if let Some(oldest) = self.oldest
            && telemetry::is_audited()
        {
            response.extensions_mut().insert(Oldest(oldest));
        }
        response
    }
}

/// An upgrade that curl offers on plain connections; those who do not want it ignore it.
const HTTP2_IN_THE_CLEAR: HeaderValue = HeaderValue::from_static("h2c");

/// Makes a response of an answer or a failure, in the form that the request asks for.
fn complete<B>(
    request: &Request<B>,
    answer: impl FnOnce(Result<Encoding, Status>) -> Result<Response<Bytes>, Status>,
) -> Response<Body> {
    let encoding = form::encoding(request);
    // Whoever reads none of the encodings gets failures as JSON.
    let of_failures = encoding.as_ref().map_or(Encoding::Json, |encoding| *encoding);
    let response = answer(encoding).unwrap_or_else(|status| respond::failure(&status, of_failures));
    let mut response = form::compressed(request.headers(), response);
    if let Some(audit_id) = request.headers().get(AUDIT_ID) {
        response.headers_mut().insert(AUDIT_ID, audit_id.clone());
    }
    if request.method() == Method::HEAD {
        response = respond::without_body(response);
    }
    response.map(Body::new)
}

#[cfg(test)]
mod tests;
