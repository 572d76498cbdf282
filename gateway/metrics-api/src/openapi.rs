//! OpenAPI documents: what tools are told of the API, made once from a fixed list of metrics.
//!
//! ```text
//!  metrics ─▶ operation ─┬─▶ v2, v3 ─▶ JSON ─▶ gnostic ─▶ protobuf
//!             model ─────┘
//! ```
//!
//! Protobuf is made from the JSON, so that the two cannot say different things. Members stand in
//! alphabetical order, and the entity tag of a document is that of its JSON: bytes and hashes depend on
//! the list alone and are the same on all replicas.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::{
    accept::Offer,
    custom::Version,
    discovery::Tagged,
    encoding::Encoding,
    group_version::{Group, GroupVersion},
};

mod gnostic;
mod model;
mod operation;
mod v2;
mod v3;

/// The forms of `/openapi/v2`: JSON, protobuf, and protobuf by its older name, which is understood
/// and never answered.
pub const V2_OFFERS: [Offer; 3] = offers([
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
]);

/// The forms of a document of `/openapi/v3`, in the same order.
pub const V3_OFFERS: [Offer; 3] = offers([
    "application/com.github.proto-openapi.spec.v3.v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v3@v1.0+protobuf",
]);

const fn offers([name, older]: [&'static str; 2]) -> [Offer; 3] {
    [offer(Encoding::Json.media_type()), offer(name), offer(older)]
}

const fn offer(media_type: &'static str) -> Offer {
    Offer { media_type, transform: None, version: None }
}

/// A metric, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric {
    /// The name.
    pub name: String,
    /// Sentences on what it counts, with the unit.
    pub help: String,
}

/// What the documents speak of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Custom metrics that describe objects in a namespace.
    pub of_objects: Vec<Metric>,
    /// Custom metrics that describe a namespace itself.
    pub of_namespaces: Vec<Metric>,
    /// External metrics.
    pub external: Vec<Metric>,
}

/// A document in both forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// As JSON, with the entity tag of both forms, since answers vary by `Accept`.
    pub json: Tagged,
    /// As the message of gnostic that Kubernetes makes of the JSON.
    pub protobuf: Bytes,
}

impl Document {
    fn new(mut document: Value, shape: &gnostic::Shape) -> Self {
        document.sort_all_objects();
        let protobuf = gnostic::encode(&document, shape).into();
        Self { json: Tagged::new(document.to_string().into_bytes()), protobuf }
    }

    /// The entity tag without quotes, as it stands in URLs.
    pub fn hash(&self) -> &str {
        self.json.etag.trim_matches('"')
    }
}

/// All documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Documents {
    /// `/openapi/v2`: all group-versions in one document.
    pub v2: Document,
    /// `/openapi/v3`: where the documents of version 3 are; JSON alone.
    pub index: Tagged,
    custom_v1beta1: Document,
    custom_v1beta2: Document,
    external_v1beta1: Document,
}

impl Documents {
    /// Makes the documents; the index and that of version 2 speak of the groups that are served.
    pub fn new(metrics: &Metrics, groups: &[Group]) -> Self {
        let v3 = |api| Document::new(v3::document(api, metrics), &gnostic::V3);
        let mut documents = Self {
            v2: Document::new(v2::document(metrics, groups), &gnostic::V2),
            index: Tagged::new(Vec::new()),
            custom_v1beta1: v3(GroupVersion::Custom(Version::V1Beta1)),
            custom_v1beta2: v3(GroupVersion::Custom(Version::V1Beta2)),
            external_v1beta1: v3(GroupVersion::External),
        };
        let paths = GroupVersion::of(groups).map(|api| {
            let (name, hash) = (api.name(), documents.v3(api).hash());
            let url = format!("/openapi/v3/apis/{name}?hash={hash}");
            (format!("apis/{name}"), json!({ "serverRelativeURL": url }))
        });
        let mut index = json!({ "paths": Value::Object(paths.collect()) });
        index.sort_all_objects();
        documents.index = Tagged::new(index.to_string().into_bytes());
        documents
    }

    /// `/openapi/v3/apis/<group>/<version>`.
    pub const fn v3(&self, group_version: GroupVersion) -> &Document {
        match group_version {
            GroupVersion::Custom(Version::V1Beta1) => &self.custom_v1beta1,
            GroupVersion::Custom(Version::V1Beta2) => &self.custom_v1beta2,
            GroupVersion::External => &self.external_v1beta1,
        }
    }
}

impl GroupVersion {
    /// What ties models and operations to a kind.
    fn to_kind(self) -> Value {
        json!({
            "group": self.group().name(),
            "version": self.version(),
            "kind": self.list_kind(),
        })
    }
}

/// Ties a model to kinds, and an operation to one.
const KIND: &str = "x-kubernetes-group-version-kind";

/// The two versions of OpenAPI, where they spell the same thing differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    V2,
    V3,
}

#[cfg(test)]
mod tests;
