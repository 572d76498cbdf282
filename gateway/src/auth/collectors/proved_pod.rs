//! The pod that a token was made for: which MiniCluster and index it stands for, and whether it still
//! does.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::{Refused, owners::Owners};
use crate::pods::{self, Place, Pod, Pods};

/// How long the watch of pods may be behind the pod that has come. It is late by milliseconds, but
/// for a gateway that starts.
pub const PODS_PATIENCE: Duration = Duration::from_secs(4);

/// Between two looks, twice as often as pods are published.
const LOOK: Duration = Duration::from_millis(50);

/// The name and the UID of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PodRef {
    pub(super) namespace: Arc<str>,
    pub(super) name: String,
    pub(super) uid: String,
}

/// The pod that stands for an index of a MiniCluster. Waits for [`PODS_PATIENCE`] until it is seen.
pub(super) async fn find(
    pods: &pods::Shared,
    owners: &Owners,
    wanted: &PodRef,
) -> Result<Arc<Pod>, Refused> {
    let until = Instant::now() + PODS_PATIENCE;
    let pod = loop {
        match look(&pods.load(), wanted) {
            Err(Found::NotYet(why)) if Instant::now() >= until => {
                return Err(Refused::undecided(why));
            }
            Err(Found::NotYet(_)) => sleep(LOOK).await,
            Err(Found::Never(refused)) => return Err(refused),
            Ok(pod) => break pod,
        }
    };
    let Some(job) = &pod.job else {
        return Err(Refused::denied(format!(
            "no Job controls pod {}: only those report that a MiniCluster's Job has made",
            pod.name
        )));
    };
    match owners.minicluster(&pod.namespace, job).await? {
        Some(owner) if owner == pod.minicluster => Ok(pod),
        Some(owner) => Err(Refused::denied(format!(
            "pod {} has the label {}={}, but its Job is of MiniCluster {owner}: set the label right",
            pod.name,
            pods::SELECTOR,
            pod.minicluster
        ))),
        None => Err(Refused::denied(format!(
            "no MiniCluster controls Job {} of pod {}: only pods of MiniClusters report",
            job.name, pod.name
        ))),
    }
}

/// Why there is no pod.
#[derive(Debug)]
enum Found {
    /// It may come.
    NotYet(String),
    /// It will not.
    Never(Refused),
}

fn look(pods: &Pods, wanted: &PodRef) -> Result<Arc<Pod>, Found> {
    let known = match pods {
        Pods::Known(known) => known,
        Pods::Unknown(unknown) => return Err(Found::NotYet(format!("{unknown}: try again"))),
        Pods::Unwatched => {
            let why = "this gateway does not know which pods there are".to_owned();
            return Err(Found::NotYet(why));
        }
    };
    match known.place(&wanted.namespace, &wanted.name, &wanted.uid) {
        Place::Speaks(pod) => Ok(Arc::clone(pod)),
        Place::Unseen => Err(Found::NotYet(format!(
            "this gateway has not seen pod {} (UID {}) among those of MiniClusters, which have the label \
             {}: try again",
            wanted.name,
            wanted.uid,
            pods::SELECTOR
        ))),
        Place::Replaced(by) => Err(Found::Never(replaced(&wanted.name, by))),
        Place::Ended => Err(Found::Never(ended(&wanted.name))),
    }
}

/// Whether a pod still stands for its index. What is not known at the moment changes nothing.
pub(super) fn speaks(pods: &Pods, pod: &Pod) -> Result<(), Refused> {
    let Pods::Known(known) = pods else { return Ok(()) };
    match known.place(&pod.namespace, &pod.name, &pod.uid) {
        Place::Speaks(now) if (&now.minicluster, now.index) == (&pod.minicluster, pod.index) => {
            Ok(())
        }
        Place::Speaks(_) => Err(Refused::denied(format!(
            "pod {} is not of index {} of MiniCluster {} any more: reconnect",
            pod.name, pod.index, pod.minicluster
        ))),
        Place::Replaced(by) => Err(replaced(&pod.name, by)),
        Place::Ended | Place::Unseen => Err(ended(&pod.name)),
    }
}

fn replaced(name: &str, by: &Pod) -> Refused {
    Refused::denied(format!(
        "pod {name} does not hold index {} of MiniCluster {} any more: pod {} does",
        by.index, by.minicluster, by.name
    ))
}

fn ended(name: &str) -> Refused {
    Refused::denied(format!("pod {name} has ended, or its MiniCluster has"))
}

#[cfg(test)]
mod tests;
