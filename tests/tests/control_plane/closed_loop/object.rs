//! An Object metric.

use flux_simulator::instance::Outcome;

use super::*;

#[tokio::test]
async fn a_minicluster_follows_its_queue_and_no_running_job_loses_a_node() {
    let Some(cluster) = ClosedLoop::start(&[]).await else { return };
    let waiting = cluster.submit(5);
    cluster.autoscale("hpa-object.yaml").await;
    cluster.becomes(5).await;
    let autoscaler = cluster.autoscaler().await;
    let [status, reason, _] = autoscaler.condition("ScalingActive");
    assert_eq!([status, reason], ["True", "ValidMetricFound"]);

    // All run, and nothing waits: the queue asks for none, but each node runs a job.
    waiting.iter().for_each(|job| cluster.flux().release(*job));
    assert_eq!(cluster.flux().states(None).unwrap().run, 5);
    within(DEADLINE, "the autoscaler sees an empty queue and five busy nodes", async || {
        let autoscaler = cluster.autoscaler().await;
        let averages = [autoscaler.average(0), autoscaler.average(1)];
        if averages == [Some("0"), Some("1")] { Ok(()) } else { Err(autoscaler) }
    })
    .await;
    cluster.decides_again().await;
    let all = cluster.pods().await;
    assert_eq!(all.len(), 5);

    let finish = |job: &JobId| cluster.flux().finish(*job, Outcome::Successful);
    waiting[3..].iter().for_each(finish);
    cluster.becomes(3).await;
    assert_eq!(cluster.pods().await, all[..3], "the highest indexes go, the others stay");
    waiting[..3].iter().for_each(finish);
    cluster.becomes(1).await;
    let ended = cluster.flux().ended(None).unwrap();
    assert_eq!((ended.successful, ended.failed), (5, 0));
}
