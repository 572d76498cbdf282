//! The size is what Flux needs to run all that waits.

use flux_simulator::instance::Outcome;
use outcome::autoscaler::{Autoscaler as Model, Current};

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
    let model = model(&autoscaler);
    cluster.autoscale_as(autoscaler).await;
    assert_eq!([model(2, 13), model(13, 13), model(13, 14)], [13, 13, 14]);
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

#[tokio::test]
async fn an_autoscaler_without_the_field_for_its_tolerance_makes_14_of_12_that_want_13() {
    let Some(cluster) = ClosedLoop::start_up_to(LARGE, &[]).await else { return };
    let flux = cluster.flux();
    let jobs = [11, 1].map(|nodes| flux.submit(Need::Nodes(nodes), None).unwrap());
    let mut autoscaler = example("hpa-desired.yaml");
    autoscaler["spec"]["maxReplicas"] = LARGE.into();
    let up = autoscaler["spec"]["behavior"]["scaleUp"].as_object_mut().unwrap();
    assert_eq!(up.remove("tolerance"), Some("0".into()));
    let model = model(&autoscaler);
    assert_eq!([model(2, 12), model(12, 13), model(12, 14), model(14, 14)], [12, 12, 14, 14]);
    cluster.autoscale_as(autoscaler.clone()).await;
    cluster.becomes(12).await;

    // The usual tolerance hides one node more.
    let one = flux.submit(Need::Nodes(1), None).unwrap();
    cluster.reads(&of_minicluster("cluster_size_desired"), &["13"]).await;
    cluster.decides_again().await;
    cluster.becomes(12).await;

    let desired = &mut autoscaler["spec"]["metrics"][0]["object"]["metric"]["name"];
    assert_eq!(*desired, "cluster_size_desired");
    *desired = "cluster_size_desired_past_tolerance".into();
    cluster.autoscale_as(autoscaler).await;
    cluster.becomes(14).await;
    assert_eq!(flux.states(None).unwrap().run, 3);
    // It is within the tolerance of 14.
    cluster.decides_again().await;
    cluster.becomes(14).await;
    jobs.into_iter().chain([one]).for_each(|job| flux.finish(job, Outcome::Successful));
    cluster.becomes(1).await;
}

/// What the model that the outcome benchmark plays with makes of a size and a metric: the real autoscaler has to
/// agree.
fn model(autoscaler: &Value) -> impl Fn(u32, u32) -> u32 + use<> {
    let model = Model::of(&autoscaler.to_string(), LARGE);
    move |size, metric| {
        let current = Current { size, ready: size };
        model.clone().decide(0, current, |name| match name {
            "cluster_size_min_safe" => Some(1.0),
            _ => Some(metric.into()),
        })
    }
}
