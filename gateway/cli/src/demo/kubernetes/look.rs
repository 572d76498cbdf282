//! One look at the cluster: everything that is shown, read from kube-apiserver at once.

use futures_util::future::join_all;
use http::{Request, StatusCode, header::ACCEPT};
use k8s_openapi::api::{
    autoscaling::v2::HorizontalPodAutoscaler,
    core::v1::{Event, Pod},
};
use kube::{Api, Client, api::ListParams};
use minicluster::{MiniCluster, operator::SELECTOR, resource};

use super::{NAMESPACE, autoscaler};
use crate::demo::{
    MINICLUSTER, metric_path,
    reader::{self, Reading, TIMEOUT},
};

/// What is shown as numbers: first objects, then metrics. With the autoscaler's words they fit 24
/// lines.
pub(super) const GROUPS: [&[&str]; 3] = [&OBJECTS, &NODES, &JOBS];

/// What the autoscaler wants, what it wrote, and what became of that.
const OBJECTS: [&str; 4] = ["desiredReplicas", "spec.size", "pods", "pods.ready"];

/// Metrics.
const NODES: [&str; 3] = ["node_up_count", "node_free_count", "cluster_size_min_safe"];
const JOBS: [&str; 2] = ["job_queue_state_sched_count", "job_queue_state_run_count"];

/// A client that looks.
pub(super) struct Observer {
    client: Client,
}

/// What was seen.
pub(super) struct Look {
    /// In the order of [`GROUPS`].
    pub(super) readings: Vec<Reading>,
    /// The autoscaler, or why it is not seen.
    pub(super) autoscaler: Result<HorizontalPodAutoscaler, Reading>,
    /// What the autoscaler did, in any order; nothing where it is not seen.
    pub(super) events: Vec<Event>,
}

impl Observer {
    pub(super) const fn new(client: Client) -> Self {
        Self { client }
    }

    /// Takes at most [`TIMEOUT`].
    pub(super) async fn look(&self) -> Look {
        let miniclusters = resource::of_namespace(self.client.clone(), NAMESPACE);
        let autoscalers = Api::namespaced(self.client.clone(), NAMESPACE);
        let pods = Api::<Pod>::namespaced(self.client.clone(), NAMESPACE);
        let own = ListParams::default().labels(&format!("{SELECTOR}={MINICLUSTER}"));
        let events = Api::<Event>::namespaced(self.client.clone(), NAMESPACE);
        // Its warnings say what its conditions do.
        let of_autoscaler = ListParams::default().fields(&format!(
            "type=Normal,involvedObject.kind=HorizontalPodAutoscaler,\
             involvedObject.name={MINICLUSTER}"
        ));
        let (minicluster, autoscaler, pods, events, metrics) = tokio::join!(
            asked(miniclusters.get(MINICLUSTER)),
            asked(autoscalers.get(MINICLUSTER)),
            asked(pods.list(&own)),
            asked(events.list(&of_autoscaler)),
            join_all(NODES.iter().chain(&JOBS).map(|metric| self.read(metric))),
        );
        let pods = pods.map(|pods| pods.items);
        let objects: [Reading; OBJECTS.len()] = [
            number(&autoscaler, autoscaler::desired),
            number(&minicluster, |own: &MiniCluster| Some(own.spec.size)),
            number(&pods, |pods| i32::try_from(pods.len()).ok()),
            number(&pods, |pods| i32::try_from(pods.iter().filter(is_ready).count()).ok()),
        ];
        let readings = objects.into_iter().chain(metrics).collect();
        let events = events.map(|events| events.items).unwrap_or_default();
        Look { readings, autoscaler, events }
    }

    /// Reads a metric of the MiniCluster by the way that the autoscaler does.
    pub(super) async fn read(&self, metric: &str) -> Reading {
        let request = Request::get(metric_path(NAMESPACE, metric))
            .header(ACCEPT, "application/json")
            .body(Vec::new());
        let request = match request {
            Ok(request) => request,
            Err(error) => return Reading::Failed(error.to_string()),
        };
        match asked(self.client.request_text(request)).await {
            Ok(body) => reader::interpret(StatusCode::OK, body.as_bytes())
                .unwrap_or_else(|error| Reading::Failed(error.to_string())),
            Err(reading) => reading,
        }
    }
}

/// An answer within the time, or why there is none.
async fn asked<T>(answer: impl Future<Output = kube::Result<T>>) -> Result<T, Reading> {
    match tokio::time::timeout(TIMEOUT, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(kube::Error::Api(status))) => {
            Err(Reading::Refused { code: status.code, message: status.message })
        }
        Ok(Err(error)) => Err(Reading::Failed(error.to_string())),
        Err(_) => Err(Reading::Failed(format!("no answer within {} s", TIMEOUT.as_secs()))),
    }
}

fn number<T>(object: &Result<T, Reading>, value: impl Fn(&T) -> Option<i32>) -> Reading {
    match object.as_ref().map(value) {
        Ok(Some(value)) => Reading::Value(value.into()),
        Ok(None) => Reading::Failed("not decided yet".to_owned()),
        Err(reading) => reading.clone(),
    }
}

fn is_ready(pod: &&Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref());
    let mut conditions = conditions.unwrap_or_default().iter();
    pod.metadata.deletion_timestamp.is_none()
        && conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}
