//! Recorded brokers give back what was recorded.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails panics"
)]

#[path = "shared/broker.rs"]
mod broker;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use flux_client::{Client, Errno, Message, RpcError, message::NODEID_ANY};
use flux_simulator::{Recording, Replay};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::timeout,
};

const DEADLINE: Duration = Duration::from_secs(20);

async fn replay(version: &str) -> (Replay, Client, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let recording = Recording::load(&broker::testdata(version)).unwrap().with_answer(
        "attr.get",
        &json!({"name": "version"}),
        &json!({"value": version, "flags": 0}),
    );
    let replay = Replay::start(recording, dir.path()).await.unwrap();
    let client = broker::connect(&replay.endpoint().unwrap()).await;
    (replay, client, dir)
}

#[tokio::test]
async fn bytes_are_those_of_the_recording_but_for_the_matchtag() {
    // The response of 04-attr-get of 0.88.0, with the matchtag 0xabcdef01.
    let recorded = "1200eeff00000038000861747472 2e676574187b2276616c7565223a2234222c22666c616773\
                    223a317d00148e01020b000000000000000500000000abcdef01";
    let (replay, _client, _dir) = replay("v0.88.0").await;
    let mut socket = UnixStream::connect(replay.endpoint().unwrap().path()).await.unwrap();
    let payload = Some(Bytes::from_static(br#"{"name":"size"}"#));
    let mut request = BytesMut::new();
    Message::request("attr.get", NODEID_ANY, 0xabcd_ef01, payload).encode(&mut request).unwrap();
    socket.write_all(&request).await.unwrap();
    let mut answer = [0; 65];
    timeout(DEADLINE, socket.read_exact(&mut answer)).await.unwrap().unwrap();
    let hex: String = answer[1..].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, recorded.replace(' ', ""));
}

#[tokio::test]
async fn another_recording_of_a_question_can_be_selected() {
    let (replay, client, _dir) = replay("v0.72.0").await;
    let down = async || {
        let status: Value = client.rpc("sched.resource-status", 0, &()).await.unwrap();
        status.pointer("/down/execution/R_lite/0/rank").and_then(Value::as_str).map(str::to_owned)
    };
    assert_eq!(down().await, None);
    replay.select(&["58-"]);
    assert_eq!(down().await.as_deref(), Some("1"));
    replay.select(&["42b-sched-status-degraded"]);
    assert_eq!(down().await.as_deref(), Some("3"));
    replay.select(&[]);
    assert_eq!(down().await, None);
}

#[tokio::test]
async fn streams_and_events_go_on_when_they_are_played() {
    let (replay, client, _dir) = replay("v0.60.0").await;
    replay.select(&["40-groups-change"]);
    let mut online = client.stream("groups.get", 0, &json!({"name": "broker.online"})).unwrap();
    let mut members = async || {
        let response = timeout(DEADLINE, online.next()).await.unwrap().unwrap().unwrap();
        let group: Value = serde_json::from_slice(&response).unwrap();
        group["members"].as_str().unwrap().to_owned()
    };
    assert_eq!(members().await, "0-3");
    replay.play("groups.get");
    assert_eq!(members().await, "0-2");

    let mut events = client.subscribe("heartbeat.pulse").await.unwrap();
    replay.play("heartbeat.pulse");
    let event = timeout(DEADLINE, events.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(event.topic, "heartbeat.pulse");
}

#[tokio::test]
async fn what_was_never_recorded_is_refused_unless_it_is_made_up() {
    let (_replay, client, _dir) = replay("v0.45.0").await;
    let ask = async |topic: &str, payload: Value| client.rpc::<Value>(topic, 0, &payload).await;
    let version = ask("attr.get", json!({"name": "version"})).await.unwrap();
    assert_eq!(version["value"], "v0.45.0");
    for (topic, want) in [
        ("attr.get", Errno::ENOENT),
        ("resource.sched-status", Errno::ENOSYS),
        ("made.up", Errno::ENOSYS),
    ] {
        let answer = ask(topic, json!({"name": "unheard-of"})).await;
        assert!(
            matches!(answer, Err(RpcError::Failed { errno, .. }) if errno == want),
            "{topic}: {answer:?}"
        );
    }
}

#[test]
fn a_directory_without_recordings_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let error = Recording::load(dir.path()).unwrap_err().to_string();
    assert!(error.contains("holds no conversation"), "{error}");
}
