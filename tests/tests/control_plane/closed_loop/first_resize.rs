//! What a MiniCluster's `status.size` of 0 does, as it is until the first resize.

use super::*;

#[tokio::test]
async fn a_status_of_0_before_the_first_resize_spoils_what_is_shown_but_no_decision() {
    let Some(cluster) = ClosedLoop::start(&[]).await else { return };
    cluster.submit(2);
    cluster.autoscale("hpa-object.yaml").await;
    let autoscaler = within(DEADLINE, "the autoscaler has decided", async || {
        let autoscaler = cluster.autoscaler().await;
        let [status, ..] = autoscaler.condition("ScalingActive");
        if status == "True" { Ok(autoscaler) } else { Err(autoscaler) }
    })
    .await;
    // Two jobs by no replicas.
    let shown = autoscaler.average(0).unwrap();
    assert_ne!(shown, "1");
    let status = &autoscaler.0;
    assert_eq!((status.current_replicas, status.desired_replicas), (Some(2), 2));
    cluster.decides_again().await;
    let minicluster = cluster.minicluster().await;
    assert_eq!((minicluster.spec.size, minicluster.status.unwrap().size), (2, 0));

    cluster.submit(2);
    cluster.becomes(4).await;
    within(DEADLINE, "the autoscaler shows four jobs by four replicas", async || {
        let autoscaler = cluster.autoscaler().await;
        if autoscaler.average(0) == Some("1") { Ok(()) } else { Err(autoscaler) }
    })
    .await;
}
