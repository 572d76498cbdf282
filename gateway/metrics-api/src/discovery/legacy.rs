//! The older form: a document of all groups, one of each group, one of each version.

use serde::Serialize;

use super::{Catalogue, VERBS};
use crate::{
    encoding::{Document, Message},
    group_version::{Group, GroupVersion},
};

/// `APIGroupList`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupList {
    kind: &'static str,
    api_version: &'static str,
    groups: Vec<ApiGroup>,
}

/// `APIGroup`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupDocument {
    kind: &'static str,
    api_version: &'static str,
    #[serde(flatten)]
    group: ApiGroup,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ApiGroup {
    name: &'static str,
    versions: Vec<GroupVersionForDiscovery>,
    preferred_version: GroupVersionForDiscovery,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupVersionForDiscovery {
    group_version: &'static str,
    version: &'static str,
}

impl GroupList {
    pub(super) fn new(groups: &[Group]) -> Self {
        let groups = groups.iter().copied().map(ApiGroup::from).collect();
        Self { kind: "APIGroupList", api_version: "v1", groups }
    }
}

impl GroupDocument {
    pub(super) fn new(group: Group) -> Self {
        Self { kind: "APIGroup", api_version: "v1", group: group.into() }
    }
}

impl From<Group> for ApiGroup {
    fn from(group: Group) -> Self {
        Self {
            name: group.name(),
            versions: group.versions().iter().map(|version| (*version).into()).collect(),
            preferred_version: group.preferred().into(),
        }
    }
}

impl From<GroupVersion> for GroupVersionForDiscovery {
    fn from(group_version: GroupVersion) -> Self {
        Self { group_version: group_version.name(), version: group_version.version() }
    }
}

impl Document for GroupList {
    fn api_version(&self) -> &'static str {
        self.api_version
    }

    fn kind(&self) -> &'static str {
        self.kind
    }

    fn write_fields(&self, list: &mut Message<'_>) {
        for group in &self.groups {
            list.message(1, |fields| group.write_fields(fields));
        }
    }
}

impl Document for GroupDocument {
    fn api_version(&self) -> &'static str {
        self.api_version
    }

    fn kind(&self) -> &'static str {
        self.kind
    }

    fn write_fields(&self, group: &mut Message<'_>) {
        self.group.write_fields(group);
    }
}

impl ApiGroup {
    fn write_fields(&self, group: &mut Message<'_>) {
        group.string(1, self.name);
        for version in &self.versions {
            group.message(2, |fields| version.write_fields(fields));
        }
        group.message(3, |fields| self.preferred_version.write_fields(fields));
    }
}

impl GroupVersionForDiscovery {
    fn write_fields(&self, version: &mut Message<'_>) {
        version.string(1, self.group_version);
        version.string(2, self.version);
    }
}

/// `APIResourceList`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResourceList {
    kind: &'static str,
    api_version: &'static str,
    group_version: &'static str,
    resources: Vec<ApiResource>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ApiResource {
    name: String,
    singular_name: &'static str,
    namespaced: bool,
    kind: &'static str,
    verbs: [&'static str; 1],
}

impl ResourceList {
    pub(super) fn new(group_version: GroupVersion, catalogue: &Catalogue) -> Self {
        let resource = |name, namespaced| ApiResource {
            name,
            singular_name: "",
            namespaced,
            kind: group_version.list_kind(),
            verbs: VERBS,
        };
        let resources = match group_version {
            GroupVersion::External => {
                catalogue.external.iter().map(|metric| resource(metric.clone(), true)).collect()
            }
            GroupVersion::Custom(_) => {
                let of_objects = catalogue.custom.iter().flat_map(|objects| {
                    let name = |metric| format!("{}/{metric}", objects.name);
                    objects.metrics.iter().map(move |metric| (name(metric), objects.namespaced))
                });
                of_objects.map(|(name, namespaced)| resource(name, namespaced)).collect()
            }
        };
        let group_version = group_version.name();
        Self { kind: "APIResourceList", api_version: "v1", group_version, resources }
    }
}

impl Document for ResourceList {
    fn api_version(&self) -> &'static str {
        self.api_version
    }

    fn kind(&self) -> &'static str {
        self.kind
    }

    fn write_fields(&self, list: &mut Message<'_>) {
        list.string(1, self.group_version);
        for resource in &self.resources {
            list.message(2, |fields| {
                fields.string(1, &resource.name);
                fields.boolean(2, resource.namespaced);
                fields.string(3, resource.kind);
                fields.message(4, |verbs| {
                    for verb in resource.verbs {
                        verbs.string(1, verb);
                    }
                });
                fields.string(6, resource.singular_name);
                fields.string(8, ""); // group: that of the list
                fields.string(9, ""); // version: that of the list
                fields.string(10, ""); // storageVersionHash
            });
        }
    }
}
