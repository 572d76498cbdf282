//! What is kept of a pod.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1 as api;

use super::{COLLECT, SELECTOR};

/// The label and the annotation in which the Job controller writes a pod's index.
const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// The label in which the Flux Operator writes it.
const JOB_INDEX: &str = "job-index";

/// The condition of a pod that is deleted for the sake of something else: its node is drained or
/// lost, or a pod of a higher priority comes.
const DISRUPTION: &str = "DisruptionTarget";

/// The group of Jobs, with a slash after it.
const BATCH: &str = "batch/";

/// Bytes of a pod's labels. The Flux Operator's and the Job controller's are some 600.
const MAX_LABEL_BYTES: usize = 16 * 1024;

/// One pod of a MiniCluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name, which no other pod has at the same time.
    pub name: Arc<str>,
    /// What no other pod ever has.
    pub uid: Arc<str>,
    /// The MiniCluster that it belongs to.
    pub minicluster: Arc<str>,
    /// Its index in the Job, which is the rank of its broker.
    pub index: u32,
    /// Where it is in its life.
    pub stage: Stage,
    /// When it was created, by the API server's clock.
    pub created: Option<Timestamp>,
    /// The Job that made it.
    pub job: Option<Job>,
    /// The headless Service that names it in DNS.
    pub subdomain: Option<Arc<str>>,
    /// In ascending order of keys.
    labels: Box<[(Box<str>, Box<str>)]>,
}

/// The Job that made a pod, and controls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its name, in the pod's namespace.
    pub name: Arc<str>,
    /// What no other Job ever has.
    pub uid: Arc<str>,
}

/// Where a pod is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It runs, or will.
    Live,
    /// It was deleted, and may not have ended yet. Whether another takes its place is not told.
    Ending,
    /// It was evicted, and may not have ended yet: another takes its place.
    Evicted,
    /// It did what it was there for, and no other takes its place.
    Completed,
    /// It failed, or was evicted and is gone: another takes its place.
    Failed,
    /// It failed after it was deleted.
    Gone,
}

impl Pod {
    /// Keeps what matters. `None` for a pod that belongs to no MiniCluster, has no index, or has
    /// more than [`MAX_LABEL_BYTES`] of labels.
    pub fn of(pod: api::Pod) -> Option<Self> {
        let metadata = pod.metadata;
        let labels = metadata.labels.unwrap_or_default();
        let bytes: usize = labels.iter().map(|(key, value)| key.len() + value.len()).sum();
        if bytes > MAX_LABEL_BYTES {
            tracing::warn!(
                namespace = metadata.namespace,
                pod = metadata.name,
                "left out a pod: its labels have {bytes} bytes, at most {MAX_LABEL_BYTES} are kept"
            );
            return None;
        }
        let minicluster = labels.get(SELECTOR).filter(|name| !name.is_empty())?;
        let (hostname, subdomain) =
            pod.spec.map_or((None, None), |spec| (spec.hostname, spec.subdomain));
        let mut owners = metadata.owner_references.into_iter().flatten();
        let job = owners
            .find(|owner| owner.controller == Some(true))
            .filter(|owner| owner.kind == "Job" && owner.api_version.starts_with(BATCH));
        let index = labels
            .get(INDEX)
            .or_else(|| metadata.annotations.as_ref()?.get(INDEX))
            .or_else(|| labels.get(JOB_INDEX))
            .map(String::as_str)
            .or_else(|| hostname.as_deref()?.strip_prefix(&**minicluster)?.strip_prefix('-'));
        let status = pod.status.unwrap_or_default();
        let conditions = status.conditions.unwrap_or_default();
        let evicted = conditions.iter().any(|one| one.type_ == DISRUPTION && one.status == "True");
        Some(Self {
            index: index?.parse().ok()?,
            namespace: metadata.namespace?.into(),
            name: metadata.name?.into(),
            uid: metadata.uid?.into(),
            minicluster: minicluster.as_str().into(),
            stage: Stage::of(
                status.phase.as_deref(),
                metadata.deletion_timestamp.is_some(),
                evicted,
            ),
            created: metadata.creation_timestamp.map(|time| time.0),
            job: job.map(|job| Job { name: job.name.into(), uid: job.uid.into() }),
            subdomain: subdomain.filter(|name| !name.is_empty()).map(Into::into),
            // A map of the API is in ascending order.
            labels: labels.into_iter().map(|(key, value)| (key.into(), value.into())).collect(),
        })
    }

    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        let found = self.labels.binary_search_by(|(known, _)| (**known).cmp(key)).ok()?;
        self.labels.get(found).map(|(_, value)| &**value)
    }

    /// Whether it promises a collector.
    pub fn collects(&self) -> bool {
        self.label(COLLECT) == Some("true")
    }

    /// The hostname, which the Job controller gives to all pods of the index.
    pub fn hostname(&self) -> String {
        format!("{}-{}", self.minicluster, self.index)
    }
}

impl Stage {
    fn of(phase: Option<&str>, deleted: bool, evicted: bool) -> Self {
        match (phase, deleted) {
            (Some("Succeeded"), _) => Self::Completed,
            (Some("Failed"), true) if !evicted => Self::Gone,
            (Some("Failed"), _) => Self::Failed,
            (_, true) if evicted => Self::Evicted,
            (_, true) => Self::Ending,
            (_, false) => Self::Live,
        }
    }

    /// Whether the Job controller makes another pod in its place.
    pub const fn is_replaced(self) -> bool {
        matches!(self, Self::Evicted | Self::Failed)
    }
}
