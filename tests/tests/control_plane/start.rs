//! The control plane itself: what the other tests rest on.

use control_plane::{Extent, MINICLUSTER_CRD, Options};
use serde_json::Value;
use system_tests::{eventually, plane};

#[tokio::test]
async fn kubectl_knows_the_version_and_the_resources() {
    let Some(plane) = plane::start(&Options::default()).await else { return };
    let version = plane.kubectl(&["version", "--output=json"]).await.unwrap();
    let version: Value = serde_json::from_str(&version).unwrap();
    for side in ["clientVersion", "serverVersion"] {
        assert_eq!(version[side]["gitVersion"], "v1.36.0", "{version}");
    }
    plane.apply(MINICLUSTER_CRD).await.unwrap();
    eventually("MiniClusters are served", async || {
        let resources = plane.kubectl(&["api-resources", "--output=name"]).await.unwrap();
        let known = |name: &str| resources.lines().any(|line| line == name);
        assert!(known("horizontalpodautoscalers.autoscaling"), "{resources}");
        if known("miniclusters.flux-framework.org") { Ok(()) } else { Err(resources) }
    })
    .await;
}

#[tokio::test]
async fn pods_of_an_indexed_job_become_ready_and_the_highest_index_leaves_first() {
    let options = Options { extent: Extent::Pods, ..Options::default() };
    let Some(plane) = plane::start(&options).await else { return };
    plane.add_node("node-0", 64).await.unwrap();
    plane.apply(JOB).await.unwrap();
    let ready = async || {
        let pods = plane.kubectl(&["get", "pods", "--output", INDEXES]).await.unwrap();
        let mut indexes: Vec<_> = pods.split_whitespace().map(str::to_owned).collect();
        indexes.sort();
        indexes
    };
    let becomes = async |wanted: &[&str]| {
        eventually("the pods are those of the size", async || {
            let found = ready().await;
            if found == wanted { Ok(()) } else { Err(found) }
        })
        .await;
    };
    becomes(&["0", "1"]).await;
    for (size, indexes) in [(3, &["0", "1", "2"][..]), (1, &["0"])] {
        let patch = format!(r#"{{"spec":{{"completions":{size},"parallelism":{size}}}}}"#);
        plane.kubectl(&["patch", "job", "mc0", "--patch", &patch]).await.unwrap();
        becomes(indexes).await;
    }
}

#[tokio::test]
async fn users_and_service_accounts_are_who_they_say() {
    let options = Options { extent: Extent::Controllers, ..Options::default() };
    let Some(plane) = plane::start(&options).await else { return };
    let who = async |kubeconfig: &std::path::Path| {
        let kubeconfig = kubeconfig.to_str().unwrap();
        let args = ["--kubeconfig", kubeconfig, "auth", "whoami", "--output=json"];
        let answer = plane.kubectl(&args).await.unwrap();
        serde_json::from_str::<Value>(&answer).unwrap()["status"]["userInfo"].clone()
    };
    let user = who(&plane.user_kubeconfig("system:someone", Some("readers")).unwrap()).await;
    assert_eq!(user["username"], "system:someone");
    assert_eq!(user["groups"][0], "readers");

    plane.kubectl(&["create", "serviceaccount", "reader"]).await.unwrap();
    let account = plane.service_account_kubeconfig("default", "reader").await.unwrap();
    assert_eq!(who(&account).await["username"], "system:serviceaccount:default:reader");
}

/// The index of every pod that has an address.
const INDEXES: &str = r#"jsonpath={range .items[?(@.status.podIP)]}{.metadata.labels.batch\.kubernetes\.io/job-completion-index}{" "}{end}"#;

/// As the Flux Operator makes it, as far as controllers see it.
const JOB: &str = "
apiVersion: batch/v1
kind: Job
metadata: {name: mc0, namespace: default}
spec:
  completionMode: Indexed
  completions: 2
  parallelism: 2
  template:
    metadata: {labels: {hpa-selector: mc0}}
    spec:
      restartPolicy: OnFailure
      containers: [{name: mc0, image: 'example.org/flux:1'}]
";
