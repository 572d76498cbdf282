//! OpenAPI: documents that are made once, and served so that nobody waits for them.
//!
//! kube-apiserver downloads them under locks that stop OpenAPI for the whole cluster, hence no
//! request makes anything. A hash other than that of the document gets the document all the same:
//! the redirect that Kubernetes' own servers answer does not pass kube-apiserver.

use std::time::Duration;

use bytes::Bytes;
use fluxgauge_proto::catalogue::{self, CATALOGUE, Scope};
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, EXPIRES, VARY},
};
use jiff::{Timestamp, fmt::rfc2822};
use metrics_api::{
    Encoding,
    accept::Offer,
    group_version::{Group, GroupVersion},
    openapi::{Document, Documents, Metric, Metrics, V2_OFFERS, V3_OFFERS},
};

use super::{
    form,
    respond::{self, PRIVATE},
};
use crate::clock::Moment;

/// How long a document may be kept that was asked for by its hash: a year, HTTP's "for ever".
const IMMUTABLE_FOR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The documents.
#[derive(Debug)]
pub(super) struct OpenApi(Documents);

impl OpenApi {
    pub(super) fn new(groups: &[Group]) -> Self {
        Self(Documents::new(&metrics(), groups))
    }

    /// `/openapi/v2`.
    pub(super) fn v2(&self, headers: &HeaderMap) -> Response<Bytes> {
        negotiated(&self.0.v2, headers, &V2_OFFERS)
    }

    /// `/openapi/v3`, which is JSON whatever is asked for, as in Kubernetes.
    pub(super) fn v3_index(&self, headers: &HeaderMap) -> Response<Bytes> {
        let index = &self.0.index;
        respond::tagged(headers, &index.etag, &index.body, Encoding::Json.media_type(), PRIVATE)
    }

    /// `/openapi/v3/apis/<group>/<version>`. `hash` is the query parameter, empty without one.
    pub(super) fn v3_document(
        &self,
        group_version: GroupVersion,
        hash: &str,
        headers: &HeaderMap,
        now: Moment,
    ) -> Response<Bytes> {
        let document = self.0.v3(group_version);
        let mut response = negotiated(document, headers, &V3_OFFERS);
        let immutable = document.hash() == hash && response.status() != StatusCode::NOT_ACCEPTABLE;
        if immutable && let Some(expires) = date(now, IMMUTABLE_FOR) {
            let headers = response.headers_mut();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, immutable"));
            headers.insert(EXPIRES, expires);
        }
        response
    }
}

/// The form that is asked for; 406 with no body where there is none, as in Kubernetes.
fn negotiated(document: &Document, headers: &HeaderMap, offers: &[Offer; 3]) -> Response<Bytes> {
    let [json, protobuf, _] = offers;
    let (tagged, etag) = (&document.json, &document.json.etag);
    let mut response = match form::negotiate(headers, offers) {
        Ok(form) if form == *json => {
            respond::tagged(headers, etag, &tagged.body, json.media_type, PRIVATE)
        }
        Ok(_) => respond::tagged(headers, etag, &document.protobuf, protobuf.media_type, PRIVATE),
        Err(_) => respond::with_headers(StatusCode::NOT_ACCEPTABLE, [], Bytes::new()),
    };
    response.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
    response
}

/// A date for a header; `None` for one that no calendar has.
fn date(now: Moment, later: Duration) -> Option<HeaderValue> {
    let moment = Timestamp::try_from(now.wall).ok()?.checked_add(later).ok()?;
    let text = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&moment).ok()?;
    HeaderValue::try_from(text).ok()
}

/// What the documents say of the catalogue.
fn metrics() -> Metrics {
    let those = |keep: fn(&catalogue::Metric) -> bool| {
        CATALOGUE.iter().filter(|metric| keep(metric)).map(describe).collect()
    };
    Metrics {
        of_objects: those(|_| true),
        of_namespaces: those(|metric| metric.scope != Scope::Broker && metric.summable),
        external: those(|metric| metric.scope != Scope::Broker),
    }
}

fn describe(metric: &catalogue::Metric) -> Metric {
    let unit = metric.unit.name();
    Metric { name: metric.name.to_owned(), help: format!("{} Unit: {unit}.", metric.help) }
}

#[cfg(test)]
mod tests;
