//! What a broker does, and what a gateway hears of it.

use flux_client::{Endpoint, Errno, Idset};
use flux_simulator::{
    Config, Fault, Release, Simulator,
    faults::ANY_TOPIC,
    instance::{Need, Outcome},
};
use fluxgauge_collector::args::Args;
use fluxgauge_proto::{catalogue::Source, v1::Wishes};

use crate::{
    door,
    gateway::{Gateway, Heard, Manners},
    pod::Pod,
};

pub(crate) struct Scene {
    pub(crate) simulator: Simulator,
    pub(crate) gateway: Gateway,
    pub(crate) pod: Pod,
    _dir: tempfile::TempDir,
}

/// Wishes that make things happen soon: proofs every half second.
fn hasty() -> Manners {
    let wishes = Wishes { interval_ms: 200, max_age_ms: 2000 };
    Manners { wishes: Some(wishes), ..Manners::default() }
}

pub(crate) async fn scene(change: impl FnOnce(&mut Config)) -> Scene {
    scene_with(change, |_| {}).await
}

/// The same with other arguments of the collector.
pub(crate) async fn scene_with(
    change: impl FnOnce(&mut Config),
    arguments: impl FnOnce(&mut Args),
) -> Scene {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::new(dir.path());
    change(&mut config);
    let simulator = Simulator::start(config).await.unwrap();
    let gateway = Gateway::start(hasty()).await;
    let broker = simulator.endpoint(0).unwrap().to_string();
    let pod = Pod::start_with([gateway.address], |args| {
        args.flux_uri = Some(broker);
        arguments(args);
    });
    Scene { simulator, gateway, pod, _dir: dir }
}

impl Scene {
    pub(crate) async fn until_value(&self, metric: &str, want: Option<f64>) {
        let what = format!("{metric} is {want:?}");
        self.gateway
            .until(&what, |heard| !heard.samples.is_empty() && heard.value(metric) == want)
            .await;
    }
}

#[tokio::test]
async fn jobs_and_nodes_are_followed() {
    for minor in [88, 54] {
        let scene = scene(|config| config.release = Release::new(minor)).await;
        scene.until_value("node_free_count", Some(4.0)).await;
        let job = scene.simulator.submit(Need::Nodes(2), Some("batch")).unwrap();
        scene.until_value("job_queue_state_run_count", Some(1.0)).await;
        scene.until_value("node_allocated_count", Some(2.0)).await;
        scene.until_value("cluster_size_min_safe", Some(2.0)).await;
        scene.simulator.finish(job, Outcome::Successful);
        scene.until_value("job_successful_count", Some(1.0)).await;
        scene.until_value("node_free_count", Some(4.0)).await;

        let ranks: Idset = "1".parse().unwrap();
        scene.simulator.drain(&ranks, "test");
        scene.until_value("node_up_count", Some(3.0)).await;
        scene.simulator.undrain(&ranks);
        scene.until_value("node_up_count", Some(4.0)).await;
        scene.simulator.lose(3);
        scene.until_value("node_online_count", Some(3.0)).await;
        scene.until_value("node_down_count", Some(1.0)).await;
        scene.pod.stop().await;
    }
}

#[tokio::test]
async fn a_source_that_answers_an_error_is_absent_with_the_reason_and_comes_back() {
    let scene = scene(|_| {}).await;
    for (topic, source, metric, fault, reason, unhurt) in [
        (
            "groups.get",
            Source::Online,
            "node_online_count",
            Fault::Fail(Errno::EPERM, Some("go away".to_owned())),
            "insufficient role",
            "broker_up",
        ),
        (
            "job-list.job-stats",
            Source::JobStats,
            "job_failed_count",
            Fault::Enosys,
            "ENOSYS",
            "node_up_count",
        ),
        (
            "resource.sched-status",
            Source::SchedStatus,
            "node_up_count",
            Fault::NotJson,
            "not understood",
            "node_online_count",
        ),
        (
            "state-machine.get",
            Source::Broker,
            "broker_up",
            Fault::Oversized(9 * 1024 * 1024),
            "over the limit",
            "node_up_count",
        ),
    ] {
        scene.gateway.until("a value", |heard| heard.value(metric).is_some()).await;
        scene.simulator.fault(topic, fault);
        let heard = scene
            .gateway
            .until(topic, |heard| {
                !heard.samples.is_empty()
                    && heard.value(metric).is_none()
                    && heard.failure(source.name()).is_some_and(|text| text.contains(reason))
            })
            .await;
        assert!(heard.value(unhurt).is_some(), "{unhurt} without {topic}");
        scene.simulator.heal(topic);
        scene
            .gateway
            .until("healed", |heard| {
                heard.value(metric).is_some() && heard.failure(source.name()).is_none()
            })
            .await;
    }
    scene.pod.stop().await;
}

#[tokio::test]
async fn the_queues_go_with_what_they_rest_on() {
    let scene = scene(|_| {}).await;
    for topic in ["config.get", "resource.sched-status"] {
        let queue = |heard: &Heard| heard.of_queue("debug", "node_up_count");
        scene.gateway.until("a queue", |heard| queue(heard) == Some(1.0)).await;
        scene.simulator.fault(topic, Fault::Fail(Errno::EPERM, None));
        let failed = |heard: &Heard| heard.failure(Source::QueueStatus.name()).is_some();
        let heard =
            scene.gateway.until(topic, |heard| failed(heard) && queue(heard).is_none()).await;
        assert_eq!(heard.of_queue("debug", "job_queue_state_run_count"), Some(0.0));
        assert_eq!(heard.value("node_up_count").is_some(), topic == "config.get");
        scene.simulator.heal(topic);
    }
    scene.pod.stop().await;
}

