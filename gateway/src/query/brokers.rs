//! Values of brokers, for pods.
//!
//! Where Kubernetes tells which pods there are, those are the pods, with their names and labels,
//! and collectors bring the values. Otherwise both are what collectors say.

use std::{collections::BTreeMap, sync::Arc};

use fluxgauge_proto::catalogue::Scope;
use metrics_api::selector::Condition;

use super::{
    Error, Item, Name, Reader,
    labels::{POD_LABELS, pod_label},
    nobody,
};
use crate::{
    model::{Reporter, Snapshot},
    pods::{Holder, Known, Pods},
    store::{Namespace, Slot},
};

impl Reader<'_> {
    pub(super) fn brokers(&self, name: Name<'_>) -> Result<Vec<Item>, Error> {
        if self.known.is_some_and(|metric| metric.scope != Scope::Broker) {
            return Err(Error::UnknownMetric(format!(
                "{} describes a whole MiniCluster: ask for miniclusters.flux-framework.org",
                self.request.metric
            )));
        }
        let reporting = self.view.store.namespace(self.request.namespace).unwrap_or_default();
        match self.view.pods {
            Pods::Known(known) => self.watched(known, &reporting, name),
            Pods::Unknown(reason) => Err(Error::NotFound(reason.to_string())),
            Pods::Unwatched => self.named_by_collectors(&reporting, name),
        }
    }

    /// Pods that Kubernetes tells of. Those without a value are left out of a set: an autoscaler
    /// counts pods itself, and is careful with those that have none.
    fn watched(
        &self,
        known: &Known,
        reporting: &Namespace,
        name: Name<'_>,
    ) -> Result<Vec<Item>, Error> {
        let pods = known.namespace(self.request.namespace).map(|namespace| &namespace.pods);
        let wanted: Vec<_> = match name {
            Name::Exact(name) => pods.and_then(|pods| pods.get(name)).into_iter().collect(),
            Name::All => {
                let selector = self.request.object_selector;
                let selected =
                    |holder: &&Arc<Holder>| selector.matches(|key| holder.pod.label(key));
                pods.into_iter().flat_map(|pods| pods.values()).filter(selected).collect()
            }
        };
        if wanted.is_empty() {
            return Err(Error::NotFound(format!(
                "no such pod of a MiniCluster runs in namespace {}",
                self.request.namespace
            )));
        }
        self.servable(wanted.into_iter().map(|holder| self.broker(holder, reporting)))
    }

    fn broker(&self, holder: &Holder, reporting: &Namespace) -> Result<Item, Error> {
        let pod = &holder.pod;
        let snapshot = of_holder(holder, reporting).ok_or_else(|| {
            Error::NotFound(format!("no collector has reported from pod {} yet", pod.name))
        })?;
        let item = self.value(&snapshot, &snapshot.broker, Arc::clone(&pod.name))?;
        Ok(Item { uid: Some(Arc::clone(&pod.uid)), ..item })
    }

    /// Pods as collectors name them, with the labels that follow.
    fn named_by_collectors(
        &self,
        reporting: &Namespace,
        name: Name<'_>,
    ) -> Result<Vec<Item>, Error> {
        let unknown = self.request.object_selector.requirements().iter().find(|requirement| {
            matches!(
                requirement.condition,
                Condition::NotEquals(_) | Condition::NotIn(_) | Condition::DoesNotExist
            ) && !POD_LABELS.contains(&&*requirement.key)
        });
        if let Some(requirement) = unknown {
            return Err(Error::Bad(format!(
                "this server does not know which pods lack the label {:?}: select by {}",
                requirement.key,
                POD_LABELS.join(", ")
            )));
        }
        let pods = by_pod(reporting, |reporter| match name {
            Name::Exact(pod) => *reporter.pod == *pod,
            Name::All => self.request.object_selector.matches(|key| pod_label(reporter, key)),
        });
        if pods.is_empty() {
            return Err(nobody(self.request.namespace));
        }
        self.servable(
            pods.into_iter().map(|(pod, snapshot)| self.value(&snapshot, &snapshot.broker, pod)),
        )
    }
}

/// What the collector in a pod last said.
pub(super) fn of_holder(holder: &Holder, reporting: &Namespace) -> Option<Arc<Snapshot>> {
    let cluster = reporting.get(&holder.pod.minicluster)?;
    let snapshot = cluster.slot(holder.pod.index).and_then(Slot::snapshot);
    snapshot.filter(|snapshot| holder.made(snapshot))
}

/// What collectors last said by the pods that they name. A pod has one value: of two brokers that
/// claim its name, the one heard of last.
pub(super) fn by_pod(
    reporting: &Namespace,
    is_wanted: impl Fn(&Reporter) -> bool,
) -> BTreeMap<Arc<str>, Arc<Snapshot>> {
    let mut pods: BTreeMap<Arc<str>, Arc<Snapshot>> = BTreeMap::new();
    let slots = reporting.values().flat_map(|cluster| cluster.slots());
    for snapshot in slots.filter_map(Slot::snapshot) {
        let reporter = &snapshot.reporter;
        let newest = pods
            .get(&reporter.pod)
            .is_none_or(|other| other.received.instant < snapshot.received.instant);
        if newest && is_wanted(reporter) {
            pods.insert(Arc::clone(&reporter.pod), snapshot);
        }
    }
    pods
}
