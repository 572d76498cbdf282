//! Discovery: what there is to ask for, in documents that are made once.
//!
//! They come from the catalogue and thus list kinds of objects and names of metrics, whatever is
//! in the store: discovery that fails or flaps harms every client of the cluster.

use bytes::Bytes;
use fluxgauge_proto::catalogue::{CATALOGUE, Metric, Scope};
use http::{HeaderMap, HeaderName, HeaderValue, Response, header::VARY};
use metrics_api::{
    Encoding,
    discovery::{Catalogue, Documents, Resource, Tagged},
    group_version::{Group, GroupVersion},
};
use serde_json::json;

use super::{form::Groups, metric::Kind, respond};

/// The documents.
#[derive(Debug)]
pub(super) struct Discovery {
    documents: Documents,
    paths: Bytes,
    version: Bytes,
}

impl Discovery {
    pub(super) fn new(groups: &[Group]) -> Self {
        let catalogue = Catalogue { custom: resources(), external: external() };
        let documents = Documents::new(&catalogue, groups);
        Self { documents, paths: paths(groups), version: version() }
    }

    /// `/`, in JSON whatever a client reads, as in Kubernetes.
    pub(super) fn paths(&self) -> Response<Bytes> {
        respond::document(Encoding::PrettyJson, self.paths.clone())
    }

    /// `/version`, in JSON whatever a client reads, as in Kubernetes.
    pub(super) fn version(&self) -> Response<Bytes> {
        respond::document(Encoding::PrettyJson, self.version.clone())
    }

    /// `/apis`, in the older or in the aggregated form.
    pub(super) fn groups(&self, form: Groups, headers: &HeaderMap) -> Response<Bytes> {
        const VARY_ACCEPT: (HeaderName, HeaderValue) = (VARY, HeaderValue::from_static("Accept"));
        let mut response = match form {
            Groups::Legacy(encoding) => {
                respond::document(encoding, self.documents.groups.body(encoding).clone())
            }
            Groups::Aggregated(version) => {
                let Tagged { body, etag } = self.documents.aggregated(version);
                let public = HeaderValue::from_static("public");
                respond::tagged(headers, etag, body, version.content_type(), public)
            }
        };
        response.headers_mut().extend([VARY_ACCEPT]);
        response
    }

    /// `/apis/<group>`.
    pub(super) fn group(&self, group: Group, encoding: Encoding) -> Response<Bytes> {
        respond::document(encoding, self.documents.group(group).body(encoding).clone())
    }

    /// `/apis/<group>/<version>`. Says nothing of `If-None-Match`: kube-apiserver sends it along
    /// by mistake and takes 304 for a failure.
    pub(super) fn resources(&self, version: GroupVersion, encoding: Encoding) -> Response<Bytes> {
        respond::document(encoding, self.documents.resources(version).body(encoding).clone())
    }
}

/// What people find at the root.
fn paths(groups: &[Group]) -> Bytes {
    let mut paths = vec!["/apis".to_owned()];
    for group in groups {
        paths.push(format!("/apis/{}", group.name()));
        paths.extend(group.versions().iter().map(|version| format!("/apis/{}", version.name())));
    }
    paths.extend(
        ["/healthz", "/livez", "/metrics", "/openapi/v2", "/openapi/v3", "/readyz", "/version"]
            .map(str::to_owned),
    );
    format!("{:#}\n", json!({ "paths": paths })).into()
}

/// This program's version in the words in which Kubernetes says its own.
fn version() -> Bytes {
    let info = json!({
        "major": env!("CARGO_PKG_VERSION_MAJOR"),
        "minor": env!("CARGO_PKG_VERSION_MINOR"),
        "gitVersion": concat!("v", env!("CARGO_PKG_VERSION")),
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "",
        "goVersion": "",
        "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    });
    format!("{info:#}\n").into()
}

/// The metrics that need no object to be named: those of instances.
fn external() -> Vec<String> {
    let of_instances = CATALOGUE.iter().filter(|metric| metric.scope != Scope::Broker);
    of_instances.map(|metric| metric.name.to_owned()).collect()
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