#[tokio::test]
async fn a_broker_without_the_newer_topic_is_asked_under_the_older_one() {
    let scene = scene(|_| {}).await;
    scene.simulator.fault("resource.sched-status", Fault::Enosys);
    scene.until_value("node_up_count", Some(4.0)).await;
    scene.pod.stop().await;
}

#[tokio::test]
async fn a_guest_reads_all_that_its_release_allows() {
    for (minor, queues) in [(88, Some(3.0)), (52, Some(3.0)), (45, None)] {
        let scene = scene(|config| {
            config.guests = true;
            config.release = Release::new(minor);
        })
        .await;
        scene.simulator.submit(Need::Nodes(1), Some("batch")).unwrap();
        scene.until_value("job_queue_state_run_count", Some(1.0)).await;
        scene.until_value("node_allocated_count", Some(1.0)).await;
        let settled = |heard: &Heard| match heard.failure(Source::QueueStatus.name()) {
            Some(reason) => reason.contains("insufficient role"),
            None => heard.of_queue("batch", "node_total_count").is_some(),
        };
        let heard = scene.gateway.until("the queues, or why not", settled).await;
        assert_eq!(heard.of_queue("batch", "node_total_count"), queues, "0.{minor}");
        scene.pod.stop().await;
    }
}

#[tokio::test]
async fn a_hung_broker_leaves_values_that_age() {
    let scene = scene(|_| {}).await;
    scene
        .gateway
        .until("all sources have spoken", |heard| {
            heard.samples.last().is_some_and(|sample| {
                sample.sources.iter().all(|source| source.proved_age_ms.is_some())
            })
        })
        .await;
    scene.simulator.fault(ANY_TOPIC, Fault::Silence);
    let heard = scene
        .gateway
        .until("old proofs", |heard| {
            // That no heartbeat comes is known without the broker.
            let pulse = Source::Heartbeat.name();
            heard.samples.last().is_some_and(|sample| {
                let mut asked = sample.sources.iter().filter(|source| source.name != pulse);
                asked.all(|source| source.proved_age_ms.is_some_and(|age| age > 2000))
            })
        })
        .await;
    assert_eq!(heard.value("node_up_count"), Some(4.0));
    let failure = heard.failure(Source::SchedStatus.name()).unwrap();
    assert_eq!(failure, "no answer to resource.sched-status within 500ms");
    scene.pod.stop().await;
}

#[tokio::test]
async fn an_idle_broker_is_proved_again_and_again() {
    let scene = scene(|_| {}).await;
    scene.until_value("node_up_count", Some(4.0)).await;
    let all =
        scene.gateway.until("five seconds of nothing", |heard| heard.samples.len() > 25).await;
    // A proof every 500 ms; the rest is for a machine that is busy with other tests.
    for sample in all.samples.iter().skip(10) {
        for source in &sample.sources {
            assert!(source.proved_age_ms.unwrap() < 1500, "{source:?}");
        }
    }
    scene.pod.stop().await;
}

#[tokio::test]
async fn a_broker_that_restarts_is_met_again_under_a_new_hello() {
    let scene = scene(|_| {}).await;
    scene.until_value("node_up_count", Some(4.0)).await;
    scene.simulator.go_away();
    let heard = scene
        .gateway
        .until("absent", |heard| !heard.samples.is_empty() && heard.values().is_empty())
        .await;
    let failure = heard.failure(Source::JobStats.name()).unwrap();
    assert!(failure.starts_with("no broker:"), "{failure}");

    scene.simulator.come_back().await;
    scene.until_value("node_up_count", Some(4.0)).await;
    scene.simulator.restart().await;
    let streams = scene
        .gateway
        .until_all("a second hello", |streams| {
            streams.len() > 1 && streams.last().unwrap().value("node_up_count") == Some(4.0)
        })
        .await;
    let start = |stream: &Heard| stream.hello.as_ref().unwrap().broker_start_time;
    assert!(start(streams.last().unwrap()) > start(&streams[0]));
    scene.pod.stop().await;
}

#[tokio::test]
async fn a_broker_that_refuses_or_says_nonsense_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(hasty()).await;
    let pod = Pod::start(&Endpoint::local(dir.path().join("local-0")).unwrap(), [gateway.address]);
    door::refuse(dir.path(), 3).await;
    assert!(gateway.heard().is_empty(), "nothing is known, so that nothing is said");
    let simulator = Simulator::start(Config::new(dir.path())).await.unwrap();
    let scene = Scene { simulator, gateway, pod, _dir: dir };
    scene.until_value("node_up_count", Some(4.0)).await;

    for fault in [Fault::WrongMagic, Fault::Malformed, Fault::CutShort] {
        scene.simulator.fault("state-machine.get", fault);
        scene.until_value("node_up_count", None).await;
        scene.simulator.heal("state-machine.get");
        scene.until_value("node_up_count", Some(4.0)).await;
    }
    scene.pod.stop().await;
}

#[tokio::test]
async fn a_worker_reports_its_broker_and_nothing_of_the_instance() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { sockets: 2, ..Config::new(dir.path()) };
    let simulator = Simulator::start(config).await.unwrap();
    let gateway = Gateway::start(hasty()).await;
    let pod = Pod::start(&simulator.endpoint(1).unwrap(), [gateway.address]);
    let heard = gateway.until("its rank", |heard| heard.value("broker_rank") == Some(1.0)).await;
    assert!(heard.values().keys().all(|(metric, _)| metric.starts_with("broker_")));
    let sources = &heard.samples.last().unwrap().sources;
    let names = sources.iter().map(|source| source.name.as_str());
    assert!(names.eq(Source::OF_BROKER.iter().map(|source| source.name())), "{sources:?}");
    pod.stop().await;
}
