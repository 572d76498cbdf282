//! What the manifests let a gateway do.

use serde_json::Value;
use system_tests::{client::metric_path, is};

use super::*;

#[test]
fn a_gateway_knows_pods_by_the_rights_of_its_manifest_and_says_so_when_it_has_none() {
    let name =
        "rights::a_gateway_knows_pods_by_the_rights_of_its_manifest_and_says_so_when_it_has_none";
    run(name, async |cluster| {
        cluster.install().await;
        add_minicluster_pod(cluster).await;
        let replicas = cluster.replicas().await;
        knows_the_pod(cluster, &replicas[0]).await;
        for refused in ["get secrets", "create pods", "watch nodes"] {
            let command = format!("kubectl auth can-i {refused} {ACCOUNT}");
            let answer = cluster.try_shell(&command).await.unwrap_err();
            assert!(answer.starts_with("no\n"), "{refused}: {answer}");
        }

        cluster.shell("kubectl delete clusterrolebinding fluxgauge-gateway").await;
        let gone = replicas[1].name_any();
        cluster.shell(&format!("kubectl -n fluxgauge delete pod {gone} --wait=false")).await;
        let without = cluster.new_replica(&replicas).await;
        let refused = eventually("the log says what is missing", async || {
            let log = cluster.log(&without);
            let refused = log.lines().find(|line| line.contains("pods is forbidden"));
            refused.map(str::to_owned).ok_or_else(|| log.clone())
        })
        .await;
        let refused: Value = serde_json::from_str(&refused).unwrap();
        let message = refused["message"].as_str().unwrap();
        assert!(message.starts_with("cannot watch pods, by which") && message.ends_with(FORBIDDEN));
        let ready = cluster.client(&without).await.get("/readyz").await;
        let text = String::from_utf8_lossy(&ready.body).into_owned();
        assert!(ready.status == 500 && text.contains("[-]pods failed"), "{text}");

        cluster.shell("kubectl apply -k deploy/all").await;
        knows_the_pod(cluster, &without).await;
        cluster.is_available().await;
    });
}

#[test]
fn autoscalers_and_those_who_may_view_a_namespace_may_read_its_metrics() {
    let name = "rights::autoscalers_and_those_who_may_view_a_namespace_may_read_its_metrics";
    run(name, async |cluster| {
        cluster.install().await;
        let replicas = cluster.replicas().await;
        let hello = fake_collector::hello("mc0");
        let collectors = report(cluster, &replicas, &hello, &[("node_up_count", 4.0)]).await;
        cluster
            .shell(
                "kubectl create namespace hpc
                kubectl -n hpc create rolebinding viewers --clusterrole=view --user=viewer",
            )
            .await;
        let external = "/apis/external.metrics.k8s.io/v1beta1/namespaces/hpc/node_up_count";
        for path in [&metric_path("mc0", "node_up_count"), external] {
            let reads = async |user: &str| {
                let command = format!("kubectl get --raw '{path}' --as={user}");
                let answer = cluster.try_shell(&command).await?;
                if answer.contains(r#""value":"4""#) { Ok(()) } else { Err(answer) }
            };
            let autoscaler = "system:serviceaccount:kube-system:horizontal-pod-autoscaler";
            eventually("an autoscaler reads it", async || reads(autoscaler).await).await;
            eventually("a viewer reads it", async || reads("viewer").await).await;
            let refused = reads("anybody").await.unwrap_err();
            assert!(refused.contains(r#"is forbidden: User "anybody" cannot"#), "{refused}");
        }
        drop(collectors);
    });
}

/// Who gateways are.
const ACCOUNT: &str = "--all-namespaces --as=system:serviceaccount:fluxgauge:fluxgauge-gateway";

/// What the API server says of it.
const FORBIDDEN: &str = "pods is forbidden: User \
    \"system:serviceaccount:fluxgauge:fluxgauge-gateway\" cannot list resource \"pods\" in API group \"\" \
    at the cluster scope";

/// Reports to a replica, and waits until it tells the pod by its name.
async fn knows_the_pod(cluster: &Installation, replica: &Pod) {
    let replicas = std::slice::from_ref(replica);
    let hello = fake_collector::hello("mc0");
    let mut collectors = report(cluster, replicas, &hello, &[]).await;
    let client = cluster.client(replica).await;
    eventually("the pod is known", async || {
        collectors[0].report(&[("broker_up", 1.0)]).await.unwrap();
        let answer = client.get(&of_pod("broker_up")).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        is(text.contains("mc0-0-8xk2p")).map_err(|_| text)
    })
    .await;
}
