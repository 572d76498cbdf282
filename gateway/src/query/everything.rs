//! All MiniClusters and brokers of all namespaces, for those who take every value there is.
//!
//! What counts is what counts in single reads: a MiniCluster without a lead is there without its
//! values, and a broker whose pod is not the one that Kubernetes knows is not there. While pods are
//! not known, no broker is: its values would be under another name later.

use std::{collections::BTreeMap, sync::Arc};

use tokio::time::Instant;

use super::{
    View,
    brokers::{by_pod, of_holder},
    members::known_members,
};
use crate::{model::Snapshot, pods::Pods, store::Namespace};

/// All that is known at one moment.
#[derive(Debug, Default)]
pub struct Everything {
    /// In the order of their namespaces and names.
    pub miniclusters: Vec<MiniCluster>,
    /// In the order of their namespaces and names of pods.
    pub brokers: Vec<Broker>,
}

/// A MiniCluster that counts.
#[derive(Debug)]
pub struct MiniCluster {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// What the collector beside its lead broker last said, where that is known.
    pub lead: Option<Arc<Snapshot>>,
}

/// A broker in its pod.
#[derive(Debug)]
pub struct Broker {
    /// The name of the pod: Kubernetes' own, where pods are watched.
    pub pod: Arc<str>,
    /// What the collector beside it last said.
    pub snapshot: Arc<Snapshot>,
}

/// Finds all of them.
pub fn everything(view: View<'_>, now: Instant) -> Everything {
    let mut namespaces: BTreeMap<Arc<str>, Arc<Namespace>> =
        view.store.namespaces().into_iter().collect();
    if let Pods::Known(known) = view.pods {
        for name in known.namespaces() {
            namespaces.entry(Arc::clone(name)).or_default();
        }
    }
    let mut all = Everything::default();
    for (namespace, reporting) in namespaces {
        let members = known_members(view, &namespace, now);
        all.miniclusters.extend(members.into_iter().map(|member| MiniCluster {
            namespace: Arc::clone(&namespace),
            name: member.name,
            lead: member.lead.ok(),
        }));
        all.brokers.extend(brokers(view.pods, &namespace, &reporting));
    }
    all
}

fn brokers(pods: &Pods, namespace: &str, reporting: &Namespace) -> Vec<Broker> {
    match pods {
        Pods::Unknown(_) => Vec::new(),
        Pods::Unwatched => {
            let named = by_pod(reporting, |_| true).into_iter();
            named.map(|(pod, snapshot)| Broker { pod, snapshot }).collect()
        }
        Pods::Known(known) => {
            let pods = known.namespace(namespace).into_iter();
            let holders = pods.flat_map(|namespace| namespace.pods.values());
            let broker = |holder| {
                let snapshot = of_holder(holder, reporting)?;
                Some(Broker { pod: Arc::clone(&holder.pod.name), snapshot })
            };
            holders.map(AsRef::as_ref).filter_map(broker).collect()
        }
    }
}
