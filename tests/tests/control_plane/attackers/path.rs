//! Somebody on the path between kube-apiserver and gateways.

use control_plane::Options;
use system_tests::{TestCa, plane};

use super::*;

#[tokio::test]
async fn a_server_of_another_authority_answers_no_read() {
    let Some(plane) = plane::start(&Options::default()).await else { return };
    let (ca, impostors) = (TestCa::new(), TestCa::new());
    let flags = ["--kubernetes", "off", "--insecure-collectors"];
    let impostor = TestGateway::start_proving(&impostors, &flags).await;
    let hello = fake_collector::hello("mc0");
    let mut lead = FakeCollector::connect(impostor.channel().await, hello).await.unwrap();
    lead.report(&[("node_up_count", 1e9)]).await.unwrap();
    let apis = aggregation::by_external_name(&ca.pem(), impostor.api.port());
    plane.apply(&apis).await.unwrap();
    let condition = eventually("kube-apiserver has looked", async || {
        let path = "--output=jsonpath={.status.conditions[?(@.type==\"Available\")]}";
        let get = ["get", "apiservice", "v1beta2.custom.metrics.k8s.io", path];
        let said = plane.kubectl(&get).await.unwrap();
        if said.contains("FailedDiscoveryCheck") { Ok(said) } else { Err(said) }
    })
    .await;
    assert!(condition.contains("certificate signed by unknown authority"), "{condition}");
    let path = metric("hpc", "miniclusters.flux-framework.org/mc0");
    let read = plane.kubectl(&["get", "--raw", &path]).await;
    read.expect_err("nothing is read of an impostor");
}
