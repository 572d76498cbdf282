//! OpenAPI documents: what tools are told of the API, made once from a fixed list of metrics.
//!
//! ```text
//!  metrics ─▶ operation ─┬─▶ v2, v3 ─▶ JSON ─▶ gnostic ─▶ protobuf
//!             model ─────┘
//! ```
//!
//! Protobuf is made from the JSON, so that the two cannot say different things. Members stand in
//! alphabetical order, and the hash of a document is that of its JSON: bytes and hashes depend on
//! the list alone and are the same on all replicas.

use serde_json::{Value, json};

use crate::{
    accept::Offer,
    custom::{self, Version},
    discovery::fnv1a,
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
    [offer("application/json"), offer(name), offer(older)]
}

const fn offer(media_type: &'static str) -> Offer {
    Offer { media_type, transform: None }
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
    /// As JSON.
    pub json: Vec<u8>,
    /// As the message of gnostic that Kubernetes makes of the JSON.
    pub protobuf: Vec<u8>,
    /// Hexadecimal digits that change with the content. An entity tag is made of them by quotes.
    pub hash: String,
}

impl Document {
    fn new(mut document: Value, shape: &gnostic::Shape) -> Self {
        document.sort_all_objects();
        let json = document.to_string().into_bytes();
        Self { protobuf: gnostic::encode(&document, shape), hash: hash(&json), json }
    }
}

/// All documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Documents {
    /// `/openapi/v2`: all group-versions in one document.
    pub v2: Document,
    /// `/openapi/v3`: where the documents of version 3 are; JSON alone.
    pub index: Vec<u8>,
    /// The hash of [`Self::index`].
    pub index_hash: String,
    /// `/openapi/v3/apis/<group>/<version>`, each with its group and version as `<group>/<version>`.
    pub v3: [(String, Document); 3],
}

impl Documents {
    /// Makes the documents.
    pub fn new(metrics: &Metrics) -> Self {
        let v3 = GroupVersion::ALL
            .map(|api| (api.name(), Document::new(v3::document(api, metrics), &gnostic::V3)));
        let paths = v3.iter().map(|(name, document)| {
            let url = format!("/openapi/v3/apis/{name}?hash={}", document.hash);
            (format!("apis/{name}"), json!({ "serverRelativeURL": url }))
        });
        let mut index = json!({ "paths": Value::Object(paths.collect()) });
        index.sort_all_objects();
        let index = index.to_string().into_bytes();
        Self {
            v2: Document::new(v2::document(metrics), &gnostic::V2),
            index_hash: hash(&index),
            index,
            v3,
        }
    }
}

fn hash(bytes: &[u8]) -> String {
    format!("{:032X}", fnv1a(bytes))
}

/// What has a document of version 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GroupVersion {
    Custom(Version),
    External,
}

impl GroupVersion {
    const ALL: [Self; 3] =
        [Self::Custom(Version::V1Beta1), Self::Custom(Version::V1Beta2), Self::External];

    const fn group(self) -> &'static str {
        match self {
            Self::Custom(_) => custom::GROUP,
            Self::External => "external.metrics.k8s.io",
        }
    }

    const fn version(self) -> &'static str {
        match self {
            Self::Custom(version) => version.name(),
            Self::External => "v1beta1",
        }
    }

    /// As it stands in paths, below `/apis/`.
    fn name(self) -> String {
        format!("{}/{}", self.group(), self.version())
    }

    /// The kind of answers.
    const fn list_kind(self) -> &'static str {
        match self {
            Self::Custom(_) => custom::LIST_KIND,
            Self::External => "ExternalMetricValueList",
        }
    }

    /// What ties models and operations to a kind.
    fn kind(self) -> Value {
        json!({ "group": self.group(), "version": self.version(), "kind": self.list_kind() })
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
