//! Real brokers' bytes, from the socket to the gateway: each release with the fallbacks it needs.

use std::path::Path;

use flux_simulator::{Config, Recording, Release, Replay, Simulator};
use serde_json::json;

use crate::{
    gateway::{Gateway, Heard, Manners},
    pod::Pod,
};

/// What a gateway hears of a recorded broker, once all sources have spoken or failed.
async fn heard(release: &str, select: &[&str]) -> Heard {
    let dir = tempfile::tempdir().unwrap();
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("flux/testdata").join(release);
    let attribute =
        |name: &str, value: &str| (json!({ "name": name }), json!({ "value": value, "flags": 1 }));
    let version = release.trim_start_matches('v');
    let mut recording = Recording::load(&testdata).unwrap();
    for (request, response) in [
        attribute("rank", "0"),
        attribute("size", "4"),
        attribute("hostname", "flux-sample-0"),
        attribute("version", version),
    ] {
        recording = recording.with_answer("attr.get", &request, &response);
    }
    let queues =
        json!({"queues": {"batch": {"requires": ["batch"]}, "debug": {"requires": ["debug"]}}});
    recording = recording.with_answer("config.get", &json!({}), &queues);
    let replay = Replay::start(recording, dir.path()).await.unwrap();
    replay.select(select);
    let gateway = Gateway::start(Manners::default()).await;
    let pod = Pod::start(&replay.endpoint().unwrap(), [gateway.address]);
    let heard = gateway
        .until(release, |heard| {
            heard.samples.last().is_some_and(|sample| {
                sample.sources.len() == 5
                    && sample.sources.iter().all(|source| source.proved_age_ms.is_some())
            })
        })
        .await;
    pod.stop().await;
    heard
}

#[tokio::test]
async fn every_release_is_read_as_it_can_be() {
    for (release, cores_free) in [
        ("v0.45.0", 28.0),
        ("v0.49.0", 28.0),
        ("v0.54.0", 28.0),
        ("v0.60.0", 28.0),
        ("v0.72.0", 28.0),
    ] {
        let heard = heard(release, &["11-", "09-", "22-"]).await;
        let value = |metric| heard.value(metric);
        assert_eq!(value("job_queue_state_sched_count"), Some(3.0), "{release}");
        assert_eq!(value("job_failed_count"), Some(1.0), "{release}");
        assert_eq!(heard.of_queue("batch", "job_successful_count"), Some(8.0), "{release}");
        assert_eq!(value("node_up_count"), Some(4.0), "{release}");
        assert_eq!(value("core_free_count"), Some(cores_free), "{release}");
        assert_eq!(heard.of_queue("batch", "node_total_count"), Some(3.0), "{release}");
        assert_eq!(heard.of_queue("debug", "core_free_count"), Some(8.0), "{release}");
        assert_eq!(value("node_online_count"), Some(4.0), "{release}");
        assert_eq!(value("broker_up"), Some(1.0), "{release}");
        let hello = heard.hello.unwrap();
        assert_eq!(format!("v{}", hello.flux_version), release);
    }
}

#[tokio::test]
async fn a_drained_rank_is_down_in_every_release() {
    for release in ["v0.45.0", "v0.49.0", "v0.54.0", "v0.60.0"] {
        let heard = heard(release, &["58-", "60-", "22-"]).await;
        assert_eq!(heard.value("node_up_count"), Some(3.0), "{release}");
        assert_eq!(heard.value("node_down_count"), Some(1.0), "{release}");
        assert_eq!(heard.value("job_queue_state_inactive_count"), Some(45.0), "{release}");
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
