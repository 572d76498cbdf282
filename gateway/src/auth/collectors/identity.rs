//! What whoever is proved may claim. Pure.

use std::sync::Arc;

use crate::{
    model::{ClusterKey, Standing},
    pods::Pod,
};

/// What a stream says it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The MiniCluster.
    pub cluster: ClusterKey,
    /// The rank of the broker, which is the index of its pod.
    pub rank: u32,
}

/// Where a collector runs, as far as it has proved that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// Nobody asks.
    Anybody,
    /// In this namespace.
    Namespace(Arc<str>),
    /// In a pod of this MiniCluster, or in that of one index.
    MiniCluster { cluster: ClusterKey, index: Option<u32> },
    /// In this pod.
    Pod(Arc<Pod>),
}

impl Identity {
    /// Whether it may claim this.
    ///
    /// # Errors
    ///
    /// When it may not: says what it may.
    pub(super) fn may(&self, claim: &Claim) -> Result<(), String> {
        let ClusterKey { namespace, name } = &claim.cluster;
        let (own_namespace, own_name, own_index) = match self {
            Self::Anybody => return Ok(()),
            Self::Namespace(own) => (own, None, None),
            Self::MiniCluster { cluster, index } => {
                (&cluster.namespace, Some(&cluster.name), *index)
            }
            Self::Pod(pod) => (&pod.namespace, Some(&pod.minicluster), Some(pod.index)),
        };
        if own_namespace != namespace {
            return Err(format!(
                "it is of namespace {own_namespace} and claims namespace {namespace}: set \
                 FLUXGAUGE_NAMESPACE to {own_namespace}, or leave it out"
            ));
        }
        if let Some(own) = own_name.filter(|own| *own != name) {
            return Err(format!(
                "it is of MiniCluster {own} and claims MiniCluster {name}: set \
                 FLUXGAUGE_MINICLUSTER to {own}, or leave it out"
            ));
        }
        match own_index {
            Some(own) if own != claim.rank => Err(format!(
                "it is of index {own} of MiniCluster {name} and claims rank {}: let the collector read \
                 the broker of its own pod",
                claim.rank
            )),
            _ => Ok(()),
        }
    }

    /// How exactly it is proved.
    pub(super) const fn standing(&self) -> Standing {
        match self {
            Self::Anybody => Standing::Unasked,
            Self::Namespace(_) => Standing::Namespace,
            Self::MiniCluster { index: None, .. } => Standing::MiniCluster,
            Self::MiniCluster { index: Some(_), .. } => Standing::Index,
            Self::Pod(_) => Standing::Pod,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(namespace: &str, name: &str, rank: u32) -> Claim {
        let cluster = ClusterKey { namespace: namespace.into(), name: name.into() };
        Claim { cluster, rank }
    }

    /// What an identity may do of: its own, another rank, another MiniCluster, another namespace.
    fn may(identity: &Identity) -> [bool; 4] {
        [
            claim("hpc", "mc0", 1),
            claim("hpc", "mc0", 0),
            claim("hpc", "mc1", 1),
            claim("lab", "mc0", 1),
        ]
        .map(|claim| identity.may(&claim).is_ok())
    }

    #[test]
    fn each_identity_may_claim_what_it_proves_and_no_more() {
        let cluster = ClusterKey { namespace: "hpc".into(), name: "mc0".into() };
        let pod = Pod::of(
            serde_json::from_value(serde_json::json!({
                "metadata": {
                    "namespace": "hpc", "name": "mc0-1-abcde", "uid": "u",
                    "labels": {"hpc": "", "hpa-selector": "mc0", "job-index": "1"},
                },
            }))
            .unwrap(),
        );
        let of_cluster = |index| Identity::MiniCluster { cluster: cluster.clone(), index };
        for (identity, expected) in [
            (Identity::Anybody, [true, true, true, true]),
            (Identity::Namespace("hpc".into()), [true, true, true, false]),
            (of_cluster(None), [true, true, false, false]),
            (of_cluster(Some(1)), [true, false, false, false]),
            (Identity::Pod(Arc::new(pod.unwrap())), [true, false, false, false]),
        ] {
            assert_eq!(may(&identity), expected, "{identity:?}");
        }
    }

    #[test]
    fn whoever_proves_more_stands_higher() {
        let cluster = ClusterKey { namespace: "hpc".into(), name: "mc0".into() };
        let of_cluster = |index| Identity::MiniCluster { cluster: cluster.clone(), index };
        let ascending = [
            Identity::Anybody,
            Identity::Namespace("hpc".into()),
            of_cluster(None),
            of_cluster(Some(0)),
        ];
        assert!(ascending.iter().is_sorted_by(|a, b| a.standing() < b.standing()));
        assert!(ascending.iter().all(|other| other.standing() < Standing::Pod));
    }
}
