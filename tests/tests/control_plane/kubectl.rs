//! What people see by kubectl.

use std::process::Stdio;

use control_plane::{ControlPlane, Options};
use serde_json::Value;
use system_tests::{
    FakeCollector, TestCa, TestGateway, aggregation, client::metric_path, eventually,
    fake_collector, plane,
};

#[tokio::test]
async fn kubectl_lists_reads_and_explains_metrics() {
    let Some(plane) = plane::start(&Options::default()).await else { return };
    let ca = TestCa::new();
    let gateway = TestGateway::start(&ca, &[]).await;
    let manifests = aggregation::by_external_name(&ca.pem(), gateway.api.port());
    plane.apply(&manifests).await.unwrap();
    let hello = fake_collector::hello("mc0");
    let mut collector = FakeCollector::connect(gateway.channel().await, hello).await.unwrap();
    collector.report(&[("node_up_count", 4.0)]).await.unwrap();

    // What discovery cannot tell of makes kubectl fail. Of custom metrics it shows the versions
    // alone: it lists no resource with a slash in its name.
    let resource = eventually("the resources are known", async || {
        let (listed, warnings) = said(&plane, &["api-resources", "--cached=false"]).await?;
        let node_up_count = listed.lines().find(|line| line.starts_with("node_up_count "));
        let node_up_count = node_up_count.map(str::to_owned).filter(|_| warnings.is_empty());
        node_up_count.ok_or(listed + &warnings)
    })
    .await;
    let words: Vec<_> = resource.split_whitespace().collect();
    let version = "external.metrics.k8s.io/v1beta1";
    assert_eq!(words, ["node_up_count", version, "true", "ExternalMetricValueList"]);
    let versions = plane.kubectl(&["api-versions"]).await.unwrap();
    for (group, version, _) in aggregation::VERSIONS {
        let name = format!("{group}/{version}");
        assert!(versions.lines().any(|line| line == name), "{versions}");
    }

    // Without --raw, kubectl goes from a resource to its kind and back, and wants a resource for the
    // kind of each item: that fails for every adapter's external metrics.
    let external = format!("/apis/{version}/namespaces/hpc/node_up_count");
    for path in [metric_path("mc0", "node_up_count"), external] {
        let list = plane.kubectl(&["get", "--raw", &path]).await.unwrap();
        let list: Value = serde_json::from_str(&list).unwrap();
        assert_eq!(list["items"][0]["value"], "4", "{list}");
    }
    let missing = ["get", "--raw", &metric_path("mc9", "node_up_count")];
    let why = plane.kubectl(&missing).await.unwrap_err().to_string();
    assert!(why.contains("NotFound"), "{why}");

    for (field, want) in [
        ("node_up_count", "KIND:       ExternalMetricValueList"),
        ("node_up_count.items", "FIELD: items <[]ExternalMetricValue>"),
        ("node_up_count.items.metricLabels", "FIELD: metricLabels <map[string]string>"),
    ] {
        eventually("kube-apiserver has our documents", async || {
            let (text, _) = said(&plane, &["explain", field]).await?;
            if text.contains(want) { Ok(()) } else { Err(text) }
        })
        .await;
    }
}

/// What kubectl says on standard output, and on standard error where it succeeds.
async fn said(plane: &ControlPlane, args: &[&str]) -> Result<(String, String), String> {
    let command = plane.kubectl_command().args(args).stdin(Stdio::null()).output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(command.stdout), text(command.stderr));
    if command.status.success() { Ok((stdout, stderr)) } else { Err(stderr) }
}
