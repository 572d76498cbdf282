//! Discovery documents: which groups, versions and resources there are.
//!
//! They are made once, at start, from a fixed list: types of objects and names of metrics, never
//! single objects, so that their size does not grow with what is measured. Their bytes depend on
//! that list alone and are thus the same on all replicas.

use bytes::Bytes;

use crate::{
    custom,
    encoding::Prepared,
    group_version::{Group, GroupVersion},
};

mod aggregated;
mod legacy;

pub use aggregated::Aggregated;

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

/// What there is to ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// The objects that have metrics.
    pub custom: Vec<Resource>,
    /// The names of external metrics.
    pub external: Vec<String>,
}

/// The documents, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Documents {
    /// `APIGroupList`, for `/apis`.
    pub groups: Prepared,
    custom: Prepared,
    external: Prepared,
    custom_v1beta1: Prepared,
    custom_v1beta2: Prepared,
    external_v1beta1: Prepared,
    v2: Tagged,
    v2beta1: Tagged,
}

/// A body and its entity tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tagged {
    /// The body.
    pub body: Bytes,
    /// A hash of the body, in quotes.
    pub etag: String,
}

impl Documents {
    /// Makes the documents; those of all groups list the groups that are served. Where one has no
    /// metric a placeholder stands in: clients take an empty list for a broken server.
    pub fn new(catalogue: &Catalogue, groups: &[Group]) -> Self {
        let placeholder = || vec!["placeholder".to_owned()];
        let mut catalogue = catalogue.clone();
        catalogue.custom.retain(|resource| !resource.metrics.is_empty());
        if catalogue.custom.is_empty() {
            let (name, metrics) = ("pods".to_owned(), placeholder());
            catalogue.custom.push(Resource { name, namespaced: true, metrics });
        }
        if catalogue.external.is_empty() {
            catalogue.external = placeholder();
        }
        let group = |group| Prepared::new(&legacy::GroupDocument::new(group));
        let resources = |version| Prepared::new(&legacy::ResourceList::new(version, &catalogue));
        let aggregated = |version| Tagged::new(aggregated::body(version, &catalogue, groups));
        Self {
            groups: Prepared::new(&legacy::GroupList::new(groups)),
            custom: group(Group::Custom),
            external: group(Group::External),
            custom_v1beta1: resources(GroupVersion::Custom(custom::Version::V1Beta1)),
            custom_v1beta2: resources(GroupVersion::Custom(custom::Version::V1Beta2)),
            external_v1beta1: resources(GroupVersion::External),
            v2: aggregated(Aggregated::V2),
            v2beta1: aggregated(Aggregated::V2Beta1),
        }
    }

    /// `APIGroup`, for `/apis/<group>`.
    pub const fn group(&self, group: Group) -> &Prepared {
        match group {
            Group::Custom => &self.custom,
            Group::External => &self.external,
        }
    }

    /// `APIResourceList`, for `/apis/<group>/<version>`.
    pub const fn resources(&self, group_version: GroupVersion) -> &Prepared {
        match group_version {
            GroupVersion::Custom(custom::Version::V1Beta1) => &self.custom_v1beta1,
            GroupVersion::Custom(custom::Version::V1Beta2) => &self.custom_v1beta2,
            GroupVersion::External => &self.external_v1beta1,
        }
    }

    /// `APIGroupDiscoveryList`, for `/apis` where a client asks for the aggregated form.
    pub const fn aggregated(&self, version: Aggregated) -> &Tagged {
        match version {
            Aggregated::V2 => &self.v2,
            Aggregated::V2Beta1 => &self.v2beta1,
        }
    }
}

impl Tagged {
    pub(crate) fn new(body: Vec<u8>) -> Self {
        Self { etag: format!("\"{:032X}\"", fnv1a(&body)), body: body.into() }
    }
}

/// What can be done: nothing but read. With more, controllers that delete, count or watch all
/// there is would ask for these too.
const VERBS: [&str; 1] = ["get"];

/// FNV-1a with 128 bits: an entity tag guards against change, not against an enemy.
fn fnv1a(bytes: &[u8]) -> u128 {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    bytes.iter().fold(BASIS, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests;
