//! A metric that has no value: nothing is resized, and the autoscaler says why.

use flux_simulator::{Fault, faults::ANY_TOPIC, instance::Outcome};

use super::*;

#[tokio::test]
async fn a_failed_source_and_a_stale_one_freeze_the_size_until_they_are_back() {
    let flags = ["--max-age=4s", "--interval=500ms"];
    let Some(cluster) = ClosedLoop::start(&flags).await else { return };
    let flux = cluster.flux();
    let jobs = cluster.submit(4);
    cluster.autoscale("hpa-object.yaml").await;
    cluster.becomes(4).await;

    // Flux tells no numbers of jobs. The other metric asks for one node, and is not followed.
    flux.fault(TOPIC, Fault::Enosys);
    cancel(flux, &jobs);
    cluster.is_frozen("FailedGetObjectMetric", TOPIC).await;
    cluster.reads(&of_minicluster("cluster_size_min_safe"), &["1"]).await;
    cluster.decides_again().await;
    cluster.becomes(4).await;
    flux.heal(TOPIC);
    cluster.becomes(1).await;

    // Flux says nothing any more: what it said last is too old.
    let jobs = cluster.submit(3);
    cluster.becomes(3).await;
    flux.fault(ANY_TOPIC, Fault::Silence);
    cancel(flux, &jobs);
    cluster.is_frozen("FailedGetObjectMetric", "limit 4s").await;
    cluster.decides_again().await;
    cluster.becomes(3).await;
    flux.heal(ANY_TOPIC);
    cluster.becomes(1).await;
    let autoscaler = cluster.autoscaler().await;
    let [status, reason, _] = autoscaler.condition("ScalingActive");
    assert_eq!([status, reason], ["True", "ValidMetricFound"]);
}

/// Where numbers of jobs come from.
const TOPIC: &str = "job-list.job-stats";

fn cancel(flux: &Simulator, jobs: &[JobId]) {
    jobs.iter().for_each(|job| flux.finish(*job, Outcome::Canceled));
}
