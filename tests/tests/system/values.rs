//! What is read is what Flux has: every metric, of the instance and of each queue, after every
//! change, from every kind of release.

use flux_client::Idset;
use flux_simulator::{
    Release,
    instance::{Hold, Need, Outcome},
};
use fluxgauge_proto::catalogue::{CATALOGUE, Scope};
use system_tests::{DEADLINE, Path, client::HPC, path::SHORT, within};

/// The newest release, and each that is the last one to need a fallback: no sched-status before
/// 0.61, no streaming job-stats before 0.55, canceled jobs among the failed ones before 0.50.
const RELEASES: [u32; 4] = [88, 60, 54, 49];

#[tokio::test]
async fn every_metric_of_the_catalogue_is_what_the_broker_has_after_every_change() {
    for minor in RELEASES {
        let path = Path::of_broker(&SHORT, |config| {
            config.release = Release::new(minor);
        })
        .await;
        let broker = &path.broker;
        let submit = |need, queue| broker.submit(need, Some(queue)).unwrap();

        let whole = submit(Need::Nodes(1), "batch");
        let part = submit(Need::Slots { count: 2, cores: 3, gpus: 1 }, "batch");
        let debug = submit(Need::cores(2), "debug");
        submit(Need::Nodes(3), "batch");
        // Old releases list a queue once it has seen a job.
        path.agrees().await;

        for hold in [Hold::Dependency, Hold::Priority, Hold::Urgency] {
            broker.submit_held(Need::cores(1), Some("debug"), hold).unwrap();
        }
        broker.clean_up(debug);
        path.agrees().await;

        broker.finish(whole, Outcome::Successful);
        broker.finish(part, Outcome::Timeout);
        broker.finish(debug, Outcome::Failed);
        let canceled = submit(Need::cores(1), "debug");
        broker.finish(canceled, Outcome::Canceled);
        path.agrees().await;

        broker.drain(&Idset::range(1, 1), "a bad disk");
        path.lose(2);
        path.agrees().await;

        path.join(2);
        broker.undrain(&Idset::range(1, 1));
        broker.exclude(&Idset::range(3, 3));
        broker.purge();
        path.agrees().await;
    }
}

#[tokio::test]
async fn every_metric_of_a_broker_is_there_under_its_pod() {
    let path = Path::start(&[]).await;
    let read = async |metric: &str| {
        let url = format!("{HPC}/pods/mc0-0/{metric}");
        // The first heartbeat comes after a while.
        within(DEADLINE, metric, async || path.gateway.client().get(&url).await.value()).await
    };
    for metric in CATALOGUE.iter().filter(|metric| metric.scope == Scope::Broker) {
        let value = read(metric.name).await;
        match metric.name {
            "broker_up" => assert_eq!(value, 1.0),
            "broker_rank" => assert_eq!(value, 0.0),
            _ => assert!(value >= 0.0, "{} is {value}", metric.name),
        }
    }
}
