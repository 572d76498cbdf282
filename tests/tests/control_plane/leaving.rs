//! A cluster from which Fluxgauge was removed, as the instructions say, is as it was before.

use std::path::Path;

use control_plane::{ControlPlane, Extent, Options};
use k8s_openapi::ByteString;
use serde_json::json;
use system_tests::{TestCa, TestGateway, aggregation, eventually, plane};

/// The folder that the instructions' commands are for.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

#[tokio::test]
async fn after_leaving_as_instructed_namespaces_can_be_deleted() {
    let options = Options { extent: Extent::Controllers, ..Options::default() };
    let Some(plane) = plane::start(&options).await else { return };
    let ca = TestCa::new();
    let gateway = TestGateway::start(&ca, &[]).await;
    run(&plane, "kubectl apply -k deploy/all").await;
    run(&plane, "kubectl apply -f deploy/examples/hpa-object.yaml").await;
    register(&plane, &ca, gateway.api.port()).await;
    for name in aggregation::names() {
        let service = format!("kubectl wait --for=condition=Available apiservice/{name}");
        run(&plane, &service).await;
    }
    run(&plane, "kubectl create namespace hpc").await;

    let commands = instructions();
    let (last, first) = commands.split_last().unwrap();
    for command in first {
        run(&plane, command).await;
    }
    // Nobody asks for what is no longer there.
    let services = run(&plane, "kubectl get services --namespace=fluxgauge --output=name").await;
    assert!(services.contains("service/fluxgauge-api"), "{services}");
    for name in aggregation::names() {
        let left = format!("kubectl get apiservice {name} --ignore-not-found");
        assert_eq!(run(&plane, &left).await, "");
    }
    run(&plane, last).await;
    drop(gateway);

    // Which returns when all that was in it is gone.
    run(&plane, "kubectl delete namespace hpc --timeout=60s").await;
    eventually("nothing is left", async || {
        let kinds = "apiservices,namespaces,clusterroles,clusterrolebindings";
        let label = "app.kubernetes.io/part-of=fluxgauge";
        let left = run(&plane, &format!("kubectl get {kinds} -l {label} --output=name")).await;
        if left.is_empty() { Ok(()) } else { Err(left) }
    })
    .await;
}

/// The commands by which Fluxgauge is removed.
fn instructions() -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(ROOT).join("deploy/README.md")).unwrap();
    let (_, leaving) = text.split_once("\n## Leaving\n").unwrap();
    let commands = leaving.lines().filter(|line| line.starts_with("kubectl ")).map(str::to_owned);
    commands.collect()
}

/// Where no kube-proxy is: kube-apiserver asks a port of this machine.
async fn register(plane: &ControlPlane, ca: &TestCa, port: u16) {
    let by_name = json!({ "type": "ExternalName", "externalName": "localhost", "selector": null,
        "clusterIP": null, "clusterIPs": null, "ports": null });
    let patch = json!({ "spec": by_name }).to_string();
    let namespace = "--namespace=fluxgauge";
    plane.kubectl(&["patch", "service", "fluxgauge-api", namespace, "-p", &patch]).await.unwrap();
    let ca_bundle = ByteString(ca.pem().into_bytes());
    let spec = json!({ "caBundle": ca_bundle, "service": { "port": port } });
    let patch = json!({ "spec": spec }).to_string();
    for name in aggregation::names() {
        let args = ["patch", "apiservice", &name, "--type=merge", "-p", &patch];
        plane.kubectl(&args).await.unwrap();
    }
}

/// Runs a command line of kubectl from the repository's root.
async fn run(plane: &ControlPlane, line: &str) -> String {
    let args = line.split_whitespace().skip(1);
    let command = plane.kubectl_command().args(args).current_dir(ROOT).output().await.unwrap();
    let said = String::from_utf8_lossy(&command.stderr);
    assert!(command.status.success(), "{line}: {said}");
    String::from_utf8(command.stdout).unwrap()
}
