//! A compromised gateway replica: it has the gateway's account.

use super::*;

#[tokio::test]
async fn the_gateways_account_reads_pods_and_jobs_and_changes_nothing_of_tenants() {
    let Some(world) = World::start().await else { return };
    let mut bystander = world.bystander().await;
    let (plane, pod) = (world.plane(), world.pod("hpc", "mc0", 0).await.name_any());
    let account = plane.service_account_kubeconfig("fluxgauge", "fluxgauge-gateway").await.unwrap();
    let by = format!("--kubeconfig={}", account.display());
    for args in
        [&["get", "pods", "--all-namespaces"][..], &["get", "job", "mc0", "--namespace=hpc"]]
    {
        plane.kubectl(&[args, &[&by]].concat()).await.unwrap();
    }
    let patch = r#"{"spec":{"size":4}}"#;
    for args in [
        &["get", "secrets", "--all-namespaces"][..],
        &["get", "secrets", "--namespace=fluxgauge"],
        &["get", "configmaps", "--namespace=hpc"],
        &["get", "miniclusters", "--namespace=hpc"],
        &["get", "nodes"],
        &["delete", "pod", &pod, "--namespace=hpc"],
        &["label", "pod", &pod, "--namespace=hpc", "hpa-selector=mc1", "--overwrite"],
        &["exec", &pod, "--namespace=hpc", "--", "true"],
        &["run", "pod", "--image=example.org/x:1", "--namespace=fluxgauge"],
        &["delete", "job", "mc0", "--namespace=hpc"],
        &["patch", "minicluster", "mc0", "--namespace=hpc", "--type=merge", "--patch", patch],
        &["create", "token", "default", "--namespace=hpc"],
        &["create", "clusterrolebinding", "x", "--clusterrole=cluster-admin", "--user=x"],
        &["get", "pods", "--as=admin"],
        &[
            "patch",
            "apiservice",
            "v1.apps",
            "--type=merge",
            "--patch",
            r#"{"spec":{"versionPriority":2}}"#,
        ],
        &["delete", "apiservice", "v1beta2.custom.metrics.k8s.io"],
        &["get", "--raw", &metric("hpc", "miniclusters.flux-framework.org/mc0")],
    ] {
        bystander.beside(is_forbidden(plane, &account, args)).await;
    }

    // To other replicas it is no collector.
    let own = ["create", "token", "fluxgauge-gateway", "--namespace=fluxgauge"];
    let own = plane.kubectl(&own).await.unwrap();
    for namespace in ["hpc", "fluxgauge"] {
        let refused =
            world.refuses(hello(namespace, "mc0", 0), own.trim(), &[Code::PermissionDenied]);
        let refusal = bystander.beside(refused).await;
        assert!(refusal.message().contains("was made for no pod"), "{refusal}");
    }
}
