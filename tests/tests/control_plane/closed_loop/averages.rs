//! The size follows the average of a minute.

use flux_simulator::instance::Outcome;

use super::*;

#[tokio::test]
async fn by_an_average_the_size_grows_as_the_minute_fills() {
    let Some(cluster) = ClosedLoop::start(&[]).await else { return };
    let job = cluster.flux().submit(Need::Nodes(4), None).unwrap();
    cluster.autoscale("hpa-average.yaml").await;
    // Four nodes for a minute are needed before the average is four.
    cluster.becomes(4).await;
    let list = cluster.read(&of_minicluster("pending_nodes_demand_1m")).await.unwrap();
    assert_eq!(list["items"][0]["windowSeconds"], 60, "{list}");
    assert_eq!(cluster.flux().states(None).unwrap().run, 1);
    cluster.flux().finish(job, Outcome::Successful);
    cluster.becomes(1).await;
}
