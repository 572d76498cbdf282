//! The MiniClusters of a namespace: those that collectors report, less those that Kubernetes knows
//! to have ended, and those that promise a collector and have none.
//!
//! | pods, by the watch | collectors | member of sums |
//! | --- | --- | --- |
//! | run | the lead's pod reports | with its values |
//! | run | reported once, not from the lead's pod that is there now | without a value, which is an error |
//! | run, labelled `fluxgauge.io/collect` | never reported | without a value |
//! | run, not labelled | never reported | no: it may have no collector at all |
//! | all evicted or failed, for less than [`REPLACED_WITHIN`] after the last is gone | reported, or promised by the label | without a value: others are to take their place |
//! | all deleted or gone, or the lead has completed | | no |
//! | none any more | one has connected since | with what the lead has said since |
//! | never seen: the watch is off, or behind | report | with its values |
//!
//! A deleted MiniCluster thus leaves at once. So does one whose last pod somebody deletes by hand,
//! until the Job controller has made another: Kubernetes does not tell the two apart.
//!
//! [`REPLACED_WITHIN`]: crate::pods::REPLACED_WITHIN

use std::{collections::BTreeMap, ops::Deref, sync::Arc};

use tokio::time::Instant;

use super::{Error, View};
use crate::{
    model::Snapshot,
    pods::{MiniCluster, Pods, Sight},
    store::{Cluster, Slot},
};

/// A MiniCluster that counts.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: Arc<str>,
    /// What the collector beside its lead broker last said, or why that is not known.
    pub(super) lead: Result<Arc<Snapshot>, Error>,
}

/// All members of a namespace in the order of their names.
///
/// # Errors
///
/// When it is not known which there are.
pub(super) fn members(view: View<'_>, namespace: &str, now: Instant) -> Result<Vec<Member>, Error> {
    match view.pods {
        Pods::Unknown(reason) => Err(Error::NotFound(reason.to_string())),
        Pods::Unwatched | Pods::Known(_) => Ok(known_members(view, namespace, now)),
    }
}

/// The members that are known; where pods are not, these are those that collectors report.
pub(super) fn known_members(view: View<'_>, namespace: &str, now: Instant) -> Vec<Member> {
    let reporting = view.store.namespace(namespace).unwrap_or_default();
    let mut clusters: BTreeMap<&Arc<str>, Option<&Cluster>> = BTreeMap::new();
    if let Pods::Known(known) = view.pods {
        let watched = known.namespace(namespace).into_iter();
        let names = watched.flat_map(|namespace| namespace.miniclusters.keys());
        clusters.extend(names.map(|name| (name, None)));
    }
    clusters.extend(reporting.iter().map(|(name, cluster)| (name, Some(&**cluster))));
    let member = |(name, cluster): (&Arc<str>, Option<&Cluster>)| {
        let said = cluster.and_then(Cluster::lead).and_then(Slot::snapshot);
        match standing(view.pods, namespace, name, cluster, said, now) {
            Standing::Member(lead) => Some(Member { name: Arc::clone(name), lead }),
            Standing::NoMember(_) => None,
        }
    };
    clusters.into_iter().filter_map(member).collect()
}

/// What the collector beside the lead broker of one MiniCluster last said. While pods are not
/// known yet, this is answered as if they were not watched: the value has an age of its own.
///
/// # Errors
///
/// When there is no such MiniCluster, or when that is not known.
pub(super) fn lead(
    view: View<'_>,
    namespace: &str,
    name: &str,
    now: Instant,
) -> Result<Arc<Snapshot>, Error> {
    let look = view.store.look();
    let cluster = look.cluster(namespace, name);
    let said = cluster.and_then(Cluster::lead).and_then(Slot::snapshot);
    match standing(view.pods, namespace, name, cluster, said, now) {
        Standing::Member(lead) => lead,
        Standing::NoMember(error) => Err(error),
    }
}

