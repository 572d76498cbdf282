//! The size is what Flux needs to run all that waits.

use flux_simulator::instance::Outcome;

use super::*;

/// More nodes than the autoscaler's tolerance of a tenth leaves alone.
const LARGE: u32 = 16;

#[tokio::test]
async fn a_job_of_12_nodes_beside_a_busy_lead_makes_13_and_one_node_more_makes_14() {
    let Some(cluster) = ClosedLoop::start_up_to(LARGE, &[]).await else { return };
    let flux = cluster.flux();
    let small = flux.submit(Need::cores(1), None).unwrap();
    let large = flux.submit(Need::Nodes(12), None).unwrap();
    let mut autoscaler = example("hpa-desired.yaml");
    autoscaler["spec"]["maxReplicas"] = LARGE.into();
    cluster.autoscale_as(autoscaler).await;
    cluster.becomes(13).await;
    assert_eq!(flux.states(None).unwrap().run, 2, "both run, each on its nodes");

    // A tenth of 13 is more than one node.
    let one = flux.submit(Need::Nodes(1), None).unwrap();
    cluster.becomes(14).await;
    assert_eq!(flux.states(None).unwrap().run, 3);

    // The job on the highest rank keeps what is below it.
    flux.finish(large, Outcome::Successful);
    cluster.decides_again().await;
    cluster.becomes(14).await;
    flux.finish(one, Outcome::Successful);
    cluster.becomes(1).await;
    flux.finish(small, Outcome::Successful);
    let ended = flux.ended(None).unwrap();
    assert_eq!((ended.successful, ended.failed), (3, 0));
}
