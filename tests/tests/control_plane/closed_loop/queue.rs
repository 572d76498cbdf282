//! The size follows the queue, by an Object or an External metric.

use flux_simulator::instance::Outcome;

use super::*;

#[tokio::test]
async fn by_an_object_metric_the_size_follows_the_queue_and_no_running_job_loses_a_node() {
    the_size_follows_the_queue("hpa-object.yaml").await;
}

#[tokio::test]
async fn by_an_external_metric_the_size_follows_the_queue_and_no_running_job_loses_a_node() {
    the_size_follows_the_queue("hpa-external.yaml").await;
}

#[tokio::test]
async fn by_a_metric_of_one_queue_the_size_is_what_its_jobs_need() {
    let Some(cluster) = ClosedLoop::start(&[]).await else { return };
    let job = cluster.flux().submit(Need::Nodes(4), Some("batch")).unwrap();
    cluster.autoscale("hpa-queue.yaml").await;
    cluster.becomes(4).await;
    assert_eq!(cluster.flux().states(Some("batch")).unwrap().run, 1);
    cluster.decides_again().await;
    cluster.becomes(4).await;
    cluster.flux().finish(job, Outcome::Successful);
    cluster.becomes(1).await;
}

async fn the_size_follows_the_queue(autoscaler: &str) {
    let Some(cluster) = ClosedLoop::start(&[]).await else { return };
    let jobs = cluster.submit(5);
    cluster.autoscale(autoscaler).await;
    cluster.becomes(5).await;
    let autoscaler = cluster.autoscaler().await;
    let [status, reason, _] = autoscaler.condition("ScalingActive");
    assert_eq!([status, reason], ["True", "ValidMetricFound"]);

    // All run, and nothing waits: the queue asks for none, but each node runs a job.
    jobs.iter().for_each(|job| cluster.flux().release(*job));
    assert_eq!(cluster.flux().states(None).unwrap().run, 5);
    within(DEADLINE, "the autoscaler sees an empty queue and five busy nodes", async || {
        let autoscaler = cluster.autoscaler().await;
        let averages = [autoscaler.average(0), autoscaler.average(1)];
        if averages == [Some("0"), Some("1")] { Ok(()) } else { Err(autoscaler) }
    })
    .await;
    cluster.decides_again().await;
    let pods = cluster.pods().await;
    assert_eq!(pods.len(), 5);

    let finish = |job: &JobId| cluster.flux().finish(*job, Outcome::Successful);
    jobs[3..].iter().for_each(finish);
    cluster.becomes(3).await;
    assert_eq!(cluster.pods().await, pods[..3], "the highest indexes go, the others stay");
    jobs[..3].iter().for_each(finish);
    cluster.becomes(1).await;
    let ended = cluster.flux().ended(None).unwrap();
    assert_eq!((ended.successful, ended.failed), (5, 0));
}
