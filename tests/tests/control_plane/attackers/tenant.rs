//! Another tenant, who may do everything in namespace `lab`.

use serde_json::Value;

use super::*;

/// A pod that looks like the lead of MiniCluster `mc0`, owned by these.
fn look_alike(name: &str, owners: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": "lab",
            "name": name,
            "labels": {
                "hpa-selector": "mc0", "job-name": "mc0", "job-index": "0", "namespace": "hpc",
                "batch.kubernetes.io/job-completion-index": "0",
            },
            "annotations": {"batch.kubernetes.io/job-completion-index": "0"},
            "ownerReferences": owners,
            // So that it is still there to be asked about when the garbage collector has come.
            "finalizers": ["example.org/stay"],
        },
        "spec": {
            "hostname": "mc0-0", "subdomain": "mc0",
            "containers": [{"name": "flux", "image": "example.org/flux:1"}],
        },
    })
}

#[tokio::test]
async fn a_tenant_reaches_no_other_namespace_whatever_its_pods_look_like() {
    let Some(world) = World::start().await else { return };
    let mut bystander = world.bystander().await;
    let job = ["get", "job", "mc0", "--namespace=hpc", "--output=json"];
    let job: Value = serde_json::from_str(&world.plane().kubectl(&job).await.unwrap()).unwrap();
    let of_hpc = json!([{
        "apiVersion": "batch/v1", "kind": "Job", "name": "mc0", "controller": true,
        "uid": job["metadata"]["uid"],
    }]);
    let any = [Code::PermissionDenied, Code::Unavailable, Code::Unauthenticated];

    // A pod of its own MiniCluster that has the same name.
    let own = world.token(&world.pod("lab", "mc0", 0).await).await;
    let mut lead = world.connect(hello("lab", "mc0", 0), &own).await.unwrap();
    let denied = [Code::PermissionDenied];
    bystander
        .beside(async {
            lead.report(&[("node_up_count", 1e9)]).await.unwrap();
            let refusal = world.refuses(hello("hpc", "mc0", 0), &own, &denied).await;
            let text = "of namespace lab and claims namespace hpc";
            assert!(refusal.message().contains(text), "{refusal}");
        })
        .await;
    // Names count in their namespace, also that of the Service that both have.
    assert_eq!(world.read(&metric("lab", "services/mc0")).await, Ok(1e9));
    for object in ["services/mc0", "metrics"] {
        let read = world.read(&metric("hpc", object)).await.unwrap();
        assert!(read < 1e9, "{object} is {read}");
    }

    // Pods with the labels of the other one's, without an owner and with the other one's Job.
    for (name, owners) in [("mc0-0-alone", json!([])), ("mc0-0-owned", of_hpc)] {
        world.plane().apply(&look_alike(name, &owners).to_string()).await.unwrap();
        let pod = world.pods("lab").get(name).await.unwrap();
        let token = world.token(&pod).await;
        bystander
            .beside(async {
                world.refuses(hello("hpc", "mc0", 0), &token, &any).await;
                world.refuses(hello("lab", "mc0", 0), &token, &any).await;
            })
            .await;
    }

    // Tokens of no pod of a MiniCluster.
    let of_no_pod = ["create", "token", "default", "--namespace=lab"];
    let of_no_pod = world.plane().kubectl(&of_no_pod).await.unwrap();
    bystander.beside(world.refuses(hello("hpc", "mc0", 0), of_no_pod.trim(), &denied)).await;
    let other = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"namespace": "lab", "name": "web"},
        "spec": {"containers": [{"name": "web", "image": "example.org/web:1"}]},
    });
    world.plane().apply(&other.to_string()).await.unwrap();
    let token = world.token(&world.pods("lab").get("web").await.unwrap()).await;
    bystander.beside(world.refuses(hello("hpc", "mc0", 0), &token, &[Code::Unavailable])).await;
}
