//! OpenAPI: documents that are made once, and served so that nobody waits for them.
//!
//! kube-apiserver downloads them under locks that stop OpenAPI for the whole cluster, hence no
//! request makes anything. A hash other than that of the document gets the document all the same:
//! the redirect that Kubernetes' own servers answer does not pass kube-apiserver.

use std::time::Duration;

use bytes::Bytes;
use fluxgauge_proto::catalogue::{self, CATALOGUE, Scope, Unit};
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, EXPIRES, IF_NONE_MATCH, VARY},
};
use jiff::{Timestamp, fmt::rfc2822};
use metrics_api::{
    Status,
    accept::{self, Offer},
    openapi::{self, Documents, Metric, Metrics, V2_OFFERS, V3_OFFERS},
};

use super::{Body, respond};
use crate::clock::Moment;

/// How long a document may be kept that was asked for by its hash: a year, HTTP's "for ever".
const IMMUTABLE_FOR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The documents.
#[derive(Debug)]
pub(super) struct OpenApi {
    v2: Document,
    index: Document,
    /// By group and version, as in `custom.metrics.k8s.io/v1beta2`.
    v3: [(String, Document); 3],
}

/// A document, as bodies that are sent without a copy.
#[derive(Debug)]
struct Document {
    json: Bytes,
    protobuf: Bytes,
    hash: String,
    /// The hash in quotes; one for both forms, as in Kubernetes, since answers vary by `Accept`.
    etag: HeaderValue,
}

impl OpenApi {
    pub(super) fn new() -> Self {
        let documents = Documents::new(&metrics());
        Self {
            v2: documents.v2.into(),
            index: Document::new(documents.index, Vec::new(), documents.index_hash),
            v3: documents.v3.map(|(name, document)| (name, document.into())),
        }
    }

    /// `/openapi/v2`.
    pub(super) fn v2(&self, headers: &HeaderMap) -> Response<Body> {
        self.v2.negotiated(headers, &V2_OFFERS)
    }

    /// `/openapi/v3`, which is JSON whatever is asked for, as in Kubernetes.
    pub(super) fn v3_index(&self, headers: &HeaderMap) -> Response<Body> {
        self.index.response(headers, &self.index.json, "application/json")
    }

    /// `/openapi/v3/apis/<group>/<version>`. `hash` is the query parameter, empty without one.
    ///
    /// # Errors
    ///
    /// 404 for a group-version that is not ours.
    pub(super) fn v3_document(
        &self,
        group_version: &str,
        hash: &str,
        headers: &HeaderMap,
        now: Moment,
    ) -> Result<Response<Body>, Status> {
        let named = self.v3.iter().find(|(name, _)| name == group_version);
        let (_, document) = named.ok_or_else(Status::unknown_path)?;
        let mut response = document.negotiated(headers, &V3_OFFERS);
        let immutable = document.hash == hash && response.status() != StatusCode::NOT_ACCEPTABLE;
        if immutable && let Some(expires) = date(now, IMMUTABLE_FOR) {
            let headers = response.headers_mut();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, immutable"));
            headers.insert(EXPIRES, expires);
        }
        Ok(response)
    }
}

impl Document {
    fn new(json: Vec<u8>, protobuf: Vec<u8>, hash: String) -> Self {
        // Hexadecimal digits in quotes are a header's value; were they not, no client could match.
        let etag = HeaderValue::from_str(&format!("\"{hash}\""))
            .unwrap_or_else(|_| HeaderValue::from_static("\"\""));
        Self { json: json.into(), protobuf: protobuf.into(), hash, etag }
    }

    /// The form that is asked for; 406 with no body where there is none, as in Kubernetes.
    fn negotiated(&self, headers: &HeaderMap, offers: &[Offer; 3]) -> Response<Body> {
        let [json, protobuf, _] = offers;
        let values = headers.get_all(ACCEPT).iter();
        // A value that is no text matches no offer, as if it named an unknown type.
        let values = values.map(|value| value.to_str().unwrap_or("unknown/unknown"));
        let mut response = match accept::negotiate(values, offers) {
            Some(form) if form == *json => self.response(headers, &self.json, json.media_type),
            Some(_) => self.response(headers, &self.protobuf, protobuf.media_type),
            None => respond::with_headers(StatusCode::NOT_ACCEPTABLE, [], Bytes::new()),
        };
        response.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
        response
    }

    /// The document, or that it has not changed.
    fn response(
        &self,
        asked: &HeaderMap,
        body: &Bytes,
        media_type: &'static str,
    ) -> Response<Body> {
        let (status, body) = if is_known(asked, &self.etag) {
            (StatusCode::NOT_MODIFIED, Bytes::new())
        } else {
            (StatusCode::OK, body.clone())
        };
        let headers = [
            (CONTENT_TYPE, HeaderValue::from_static(media_type)),
            (CACHE_CONTROL, HeaderValue::from_static("no-cache, private")),
            (ETAG, self.etag.clone()),
        ];
        respond::with_headers(status, headers, body)
    }
}

impl From<openapi::Document> for Document {
    fn from(document: openapi::Document) -> Self {
        Self::new(document.json, document.protobuf, document.hash)
    }
}

/// Whether the client has the document of this tag already.
fn is_known(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let tags = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = tags.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == etag)
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
    let unit = match metric.unit {
        Unit::Nodes => "nodes",
        Unit::Cores => "cores",
        Unit::Gpus => "GPUs",
        Unit::Jobs => "jobs",
        Unit::Seconds => "seconds",
        Unit::Rank => "rank",
        Unit::Bool => "1 or 0",
    };
    Metric { name: metric.name.to_owned(), help: format!("{} Unit: {unit}.", metric.help) }
}

#[cfg(test)]
mod tests;