/// What becomes of that, without keeping it: nearly every read is one of these.
///
/// # Errors
///
/// As [`lead`], and those of `then`.
pub(super) fn with_lead<T>(
    view: View<'_>,
    namespace: &str,
    name: &str,
    now: Instant,
    then: impl FnOnce(&Snapshot) -> Result<T, Error>,
) -> Result<T, Error> {
    let look = view.store.look();
    let cluster = look.cluster(namespace, name);
    let newest = cluster.and_then(Cluster::lead).map(Slot::look);
    let said = newest.as_ref().and_then(|newest| newest.as_deref());
    match standing(view.pods, namespace, name, cluster, said, now) {
        Standing::Member(lead) => then(lead?),
        Standing::NoMember(error) => Err(error),
    }
}

/// Whether a MiniCluster counts.
enum Standing<S> {
    /// It does, by what its lead says.
    Member(Result<S, Error>),
    /// It does not: what to tell who names it.
    NoMember(Error),
}

/// `said` is what its lead says.
fn standing<S: Deref<Target = Snapshot>>(
    pods: &Pods,
    namespace: &str,
    name: &str,
    cluster: Option<&Cluster>,
    said: Option<S>,
    now: Instant,
) -> Standing<S> {
    use Standing::{Member, NoMember};
    let sight = match pods {
        Pods::Known(known) => known.minicluster(namespace, name, now),
        Pods::Unwatched | Pods::Unknown(_) => Sight::Unseen,
    };
    match (sight, cluster) {
        (Sight::Runs(minicluster), Some(_)) => Member(lead_of(minicluster, name, said)),
        (Sight::Runs(minicluster), None) if minicluster.collects => Member(Err(silent(name))),
        (Sight::Replaced(minicluster), cluster) if cluster.is_some() || minicluster.collects => {
            Member(Err(Error::NotFound(format!(
                "all pods of MiniCluster {name} were evicted or failed, and others are to take \
                 their place"
            ))))
        }
        (Sight::Runs(_) | Sight::Replaced(_) | Sight::Unseen, None) => NoMember(nobody(namespace)),
        (Sight::Ended(ended), Some(cluster)) if is_newer(cluster, ended) => {
            let said = said.filter(|lead| lead.reporter.connected > ended);
            Member(said.ok_or_else(|| silent(name)))
        }
        (Sight::Ended(_) | Sight::Ending | Sight::Replaced(_), _) => {
            NoMember(Error::NotFound(format!("MiniCluster {name} has no running pods")))
        }
        (Sight::Unseen, Some(cluster)) if cluster.has_ended() => NoMember(silent(name)),
        (Sight::Unseen, Some(_)) => Member(said.ok_or_else(|| silent(name))),
    }
}

/// What the lead says, if it is the one that runs.
fn lead_of<S: Deref<Target = Snapshot>>(
    minicluster: &MiniCluster,
    name: &str,
    said: Option<S>,
) -> Result<S, Error> {
    let Some(holder) = minicluster.holders.get(&0) else {
        return Err(Error::NotFound(format!(
            "the lead pod (index 0) of MiniCluster {name} does not run"
        )));
    };
    let said = said.ok_or_else(|| silent(name))?;
    if !holder.made(&said) {
        return Err(Error::NotFound(format!(
            "the lead pod of MiniCluster {name} is {} now, whose collector has not reported yet",
            holder.pod.name
        )));
    }
    Ok(said)
}

/// Whether any collector of a MiniCluster connected after its last pod was gone: then there are
/// others that the watch does not know yet. What comes on an older stream is of a pod that was
/// deleted by force and goes on.
fn is_newer(cluster: &Cluster, ended: Instant) -> bool {
    let mut snapshots = cluster.slots().filter_map(Slot::snapshot);
    snapshots.any(|snapshot| snapshot.reporter.connected > ended)
}

fn silent(name: &str) -> Error {
    Error::NotFound(format!(
        "no collector beside the lead broker (rank 0) of MiniCluster {name} reports"
    ))
}

/// What is said of an object that no collector knows.
pub(super) fn nobody(namespace: &str) -> Error {
    Error::NotFound(format!("no collector of such an object reports from namespace {namespace}"))
}
