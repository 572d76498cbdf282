//! kube-apiserver finds a gateway in order at once, and reads through it.

use std::time::Duration;

use control_plane::{ControlPlane, Options};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use system_tests::{
    FakeCollector, TestCa, TestGateway, aggregation, eventually, fake_collector, plane,
};

/// From the start of a gateway until all its versions are available. The condition is written in
/// whole seconds, rounded down.
const SOON: SignedDuration = SignedDuration::from_secs(5);

#[tokio::test]
async fn every_version_is_available_within_5_s_of_a_gateways_start() {
    let Some(plane) = plane::start(&Options::default()).await else { return };
    let (ca, start) = (TestCa::new(), Timestamp::now());
    let gateway = TestGateway::start(&ca, &[]).await;
    let manifests = aggregation::by_external_name(&ca.pem(), gateway.api.port());
    plane.apply(&manifests).await.unwrap();
    for name in aggregation::names() {
        let since = available_since(&plane, &name).await;
        let took = since.duration_since(start);
        assert!(took <= SOON, "{name} was available after {took}");
    }

    let hello = fake_collector::hello("mc0");
    let mut collector = FakeCollector::connect(gateway.channel().await, hello).await.unwrap();
    collector.report(&[("node_up_count", 4.0)]).await.unwrap();
    for version in ["v1beta1", "v1beta2"] {
        let path = format!(
            "/apis/custom.metrics.k8s.io/{version}/namespaces/hpc/\
             miniclusters.flux-framework.org/mc0/node_up_count"
        );
        let answer = plane.kubectl(&["get", "--raw", &path]).await.unwrap();
        let list: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(list["items"][0]["value"], "4", "{list}");
    }
    // What kubectl prints is the message of the gateway's own Status.
    let missing = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/hpc/services/none/node_up_count";
    let error = plane.kubectl(&["get", "--raw", missing]).await.unwrap_err().to_string();
    assert!(error.contains("NotFound"), "{error}");
}

#[tokio::test]
#[ignore = "takes ten minutes"]
async fn no_version_is_unavailable_for_a_moment_in_ten_minutes() {
    let Some(plane) = plane::start(&Options::default()).await else { return };
    let ca = TestCa::new();
    let gateway = TestGateway::start(&ca, &[]).await;
    let manifests = aggregation::by_external_name(&ca.pem(), gateway.api.port());
    plane.apply(&manifests).await.unwrap();
    let mut since = Vec::new();
    for name in aggregation::names() {
        since.push((available_since(&plane, &name).await, name));
    }
    // A moment between two looks shows too: the condition says when it last changed.
    let mut look = tokio::time::interval(Duration::from_secs(10));
    for _ in 0..60 {
        look.tick().await;
        for (since, name) in &since {
            assert_eq!(available_since(&plane, name).await, *since, "{name}");
        }
    }
}

/// When an APIService became available.
pub(crate) async fn available_since(plane: &ControlPlane, name: &str) -> Timestamp {
    eventually("the APIService is available", async || {
        let json = plane.kubectl(&["get", "apiservice", name, "--output=json"]).await.unwrap();
        let service: Value = serde_json::from_str(&json).unwrap();
        let conditions = service["status"]["conditions"].as_array().into_iter().flatten();
        let available = conditions
            .clone()
            .find(|condition| condition["type"] == "Available" && condition["status"] == "True");
        available
            .map(|condition| condition["lastTransitionTime"].as_str().unwrap().parse().unwrap())
            .ok_or_else(|| service["status"].clone())
    })
    .await
}
