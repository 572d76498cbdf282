//! Who may report: a stream proves where it runs, and reports for that alone, for as long as its
//! credential lasts.

use std::time::{Duration, SystemTime};

use fluxgauge_proto::v1::Hello;
use serde_json::{Value, json};
use system_tests::{
    FakeApi, FakeCollector, TestCa, TestGateway, eventually, fake_collector, is, refused,
};
use tempfile::TempDir;
use tonic::{Code, Status, transport::Channel};

mod audit;
mod bounds;
mod certificates;
mod pods;
mod renewal;
mod tokens;

/// The hello of a rank of a MiniCluster of namespace `hpc`.
fn hello(minicluster: &str, rank: u32) -> Hello {
    let mut hello = fake_collector::hello(minicluster);
    (hello.rank, hello.size) = (rank, 8);
    hello.pod_name = format!("{minicluster}-{rank}");
    hello
}

/// The values of a collector that reports one.
const UP: [(&str, f64); 1] = [("node_up_count", 4.0)];

/// How a stream with this token is refused.
async fn refusal(channel: Channel, hello: Hello, token: Option<&str>) -> Status {
    FakeCollector::connect_with(channel, hello, token).await.expect_err("it is let in")
}

/// Checks the code of a refusal, and that its text says this.
fn says(refusal: &Status, code: Code, text: &str) {
    assert_eq!(refusal.code(), code, "{refusal}");
    assert!(refusal.message().contains(text), "{refusal}");
}

/// A directory with the token of a namespace in each file.
fn token_dir(tokens: &[(&str, &str)]) -> TempDir {
    let dir = TempDir::new().unwrap();
    for (namespace, token) in tokens {
        std::fs::write(dir.path().join(namespace), token).unwrap();
    }
    dir
}

/// A gateway without Kubernetes, where collectors send tokens of this directory.
async fn by_tokens(ca: &TestCa, dir: &TempDir, more: &[&str]) -> TestGateway {
    let dir = dir.path().to_str().unwrap();
    let flags = ["--kubernetes", "off", "--collector-token-dir", dir];
    TestGateway::start_proving(ca, &[&flags, more].concat()).await
}

/// A pod of a MiniCluster of namespace `hpc`, as the Job controller makes it.
fn pod(minicluster: &str, index: u32, suffix: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": "hpc",
            "name": format!("{minicluster}-{index}-{suffix}"),
            "uid": format!("uid-{minicluster}-{index}-{suffix}"),
            "creationTimestamp": "2026-11-23T22:50:10Z",
            "annotations": {"batch.kubernetes.io/job-completion-index": index.to_string()},
            "labels": {"hpa-selector": minicluster, "job-name": minicluster},
            "ownerReferences": [{
                "apiVersion": "batch/v1", "kind": "Job", "controller": true,
                "name": minicluster, "uid": format!("uid-of-job-{minicluster}"),
            }],
        },
        "spec": {"hostname": format!("{minicluster}-{index}"), "subdomain": minicluster, "containers": []},
        "status": {"phase": "Running"},
    })
}

/// Creates the Job that makes the pods of a MiniCluster.
fn add_job(api: &FakeApi, minicluster: &str) {
    let owner = json!({
        "apiVersion": "flux-framework.org/v1alpha2", "kind": "MiniCluster", "controller": true,
        "name": minicluster, "uid": format!("uid-{minicluster}"),
    });
    api.add_job(minicluster, &format!("uid-of-job-{minicluster}"), &owner);
}

/// A gateway that asks an API server whose tokens are.
async fn by_pods(api: &FakeApi, ca: &TestCa, more: &[&str]) -> TestGateway {
    let kubeconfig = api.kubeconfig();
    let flags = ["--kubeconfig", &kubeconfig, "--interval", "100ms"];
    TestGateway::start_proving(ca, &[&flags, more].concat()).await
}

/// When tokens expire that last longer than a test.
fn in_an_hour() -> SystemTime {
    #[allow(clippy::disallowed_methods, reason = "tokens expire by the time of day")]
    let now = SystemTime::now();
    now + Duration::from_secs(3600)
}

#[tokio::test]
async fn whoever_shows_nothing_is_told_what_to_show() {
    let (ca, dir) = (TestCa::new(), token_dir(&[]));
    let gateway = by_tokens(&ca, &dir, &[]).await;
    let refused = refusal(gateway.channel().await, hello("mc0", 0), None).await;
    says(&refused, Code::Unauthenticated, "this gateway wants the token of its namespace");

    let api = FakeApi::start().await;
    let gateway = by_pods(&api, &ca, &[]).await;
    let refused = refusal(gateway.channel().await, hello("mc0", 0), None).await;
    says(&refused, Code::Unauthenticated, "spec.pod.automountServiceAccountToken: true");
    let nobodys = refusal(gateway.channel().await, hello("mc0", 0), Some("0123456789abcdef")).await;
    says(&nobodys, Code::Unauthenticated, "the token is not known here");
    assert_eq!(api.token_reviews(), [""; 0], "what is no token of Kubernetes' is not for its log");
}

#[tokio::test]
async fn anybody_reports_only_where_that_is_asked_for_by_name() {
    let gateway = TestGateway::start_proving(
        &TestCa::new(),
        &["--kubernetes", "off", "--insecure-collectors"],
    )
    .await;
    let hello = hello("mc0", 0);
    let mut collector = FakeCollector::connect(gateway.channel().await, hello).await.unwrap();
    collector.report(&UP).await.unwrap();
    assert_eq!(gateway.client().metric("mc0", "node_up_count").await, Ok(4.0));
}
