//! Discovery: what there is to ask for, in documents that are made once.
//!
//! They come from the catalogue and thus list kinds of objects and names of metrics, whatever is
//! in the store: discovery that fails or flaps harms every client of the cluster.

use bytes::Bytes;
use fluxgauge_proto::catalogue::{CATALOGUE, Metric, Scope};
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY},
};
use metrics_api::{
    Status,
    accept::{DISCOVERY_V2, JSON},
    custom::Version,
    discovery::{Documents, Resource},
};

use super::{Body, acceptable, metric::Kind, respond};

/// The documents.
#[derive(Debug)]
pub(super) struct Discovery {
    groups: Bytes,
    aggregated: Bytes,
    etag: HeaderValue,
    group: Bytes,
    v1beta1: Bytes,
    v1beta2: Bytes,
}

impl Discovery {
    pub(super) fn new() -> Self {
        let documents = Documents::new(&resources());
        let list = |version| Bytes::copy_from_slice(documents.resources(version));
        Self {
            v1beta1: list(Version::V1Beta1),
            v1beta2: list(Version::V1Beta2),
            // Hexadecimal digits in quotes are a header's value; were they not, no tag is sent
            // that a client could match.
            etag: HeaderValue::from_str(&documents.aggregated_etag)
                .unwrap_or_else(|_| HeaderValue::from_static("\"\"")),
            groups: documents.groups.into(),
            aggregated: documents.aggregated.into(),
            group: documents.group.into(),
        }
    }

    /// `/apis`, in the older or in the aggregated form.
    pub(super) fn groups(&self, headers: &HeaderMap) -> Result<Response<Body>, Status> {
        const VARY_ACCEPT: (HeaderName, HeaderValue) = (VARY, HeaderValue::from_static("Accept"));
        if acceptable(headers, &[JSON, DISCOVERY_V2])? == JSON {
            let mut response = respond::json(self.groups.clone());
            response.headers_mut().extend([VARY_ACCEPT]);
            return Ok(response);
        }
        let known = headers.get(IF_NONE_MATCH) == Some(&self.etag);
        let (status, body) = if known {
            (StatusCode::NOT_MODIFIED, Bytes::new())
        } else {
            (StatusCode::OK, self.aggregated.clone())
        };
        let headers = [
            (
                CONTENT_TYPE,
                HeaderValue::from_static(
                    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
                ),
            ),
            (ETAG, self.etag.clone()),
            (CACHE_CONTROL, HeaderValue::from_static("public")),
            VARY_ACCEPT,
        ];
        Ok(respond::with_headers(status, headers, body))
    }

    /// `/apis/custom.metrics.k8s.io`.
    pub(super) fn group(&self, headers: &HeaderMap) -> Result<Response<Body>, Status> {
        acceptable(headers, &[JSON])?;
        Ok(respond::json(self.group.clone()))
    }

    /// `/apis/custom.metrics.k8s.io/<version>`. Says nothing of `If-None-Match`: kube-apiserver
    /// sends it along by mistake and takes 304 for a failure.
    pub(super) fn resources(
        &self,
        version: Version,
        headers: &HeaderMap,
    ) -> Result<Response<Body>, Status> {
        acceptable(headers, &[JSON])?;
        let body = match version {
            Version::V1Beta1 => &self.v1beta1,
            Version::V1Beta2 => &self.v1beta2,
        };
        Ok(respond::json(body.clone()))
    }
}

/// What each kind of object has of the catalogue.
fn resources() -> Vec<Resource> {
    let instance = |metric: &Metric| metric.scope != Scope::Broker;
    let broker = |metric: &Metric| metric.scope == Scope::Broker;
    Kind::ALL
        .into_iter()
        .map(|kind| {
            let has = |metric: &&Metric| match kind {
                Kind::MiniCluster | Kind::Service | Kind::Job => instance(metric),
                Kind::Pod => broker(metric),
                Kind::Namespace => instance(metric) && metric.summable,
            };
            let (plural, group) = kind.resource();
            Resource {
                name: if group.is_empty() {
                    plural.to_owned()
                } else {
                    format!("{plural}.{group}")
                },
                namespaced: kind != Kind::Namespace,
                metrics: CATALOGUE.iter().filter(has).map(|m| m.name.to_owned()).collect(),
            }
        })
        .collect()
}
