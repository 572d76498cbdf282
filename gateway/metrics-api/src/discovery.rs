//! Discovery documents: which groups, versions and resources there are.
//!
//! They are made once, at start, from a fixed list: types of objects and names of metrics, never
//! single objects, so that their size does not grow with what is measured. Their bytes depend on
//! that list alone and are thus the same on all replicas.

use serde::Serialize;

use crate::custom::{GROUP, LIST_KIND, Version};

/// A resource with the metrics that its objects have. All of them share one scope, since
/// Kubernetes refuses a document in which they do not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Plural and group, such as `jobs.batch`.
    pub name: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// The names of the metrics.
    pub metrics: Vec<String>,
}

/// The documents, as bodies ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Documents {
    /// `APIGroupList`, for `/apis`.
    pub groups: Vec<u8>,
    /// `APIGroupDiscoveryList`, for `/apis` where a client asks for the aggregated form.
    pub aggregated: Vec<u8>,
    /// The entity tag of [`Self::aggregated`], in quotes.
    pub aggregated_etag: String,
    /// `APIGroup`, for `/apis/custom.metrics.k8s.io`.
    pub group: Vec<u8>,
    v1beta1: Vec<u8>,
    v1beta2: Vec<u8>,
}

impl Documents {
    /// Makes the documents. Where no resource has a metric a placeholder stands in: clients take
    /// an empty list for a broken server.
    pub fn new(resources: &[Resource]) -> Self {
        let mut resources: Vec<_> =
            resources.iter().filter(|resource| !resource.metrics.is_empty()).cloned().collect();
        if resources.is_empty() {
            let metrics = vec!["placeholder".to_owned()];
            resources.push(Resource { name: "pods".to_owned(), namespaced: true, metrics });
        }
        let aggregated = body(&aggregated::GroupDiscoveryList::new(&resources));
        Self {
            groups: body(&GroupList {
                kind: "APIGroupList",
                api_version: "v1",
                groups: [Group::new()],
            }),
            aggregated_etag: format!("\"{:032X}\"", fnv1a(&aggregated)),
            aggregated,
            group: body(&Typed { kind: "APIGroup", api_version: "v1", object: Group::new() }),
            v1beta1: body(&ResourceList::new(Version::V1Beta1, &resources)),
            v1beta2: body(&ResourceList::new(Version::V1Beta2, &resources)),
        }
    }

    /// `APIResourceList`, for `/apis/custom.metrics.k8s.io/<version>`.
    pub fn resources(&self, version: Version) -> &[u8] {
        match version {
            Version::V1Beta1 => &self.v1beta1,
            Version::V1Beta2 => &self.v1beta2,
        }
    }
}

