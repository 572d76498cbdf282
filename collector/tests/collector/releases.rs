//! Real brokers' bytes, from the socket to the gateway: each release with the fallbacks it needs.

use std::path::Path;

use flux_demand::MAX_JOBS;
use flux_simulator::{Config, Recording, Release, Replay, Simulator};
use fluxgauge_collector::metrics::waiting;
use fluxgauge_proto::catalogue::Source;
use serde_json::{Value, json};

use crate::{
    gateway::{Gateway, Heard, Manners},
    pod::Pod,
};

/// A recorded broker, and a gateway that hears of it.
struct Scene {
    replay: Replay,
    gateway: Gateway,
    pod: Pod,
    _dir: tempfile::TempDir,
}

/// Whose answers are taken from these conversations first.
async fn scene(release: &str, select: &[&str]) -> Scene {
    let dir = tempfile::tempdir().unwrap();
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("flux/testdata").join(release);
    let mut recording = Recording::load(&testdata).unwrap();
    for (name, value) in [
        ("rank", "0"),
        ("size", "4"),
        ("hostname", "flux-sample-0"),
        ("version", release.trim_start_matches('v')),
    ] {
        let response = json!({ "value": value, "flags": 1 });
        recording = recording.with_answer("attr.get", &json!({ "name": name }), &response);
    }
    let queues = json!({ "batch": { "requires": ["batch"] }, "debug": { "requires": ["debug"] } });
    recording.select(select);
    recording = recording.with_answer("config.get", &json!({}), &json!({ "queues": queues }));
    // What was recorded was asked for with more attributes.
    let waiting = recorded_list(&testdata);
    recording = recording.with_answer("job-list.list", &waiting::request(MAX_JOBS), &waiting);
    let replay = Replay::start(recording, dir.path()).await.unwrap();
    let gateway = Gateway::start(Manners::default()).await;
    let pod = Pod::start(&replay.endpoint().unwrap(), [gateway.address]);
    Scene { replay, gateway, pod, _dir: dir }
}

/// The waiting jobs that this release listed.
fn recorded_list(testdata: &Path) -> Value {
    let file = std::fs::read(testdata.join("13b-job-list-compat.json")).unwrap();
    let conversation: Value = serde_json::from_slice(&file).unwrap();
    let messages = conversation["messages"].as_array().unwrap();
    let answer = messages.iter().find(|message| message["errnum"] == 0).unwrap();
    answer["payload"].clone()
}

/// The sources whose requests were recorded of every release.
const RECORDED: [Source; 9] = [
    Source::JobStats,
    Source::SchedStatus,
    Source::QueueStatus,
    Source::Online,
    Source::ResourceStatus,
    Source::Demand,
    Source::Broker,
    Source::Rusage,
    Source::Overlay,
];

/// What the gateway hears of it once all of these have spoken.
async fn heard(release: &str, select: &[&str]) -> Heard {
    let scene = scene(release, select).await;
    let spoken = |heard: &Heard| {
        heard.samples.last().is_some_and(|sample| {
            RECORDED.map(Source::name).iter().all(|name| {
                let source = sample.sources.iter().find(|source| source.name == *name);
                source.is_some_and(|source| source.proved_age_ms.is_some())
            })
        })
    };
    let heard = scene.gateway.until(release, spoken).await;
    scene.pod.stop().await;
    heard
}

#[tokio::test]
async fn every_release_is_read_as_it_can_be() {
    // From 0.55 on the stream has spoken after the plain answer, and with a newer snapshot. An
    // older broker answers its stream once, which is not to be mistaken for one.
    for (release, pending) in
        [("v0.45.0", 3.0), ("v0.49.0", 3.0), ("v0.54.0", 3.0), ("v0.60.0", 2.0), ("v0.72.0", 2.0)]
    {
        let heard = heard(release, &["11-", "09-", "22-"]).await;
        let value = |metric| heard.value(metric);
        assert_eq!(value("job_queue_state_sched_count"), Some(pending), "{release}");
        assert_eq!(value("job_failed_count"), Some(1.0), "{release}");
        assert_eq!(heard.of_queue("batch", "job_successful_count"), Some(8.0), "{release}");
        assert_eq!(value("node_up_count"), Some(4.0), "{release}");
        assert_eq!(value("core_free_count"), Some(28.0), "{release}");
        assert_eq!(heard.of_queue("batch", "node_total_count"), Some(3.0), "{release}");
        assert_eq!(heard.of_queue("debug", "core_free_count"), Some(8.0), "{release}");
        assert_eq!(value("node_online_count"), Some(4.0), "{release}");
        assert_eq!(value("broker_up"), Some(1.0), "{release}");
        assert_eq!(value("broker_overlay_degraded"), Some(0.0), "{release}");
        assert!(value("broker_cpu_user_seconds_total") > Some(0.0), "{release}");
        assert_eq!(value("broker_module_queue_max"), None, "{release} lists none of it");
        // One waits for three nodes of eight cores, two are held. No jobspec was recorded, so that
        // their GPUs are not known.
        assert_eq!(value("pending_nodes_demand"), Some(3.0), "{release}");
        assert_eq!(heard.of_queue("batch", "pending_cores_demand"), Some(24.0), "{release}");
        assert_eq!(value("job_held_count"), Some(2.0), "{release}");
        assert_eq!(value("cluster_size_desired"), None, "{release}");
        let hello = heard.hello.unwrap();
        assert_eq!(format!("v{}", hello.flux_version), release);
    }
}

#[tokio::test]
async fn a_stream_that_speaks_is_heard() {
    for release in ["v0.60.0", "v0.72.0"] {
        let scene = scene(release, &["11-", "09-", "22-"]).await;
        let state = |heard: &Heard| heard.value("job_queue_state_sched_count");
        scene.gateway.until("its first snapshot", |heard| state(heard) == Some(2.0)).await;
        scene.replay.play("job-list.job-stats");
        let heard = scene.gateway.until("its second one", |heard| state(heard) == Some(18.0)).await;
        assert_eq!(heard.value("job_queue_state_run_count"), Some(24.0), "{release}");
        scene.pod.stop().await;
    }
}

#[tokio::test]
async fn a_drained_rank_is_down_in_every_release() {
    for release in ["v0.45.0", "v0.49.0", "v0.54.0", "v0.60.0"] {
        let heard = heard(release, &["58-", "60-", "22-"]).await;
        assert_eq!(heard.value("node_up_count"), Some(3.0), "{release}");
        assert_eq!(heard.value("node_down_count"), Some(1.0), "{release}");
    }
}

#[tokio::test]
async fn releases_before_the_recorded_ones_are_read_by_the_reference() {
    for minor in [40, 44] {
        let dir = tempfile::tempdir().unwrap();
        let config = Config { release: Release::new(minor), ..Config::new(dir.path()) };
        let simulator = Simulator::start(config).await.unwrap();
        let gateway = Gateway::start(Manners::default()).await;
        let pod = Pod::start(&simulator.endpoint(0).unwrap(), [gateway.address]);
        let heard = gateway
            .until("jobs and nodes", |heard| {
                heard.value("job_queue_state_run_count") == Some(0.0)
                    && heard.value("node_up_count") == Some(4.0)
            })
            .await;
        assert_eq!(heard.value("job_successful_count"), None, "0.{minor} does not say");
        assert_eq!(heard.of_queue("batch", "job_queue_state_run_count"), None);
        pod.stop().await;
    }
}
