//! A Pods metric.

use flux_simulator::{Fault, instance::Outcome};

use super::*;

/// What the brokers' round-trip time comes from.
const TOPIC: &str = "state-machine.get";

#[tokio::test]
async fn by_a_pods_metric_brokers_are_added_while_they_answer_late() {
    let Some(cluster) = ClosedLoop::start(&[]).await else { return };
    let mut autoscaler = example("hpa-pods.yaml");
    // Half a second: what is late must stand out on a machine that does ten things at once.
    let target = &mut autoscaler["spec"]["metrics"][0]["pods"]["target"]["averageValue"];
    assert_eq!(*target, "50m");
    *target = "500m".into();
    // One broker a second.
    let scale_up = &mut autoscaler["spec"]["behavior"]["scaleUp"];
    scale_up["stabilizationWindowSeconds"] = 0.into();
    scale_up["policies"][0]["periodSeconds"] = 1.into();
    cluster.flux().fault(TOPIC, Fault::Delay(Duration::from_secs(1)));
    cluster.autoscale_as(autoscaler).await;
    cluster.becomes(10).await;
    let autoscaler = cluster.autoscaler().await;
    let [status, reason, message] = autoscaler.condition("ScalingActive");
    assert_eq!([status, reason], ["True", "ValidMetricFound"]);
    assert!(message.contains("pods metric broker_rpc_rtt_seconds"), "{message}");
    let [_, reason, _] = autoscaler.condition("ScalingLimited");
    assert_eq!(reason, "TooManyReplicas");

    // The highest rank that runs a job is 2.
    let jobs = cluster.submit(3);
    jobs.iter().for_each(|job| cluster.flux().release(*job));
    jobs[..2].iter().for_each(|job| cluster.flux().finish(*job, Outcome::Successful));
    cluster.flux().heal(TOPIC);
    cluster.becomes(3).await;
    assert_eq!(cluster.flux().ended(None).unwrap().failed, 0);
}
