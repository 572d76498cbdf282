//! The groups of metrics APIs and their versions.

use crate::{custom, external};

/// A group of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// `custom.metrics.k8s.io`: metrics of objects.
    Custom,
    /// `external.metrics.k8s.io`: metrics by name and labels alone.
    External,
}

impl Group {
    /// All groups, in the order of discovery documents.
    pub const ALL: [Self; 2] = [Self::Custom, Self::External];

    /// As it stands in a path.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Custom => custom::GROUP,
            Self::External => external::GROUP,
        }
    }

    /// Finds a group by its name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.name() == name)
    }

    /// Its versions, [preferred](Self::preferred) ones first.
    pub const fn versions(self) -> &'static [GroupVersion] {
        match self {
            Self::Custom => &[
                GroupVersion::Custom(custom::Version::V1Beta2),
                GroupVersion::Custom(custom::Version::V1Beta1),
            ],
            Self::External => &[GroupVersion::External],
        }
    }

    /// The version that clients should ask for.
    pub const fn preferred(self) -> GroupVersion {
        match self {
            Self::Custom => GroupVersion::Custom(custom::Version::V1Beta2),
            Self::External => GroupVersion::External,
        }
    }
}

/// A version of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupVersion {
    /// One of `custom.metrics.k8s.io`.
    Custom(custom::Version),
    /// The one of `external.metrics.k8s.io`.
    External,
}

impl GroupVersion {
    /// Finds a version of a group by its name.
    pub fn find(group: Group, version: &str) -> Option<Self> {
        group.versions().iter().copied().find(|known| known.version() == version)
    }

    /// All versions of all groups, in the order of discovery documents.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::of(&Group::ALL)
    }

    /// All versions of some groups, in the same order.
    pub fn of(groups: &[Group]) -> impl Iterator<Item = Self> {
        groups.iter().flat_map(|group| group.versions().iter().copied())
    }

    /// The group.
    pub const fn group(self) -> Group {
        match self {
            Self::Custom(_) => Group::Custom,
            Self::External => Group::External,
        }
    }

    /// The version alone, such as `v1beta1`.
    pub const fn version(self) -> &'static str {
        match self {
            Self::Custom(version) => version.name(),
            Self::External => external::VERSION,
        }
    }

    /// Group and version, as it stands in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Custom(version) => version.group_version(),
            Self::External => external::GROUP_VERSION,
        }
    }

    /// The kind of every answer.
    pub const fn list_kind(self) -> &'static str {
        match self {
            Self::Custom(_) => custom::LIST_KIND,
            Self::External => external::LIST_KIND,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_group_and_version() {
        for known in GroupVersion::all() {
            assert_eq!(known.name(), format!("{}/{}", known.group().name(), known.version()));
            assert_eq!(GroupVersion::find(known.group(), known.version()), Some(known));
        }
        assert_eq!(GroupVersion::all().count(), 3);
        for group in Group::ALL {
            assert_eq!(group.versions().first(), Some(&group.preferred()));
        }
    }
}
