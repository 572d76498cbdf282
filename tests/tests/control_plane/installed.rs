//! `deploy/` in a control plane: every manifest as it is, by the commands of its instructions.

use std::net::SocketAddr;

use fluxgauge_proto::v1::Hello;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt, api::PostParams};
use serde_json::json;
use system_tests::{
    FakeCollector, Installation,
    client::HPC,
    eventually, fake_collector,
    kubelet::{self, API, INGEST},
};

mod certificate;
mod instructions;
mod rights;
mod rolling_update;
mod rotation;

/// Runs a test of this module, by the path of its function.
fn run(name: &str, test: impl AsyncFnOnce(&Installation)) {
    Installation::run(&format!("installed::{name}"), env!("CARGO_BIN_EXE_child"), test);
}

/// Makes the pod of the only broker of the MiniCluster `mc0` of namespace `hpc`, as the Job
/// controller names it.
async fn add_minicluster_pod(cluster: &Installation) -> Pod {
    cluster.shell("kubectl create namespace hpc").await;
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "mc0-0-8xk2p",
            "labels": {
                "hpa-selector": "mc0",
                "fluxgauge.io/collect": "true",
                "batch.kubernetes.io/job-completion-index": "0",
            },
        },
        "spec": {
            "hostname": "mc0-0",
            "containers": [{ "name": "mc0", "image": "example.org/flux:1" }],
        },
    });
    let pod: Pod = serde_json::from_value(pod).unwrap();
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), "hpc");
    // A namespace has no service account at first.
    eventually("the pod is accepted", async || pods.create(&PostParams::default(), &pod).await)
        .await
}

/// Says to each replica what the collector of a lead broker would.
async fn report(
    cluster: &Installation,
    replicas: &[Pod],
    hello: &Hello,
    values: &[(&str, f64)],
) -> Vec<FakeCollector> {
    let (mut collectors, bundle) = (Vec::new(), cluster.bundle().await);
    for replica in replicas {
        let ingest = SocketAddr::from((kubelet::address(replica).unwrap(), INGEST));
        let channel = fake_collector::channel(&bundle, ingest).await;
        let mut collector = FakeCollector::connect(channel, hello.clone()).await.unwrap();
        collector.report(values).await.unwrap();
        collectors.push(collector);
    }
    collectors
}

/// The path of a metric of the broker's pod, found by its labels.
fn of_pod(metric: &str) -> String {
    format!("{HPC}/pods/*/{metric}?labelSelector=hpa-selector%3Dmc0")
}