const VERBS: [&str; 1] = ["get"];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupList {
    kind: &'static str,
    api_version: &'static str,
    groups: [Group; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Typed<T> {
    kind: &'static str,
    api_version: &'static str,
    #[serde(flatten)]
    object: T,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    name: &'static str,
    versions: [GroupVersion; 2],
    preferred_version: GroupVersion,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupVersion {
    group_version: &'static str,
    version: &'static str,
}

impl Group {
    fn new() -> Self {
        let versions = Version::ALL.map(GroupVersion::from);
        let [preferred, _] = Version::ALL;
        Self { name: GROUP, versions, preferred_version: preferred.into() }
    }
}

impl From<Version> for GroupVersion {
    fn from(version: Version) -> Self {
        Self { group_version: version.group_version(), version: version.name() }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceList {
    kind: &'static str,
    api_version: &'static str,
    group_version: &'static str,
    resources: Vec<ResourceEntry>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceEntry {
    name: String,
    singular_name: &'static str,
    namespaced: bool,
    kind: &'static str,
    verbs: [&'static str; 1],
}

impl ResourceList {
    fn new(version: Version, resources: &[Resource]) -> Self {
        let entries = resources.iter().flat_map(|resource| {
            resource.metrics.iter().map(|metric| ResourceEntry {
                name: format!("{}/{metric}", resource.name),
                singular_name: "",
                namespaced: resource.namespaced,
                kind: LIST_KIND,
                verbs: VERBS,
            })
        });
        Self {
            kind: "APIResourceList",
            api_version: "v1",
            group_version: version.group_version(),
            resources: entries.collect(),
        }
    }
}

/// The aggregated form: all groups with all resources in one document.
mod aggregated {
    use super::{GROUP, LIST_KIND, Resource, Serialize, VERBS, Version};

    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    pub(super) struct GroupDiscoveryList<'a> {
        kind: &'static str,
        api_version: &'static str,
        metadata: Metadata,
        items: [GroupDiscovery<'a>; 1],
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
        versions: [VersionDiscovery<'a>; 2],
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
        verbs: [&'static str; 0],
        subresources: Vec<SubresourceDiscovery<'a>>,
    }

    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct SubresourceDiscovery<'a> {
        subresource: &'a str,
        response_kind: ResponseKind,
        verbs: [&'static str; 1],
    }

    /// Never left out: some clients crash without one. All empty for a resource that is there for
    /// its subresources alone.
    #[derive(Default, Serialize)]
    struct ResponseKind {
        group: &'static str,
        version: &'static str,
        kind: &'static str,
    }

    impl<'a> GroupDiscoveryList<'a> {
        pub(super) fn new(resources: &'a [Resource]) -> Self {
            let versions = Version::ALL.map(|version| VersionDiscovery {
                version: version.name(),
                resources: resources
                    .iter()
                    .map(|resource| ResourceDiscovery::new(version, resource))
                    .collect(),
                freshness: "Current",
            });
            Self {
                kind: "APIGroupDiscoveryList",
                api_version: "apidiscovery.k8s.io/v2",
                metadata: Metadata::default(),
                items: [GroupDiscovery { metadata: Metadata { name: Some(GROUP) }, versions }],
            }
        }
    }

    impl<'a> ResourceDiscovery<'a> {
        fn new(version: Version, resource: &'a Resource) -> Self {
            let subresources = resource.metrics.iter().map(|metric| SubresourceDiscovery {
                subresource: metric,
                response_kind: ResponseKind {
                    group: GROUP,
                    version: version.name(),
                    kind: LIST_KIND,
                },
                verbs: VERBS,
            });
            Self {
                resource: &resource.name,
                response_kind: ResponseKind::default(),
                scope: if resource.namespaced { "Namespaced" } else { "Cluster" },
                singular_resource: "",
                verbs: [],
                subresources: subresources.collect(),
            }
        }
    }
}

fn body(document: &impl Serialize) -> Vec<u8> {
    let mut body = Vec::new();
    // Writing texts to a `Vec` cannot fail.
    let written = serde_json::to_writer(&mut body, document);
    debug_assert!(written.is_ok(), "{written:?}");
    body.push(b'\n');
    body
}

/// FNV-1a with 128 bits: an entity tag guards against change, not against an enemy.
pub(crate) fn fnv1a(bytes: &[u8]) -> u128 {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    bytes.iter().fold(BASIS, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    fn documents() -> Documents {
        let resource = |name: &str, namespaced, metrics: &[&str]| Resource {
            name: name.to_owned(),
            namespaced,
            metrics: metrics.iter().copied().map(str::to_owned).collect(),
        };
        Documents::new(&[
            resource("pods", true, &["a", "b"]),
            resource("namespaces", false, &["a"]),
            resource("services", true, &[]),
        ])
    }

    fn text(body: &[u8]) -> &str {
        std::str::from_utf8(body).unwrap()
    }

    fn json(body: &[u8]) -> Value {
        serde_json::from_slice(body).unwrap()
    }

    #[test]
    fn groups_are_listed_with_the_preferred_version() {
        assert_eq!(text(&documents().groups), include_str!("../testdata/groups.json"));
        assert_eq!(text(&documents().group), include_str!("../testdata/group.json"));
    }

    #[test]
    fn resources_are_listed_in_both_versions() {
        let golden = include_str!("../testdata/resources.json");
        assert_eq!(text(documents().resources(Version::V1Beta2)), golden);
        let golden = golden.replace("v1beta2", "v1beta1");
        assert_eq!(text(documents().resources(Version::V1Beta1)), golden);
    }

    #[test]
    fn the_aggregated_document_holds_all_versions() {
        assert_eq!(text(&documents().aggregated), include_str!("../testdata/aggregated.json"));
    }

    #[test]
    fn both_forms_list_the_same() {
        let documents = documents();
        for (nth, version) in Version::ALL.into_iter().enumerate() {
            let legacy: BTreeSet<String> = json(documents.resources(version))["resources"]
                .as_array()
                .unwrap()
                .iter()
                .map(|entry| entry["name"].as_str().unwrap().to_owned())
                .collect();
            let aggregated = json(&documents.aggregated);
            let aggregated =
                aggregated["items"][0]["versions"][nth]["resources"].as_array().unwrap();
            let aggregated: BTreeSet<String> = aggregated
                .iter()
                .flat_map(|parent| {
                    let name = parent["resource"].as_str().unwrap();
                    let subresources = parent["subresources"].as_array().unwrap();
                    subresources
                        .iter()
                        .map(move |sub| format!("{name}/{}", sub["subresource"].as_str().unwrap()))
                })
                .collect();
            assert_eq!(legacy, aggregated);
        }
    }

    #[test]
    fn no_list_is_ever_empty() {
        let documents = Documents::new(&[]);
        for version in Version::ALL {
            assert_eq!(
                json(documents.resources(version))["resources"][0]["name"],
                "pods/placeholder"
            );
        }
    }

    #[test]
    fn the_entity_tag_follows_the_content_alone() {
        assert_eq!(documents(), documents());
        assert_ne!(documents().aggregated_etag, Documents::new(&[]).aggregated_etag);
        assert!(documents().aggregated_etag.starts_with('"'));
        assert_eq!(fnv1a(b"a"), 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964);
    }
}
