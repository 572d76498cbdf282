//! One line for each request, for those who ask for it by
//! `--log-level info,fluxgauge_gateway::audit=debug`.

use std::time::SystemTime;

use http::{HeaderMap, HeaderName, Request, Response};

use crate::clock::Moment;

/// By which kube-apiserver tells its audit log and ours that they mean the same request.
pub const AUDIT_ID: HeaderName = HeaderName::from_static("audit-id");

/// The target of the lines.
pub const AUDIT_TARGET: &str = "fluxgauge_gateway::audit";

/// Bytes of an id that are noted; the UUIDs that kube-apiserver makes have 36.
const MAX_ID_BYTES: usize = 64;

/// When the oldest value of an answer was last proved right; an extension of its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Oldest(pub SystemTime);

/// Whether anybody reads the lines.
pub fn is_audited() -> bool {
    tracing::enabled!(target: AUDIT_TARGET, tracing::Level::DEBUG)
}

/// Says who asked for what, what was answered, how long that took, and how old the answer is; no
/// `user`: who asked is not known, or nobody asked. Costs one comparison while nobody listens, and
/// then not even a look at the clock.
pub fn audit<B, C>(
    request: &Request<B>,
    user: Option<&str>,
    response: &Response<C>,
    began: Moment,
    ended: impl FnOnce() -> Moment,
) {
    tracing::debug!(
        target: AUDIT_TARGET,
        audit_id = audit_id(request.headers()),
        user,
        method = request.method().as_str(),
        path = request.uri().path(),
        query = request.uri().query(),
        status = response.status().as_u16(),
        latency_us = micros(ended(), began),
        age_ms = response.extensions().get::<Oldest>().and_then(|Oldest(proved)| {
            u64::try_from(began.wall.duration_since(*proved).ok()?.as_millis()).ok()
        }),
        "answered"
    );
}

/// The id of a request, if it has one that can be noted.
pub(super) fn audit_id(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUDIT_ID)?.to_str().ok().filter(|id| id.len() <= MAX_ID_BYTES)
}

fn micros(ended: Moment, began: Moment) -> u64 {
    let latency = ended.instant.saturating_duration_since(began.instant);
    u64::try_from(latency.as_micros()).unwrap_or(u64::MAX)
}
