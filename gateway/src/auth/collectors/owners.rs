//! Which MiniCluster a Job is of, as the API server says.
//!
//! A Job's UID never means another Job, and the operator sets its owner when it makes the Job: the
//! answer is remembered.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::{api::batch::v1 as api, apimachinery::pkg::apis::meta::v1::OwnerReference};
use kube::Api;
use moka::future::Cache;
use tokio::sync::Semaphore;

use super::Refused;
use crate::{
    auth::review::patiently,
    kubernetes::{self, Kubernetes, reason},
    pods::Job,
};

/// Jobs that are remembered, each with some 200 bytes: one for each MiniCluster.
pub const MAX_JOBS: u64 = 16_384;

/// How long. Somebody may make a Job without a MiniCluster its own, though nobody does.
const JOB_LASTS: Duration = Duration::from_secs(10 * 60);

/// Jobs that are asked for at once.
const REQUESTS: usize = 16;

/// What does not work without them.
const UNREAD: &str =
    "cannot get Jobs, by which it is known of which MiniCluster a pod is that reports";

/// The kind of what owns Jobs of MiniClusters.
const KIND: &str = "MiniCluster";

/// Its group, of any version, with a slash after it.
const GROUP: &str = "flux-framework.org/";

/// The owners of Jobs.
#[derive(Debug)]
pub(super) struct Owners {
    kubernetes: Kubernetes,
    slots: Semaphore,
    /// `None`: no MiniCluster controls it.
    known: Cache<Key, Option<Arc<str>>>,
    complaint: Mutex<kubernetes::Refused>,
}

/// A Job. A pod of another namespace may say of this UID that it is its owner's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    namespace: Arc<str>,
    uid: Arc<str>,
}

impl Key {
    fn new(namespace: &Arc<str>, job: &Job) -> Self {
        Self { namespace: Arc::clone(namespace), uid: Arc::clone(&job.uid) }
    }
}

impl Owners {
    pub(super) fn new(kubernetes: &Kubernetes) -> Self {
        Self {
            kubernetes: kubernetes.clone(),
            slots: Semaphore::new(REQUESTS),
            known: Cache::builder().max_capacity(MAX_JOBS).time_to_live(JOB_LASTS).build(),
            complaint: Mutex::default(),
        }
    }

    /// The name of the MiniCluster that controls a Job of a namespace.
    pub(super) async fn minicluster(
        &self,
        namespace: &Arc<str>,
        job: &Job,
    ) -> Result<Option<Arc<str>>, Refused> {
        let ask = Box::pin(self.ask(namespace, job));
        let asked = self.known.try_get_with(Key::new(namespace, job), ask).await;
        asked.map_err(|refused| (*refused).clone())
    }

    async fn ask(&self, namespace: &str, job: &Job) -> Result<Option<Arc<str>>, Refused> {
        let jobs = Api::<api::Job>::namespaced(self.kubernetes.client(), namespace);
        let read = patiently(&self.slots, || jobs.get_metadata(&job.name)).await;
        self.note(&read);
        let metadata = read.map_err(|error| unread(&job.name, &error))?.metadata;
        if metadata.uid.as_deref() != Some(&*job.uid) {
            return Err(Refused::undecided(format!(
                "Job {} is another one than that of the pod: try again",
                job.name
            )));
        }
        Ok(controlling(metadata.owner_references.unwrap_or_default()))
    }

    /// Says that Jobs cannot be read, once, until they can. That one is gone is no news.
    fn note<T>(&self, read: &Result<T, kube::Error>) {
        let mut complaint = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        match read {
            Ok(_) => complaint.over(),
            Err(kube::Error::Api(status)) if status.code == 404 => complaint.over(),
            Err(error) => complaint.say(UNREAD, &reason(error)),
        }
    }
}

fn controlling(owners: Vec<OwnerReference>) -> Option<Arc<str>> {
    let mut owners = owners.into_iter();
    let owner = owners.find(|owner| owner.controller == Some(true))?;
    let is_minicluster = owner.kind == KIND && owner.api_version.starts_with(GROUP);
    is_minicluster.then(|| owner.name.into())
}

/// The collector is told little of what is between the gateway and its API server.
fn unread(job: &str, error: &kube::Error) -> Refused {
    if matches!(error, kube::Error::Api(status) if status.code == 404) {
        return Refused::undecided(format!("there is no Job {job} any more: try again"));
    }
    Refused::undecided(format!(
        "this gateway cannot read Job {job} from Kubernetes, and its log says why: try again"
    ))
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::auth::tests::kubernetes;

    #[tokio::test]
    async fn what_is_known_of_a_job_counts_in_its_namespace() {
        let owners = Owners::new(&kubernetes().await);
        let job = Job { name: "mc0".into(), uid: "u".into() };
        let (hpc, lab) = ("hpc".into(), "lab".into());
        owners.known.insert(Key::new(&hpc, &job), Some("mc0".into())).await;
        assert_eq!(owners.minicluster(&hpc, &job).await.unwrap().as_deref(), Some("mc0"));
        assert!(owners.minicluster(&lab, &job).now_or_never().is_none(), "nobody is asked");
    }

    fn owner(kind: &str, version: &str, controller: bool) -> Vec<OwnerReference> {
        vec![OwnerReference {
            kind: kind.to_owned(),
            api_version: version.to_owned(),
            name: "mc0".to_owned(),
            controller: Some(controller),
            ..OwnerReference::default()
        }]
    }

    #[test]
    fn a_job_is_of_the_minicluster_that_controls_it_in_any_version() {
        for version in ["v1alpha1", "v1alpha2"] {
            let owners = owner(KIND, &format!("flux-framework.org/{version}"), true);
            assert_eq!(controlling(owners).as_deref(), Some("mc0"));
        }
        for (kind, version, controller) in [
            (KIND, "flux-framework.org/v1alpha2", false),
            (KIND, "flux-framework.org.example.com/v1", true),
            ("JobSet", "flux-framework.org/v1alpha2", true),
        ] {
            assert_eq!(controlling(owner(kind, version, controller)), None, "{kind} {version}");
        }
        assert_eq!(controlling(Vec::new()), None);
    }
}
