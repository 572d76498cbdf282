//! A MiniCluster that is deleted.

use super::*;

#[tokio::test]
async fn a_deleted_minicluster_leaves_every_answer_and_every_sum() {
    let Some(cluster) = ClosedLoop::start(&[]).await else { return };
    let ClosedLoop { plane, client, gateway, .. } = &cluster;
    let sockets = TempDir::new().unwrap();
    let other = add_minicluster(plane, client, gateway, "other", MAX_SIZE, sockets.path()).await;
    let sum = format!("{METRICS}/metrics/node_online_count");
    let pods = format!("{METRICS}/pods/*/broker_up");
    let external =
        "/apis/external.metrics.k8s.io/v1beta1/namespaces/default/node_online_count".to_owned();
    cluster.reads(&sum, &["4"]).await;
    cluster.reads(&pods, &["1"; 4]).await;
    cluster.reads(&external, &["2"; 2]).await;

    plane.kubectl(&["delete", "minicluster", NAME]).await.unwrap();
    within(DEADLINE, "it has no metrics", async || {
        match cluster.read(&of_minicluster("node_online_count")).await {
            Err(error) if error.contains("no running pods") => Ok(()),
            other => Err(other),
        }
    })
    .await;
    cluster.reads(&sum, &["2"]).await;
    cluster.reads(&external, &["2"]).await;
    cluster.reads(&pods, &["1"; 2]).await;
    let left = cluster.read(&pods).await.unwrap();
    let name = left["items"][0]["describedObject"]["name"].as_str().unwrap();
    assert!(name.starts_with("other-0-"), "{left}");
    drop(other);
}
