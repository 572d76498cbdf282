//! The newer form: all groups with all resources in one document.

use serde::Serialize;

use super::{Catalogue, Resource, VERBS};
use crate::{
    accept::Offer,
    group_version::{Group, GroupVersion},
};

/// A version of the aggregated form; both are spelled alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregated {
    /// `v2`, which Kubernetes has had since 1.30.
    V2,
    /// `v2beta1`, which it dropped in 1.35.
    V2Beta1,
}

const KIND: &str = "APIGroupDiscoveryList";

impl Aggregated {
    const fn api_version(self) -> &'static str {
        match self {
            Self::V2 => "apidiscovery.k8s.io/v2",
            Self::V2Beta1 => "apidiscovery.k8s.io/v2beta1",
        }
    }

    /// The `Content-Type`, by which clients recognise the form.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::V2 => "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
            Self::V2Beta1 => {
                "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
            }
        }
    }
}

impl From<Aggregated> for Offer {
    fn from(version: Aggregated) -> Self {
        let name = match version {
            Aggregated::V2 => "v2",
            Aggregated::V2Beta1 => "v2beta1",
        };
        Self {
            media_type: "application/json",
            transform: Some(["apidiscovery.k8s.io", name, KIND]),
            version: None,
        }
    }
}

/// Writes the document.
pub(super) fn body(version: Aggregated, catalogue: &Catalogue, groups: &[Group]) -> Vec<u8> {
    let list = GroupDiscoveryList {
        kind: KIND,
        api_version: version.api_version(),
        metadata: Metadata::default(),
        items: groups.iter().map(|group| GroupDiscovery::new(*group, catalogue)).collect(),
    };
    let mut body = Vec::new();
    // Writing texts to a `Vec` cannot fail.
    let written = serde_json::to_writer(&mut body, &list);
    debug_assert!(written.is_ok(), "{written:?}");
    body.push(b'\n');
    body
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupDiscoveryList<'a> {
    kind: &'static str,
    api_version: &'static str,
    metadata: Metadata,
    items: Vec<GroupDiscovery<'a>>,
}

/// Of a list without, of a group with a name.
#[derive(Default, Serialize)]
struct Metadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'static str>,
}

#[derive(Serialize)]
struct GroupDiscovery<'a> {
    metadata: Metadata,
    versions: Vec<VersionDiscovery<'a>>,
}

#[derive(Serialize)]
struct VersionDiscovery<'a> {
    version: &'static str,
    resources: Vec<ResourceDiscovery<'a>>,
    freshness: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceDiscovery<'a> {
    resource: &'a str,
    response_kind: ResponseKind,
    scope: &'static str,
    singular_resource: &'static str,
    verbs: &'static [&'static str],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    subresources: Vec<SubresourceDiscovery<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SubresourceDiscovery<'a> {
    subresource: &'a str,
    response_kind: ResponseKind,
    verbs: &'static [&'static str],
}

/// Never left out: some clients crash without one. All empty for a resource that is there for
/// its subresources alone.
#[derive(Default, Serialize)]
struct ResponseKind {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
}

impl<'a> GroupDiscovery<'a> {
    fn new(group: Group, catalogue: &'a Catalogue) -> Self {
        let version = |version: &GroupVersion| VersionDiscovery {
            version: version.version(),
            resources: match group {
                Group::Custom => catalogue
                    .custom
                    .iter()
                    .map(|resource| ResourceDiscovery::of_objects(*version, resource))
                    .collect(),
                Group::External => catalogue
                    .external
                    .iter()
                    .map(|metric| ResourceDiscovery::of_metric(*version, metric))
                    .collect(),
            },
            freshness: "Current",
        };
        Self {
            metadata: Metadata { name: Some(group.name()) },
            versions: group.versions().iter().map(version).collect(),
        }
    }
}

impl<'a> ResourceDiscovery<'a> {
    fn of_objects(version: GroupVersion, resource: &'a Resource) -> Self {
        let subresources = resource.metrics.iter().map(|metric| SubresourceDiscovery {
            subresource: metric,
            response_kind: version.into(),
            verbs: &VERBS,
        });
        Self {
            resource: &resource.name,
            response_kind: ResponseKind::default(),
            scope: if resource.namespaced { "Namespaced" } else { "Cluster" },
            singular_resource: "",
            verbs: &[],
            subresources: subresources.collect(),
        }
    }

    fn of_metric(version: GroupVersion, metric: &'a str) -> Self {
        Self {
            resource: metric,
            response_kind: version.into(),
            scope: "Namespaced",
            singular_resource: "",
            verbs: &VERBS,
            subresources: Vec::new(),
        }
    }
}

impl From<GroupVersion> for ResponseKind {
    fn from(version: GroupVersion) -> Self {
        Self {
            group: version.group().name(),
            version: version.version(),
            kind: version.list_kind(),
        }
    }
}
