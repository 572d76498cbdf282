//! The size is what the operator's own expressions make of the metrics.

use flux_simulator::instance::Outcome;

use super::*;

#[tokio::test]
async fn by_derived_metrics_the_size_is_what_their_expressions_say() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("derived.yaml");
    let [config_map, autoscaler] = examples("derived.yaml").try_into().unwrap();
    fs::write(&file, config_map["data"]["derived.yaml"].as_str().unwrap()).unwrap();
    let flag = format!("--derived={}", file.display());
    let Some(cluster) = ClosedLoop::start(&[&flag]).await else { return };
    let job = cluster.flux().submit(Need::Nodes(3), None).unwrap();
    cluster.reads(&of_minicluster("nodes_wanted"), &["5"]).await;
    cluster.autoscale_as(autoscaler).await;
    // 1 that is safe and ceil(3 × 1.2) more.
    cluster.becomes(5).await;
    assert_eq!(cluster.flux().states(None).unwrap().run, 1);
    // Nothing waits, and no node goes that runs the job.
    let safe = cluster.flux().tallies(None).unwrap().cluster_size_min_safe;
    cluster.becomes(i32::try_from(safe).unwrap()).await;
    assert_eq!(cluster.flux().states(None).unwrap().run, 1);
    cluster.flux().finish(job, Outcome::Successful);
    // An instance that was idle for less than ten minutes keeps 2.
    cluster.becomes(2).await;
    cluster.decides_again().await;
    cluster.becomes(2).await;
}
