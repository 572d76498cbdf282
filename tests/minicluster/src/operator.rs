//! Plays the Flux Operator: from MiniClusters to Jobs.
//!
//! What a real one made is recorded; this makes the same, but for scripts that nobody runs here. As
//! with the real one, `status.size` is 0 until the first resize, then what was accepted last; a
//! size out of bounds is written back; and the Job is resized by both its numbers at once.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    api::{ListParams, Patch, PatchParams, PostParams},
    core::NamespaceResourceScope,
    runtime::{Controller, controller::Action, reflector::ObjectRef, watcher},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tracing::{info, warn};

use crate::resource::{self, MiniCluster};

mod made;

pub use made::{COMPLETION_INDEX, SELECTOR};

/// The label that the operator puts on a pod once it is there.
const JOB_INDEX: &str = "job-index";

/// Before what failed is tried again.
const RETRY: Duration = Duration::from_millis(200);

/// Reconciles the MiniClusters of all namespaces for ever. The definition must be there already.
pub async fn run(client: Client) {
    let miniclusters = Api::all_with(client.clone(), &resource::kind());
    let any = watcher::Config::default;
    let of_pod = |pod: Pod| {
        let name = pod.labels().get(SELECTOR)?;
        Some(ObjectRef::new_with(name, resource::kind()).within(&pod.namespace()?))
    };
    Controller::new_with(miniclusters, any(), resource::kind())
        .owns(Api::<Job>::all(client.clone()), any())
        .watches(Api::all(client.clone()), any().labels(SELECTOR), of_pod)
        .run(reconcile, retry, Arc::new(client))
        .for_each(async |_| {})
        .await;
}

/// Another one was there first, or the API server is not there: seen again soon.
#[allow(clippy::needless_pass_by_value, reason = "the runtime hands it over so")]
fn retry(minicluster: Arc<MiniCluster>, error: &kube::Error, _: Arc<Client>) -> Action {
    warn!(minicluster = minicluster.name_any(), %error, "not reconciled");
    Action::requeue(RETRY)
}

async fn reconcile(
    minicluster: Arc<MiniCluster>,
    client: Arc<Client>,
) -> Result<Action, kube::Error> {
    // The garbage collector takes what the MiniCluster owns.
    if minicluster.meta().deletion_timestamp.is_none() {
        let namespace = minicluster.namespace().unwrap_or_default();
        let operator = Operator { client: &client, namespace, minicluster: &minicluster };
        Box::pin(operator.reconcile()).await?;
    }
    Ok(Action::await_change())
}

/// One look at one MiniCluster.
struct Operator<'a> {
    client: &'a Client,
    namespace: String,
    minicluster: &'a MiniCluster,
}

impl Operator<'_> {
    async fn reconcile(&self) -> Result<(), kube::Error> {
        self.ensure(&made::service(self.minicluster)).await?;
        let job = self.ensure(&made::job(self.minicluster)).await?;
        let Some(status) = &self.minicluster.status else {
            let size = self.minicluster.spec.size;
            return self
                .tell(json!({
                    "selector": made::selector(self.minicluster),
                    "maximumSize": self.minicluster.spec.max_size.unwrap_or(size),
                    "size": 0,
                }))
                .await;
        };
        self.resize(&job, status.maximum_size).await?;
        self.label_pods().await
    }

    async fn resize(&self, job: &Job, maximum: i32) -> Result<(), kube::Error> {
        let accepted = job.spec.as_ref().and_then(|spec| spec.parallelism).unwrap_or_default();
        let size = self.minicluster.spec.size;
        let name = self.minicluster.name_any();
        let in_bounds = if size < 1 { accepted } else { size.min(maximum) };
        if size != in_bounds {
            info!(name, size, in_bounds, "the size is out of bounds");
            let patch = json!({ "spec": { "size": in_bounds } });
            let miniclusters = resource::of_namespace(self.client.clone(), &self.namespace);
            miniclusters.patch(&name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        } else if size != accepted {
            info!(name, from = accepted, to = size, "resizing");
            // Elastic indexed Jobs want both at once.
            let patch = json!({ "spec": { "parallelism": size, "completions": size } });
            let jobs = self.api::<Job>();
            jobs.patch(&name, &PatchParams::default(), &Patch::Merge(patch)).await?;
            self.tell(json!({ "size": size })).await?;
        }
        Ok(())
    }

    async fn tell(&self, status: Value) -> Result<(), kube::Error> {
        let miniclusters = resource::of_namespace(self.client.clone(), &self.namespace);
        let patch = Patch::Merge(json!({ "status": status }));
        let name = self.minicluster.name_any();
        miniclusters.patch_status(&name, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    async fn label_pods(&self) -> Result<(), kube::Error> {
        let pods = self.api::<Pod>();
        let own = ListParams::default().labels(&made::selector(self.minicluster));
        for pod in pods.list(&own).await? {
            let labels = pod.labels();
            let index = labels.get(COMPLETION_INDEX);
            if let Some(index) = index.filter(|_| !labels.contains_key(JOB_INDEX)) {
                let patch = Patch::Merge(json!({ "metadata": { "labels": { JOB_INDEX: index } } }));
                pods.patch(&pod.name_any(), &PatchParams::default(), &patch).await?;
            }
        }
        Ok(())
    }

    /// Creates an object where there is none, and returns the one that is there.
    async fn ensure<K>(&self, object: &K) -> Result<K, kube::Error>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
        K: Clone + std::fmt::Debug + Serialize + DeserializeOwned,
    {
        let api = self.api();
        match api.get_opt(&object.name_any()).await? {
            Some(there) => Ok(there),
            None => api.create(&PostParams::default(), object).await,
        }
    }

    fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }
}
