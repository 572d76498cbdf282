//! The simulator against recorded brokers: asked the same, it answers in the same shape, or with
//! the same error and the same words, as each of six releases did.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails panics"
)]

#[path = "shared/broker.rs"]
mod broker;

use std::{collections::BTreeSet, path::Path};

use flux_client::{Client, RpcError};
use flux_simulator::{
    Config, Recording, Replay, Simulator,
    instance::{Hold, Need, Queue},
};
use serde_json::{Value, json};

const ANY: u32 = flux_client::message::NODEID_ANY;

/// Keys that an answer may have or lack, depending on what the recorded instance was made of.
const OPTIONAL: [&str; 4] = ["gpu", "properties", "nodelist", "config"];

/// Topic, nodeid, payload; `null` is none.
fn questions() -> Vec<(&'static str, u32, Value)> {
    vec![
        ("broker.ping", ANY, json!({"seq": 1, "pad": "xxxx"})),
        ("broker.ping", 2, json!({"seq": 1})),
        ("broker.ping", 99, json!({"seq": 1})),
        ("attr.get", ANY, json!({"name": "size"})),
        ("attr.get", ANY, json!({"name": "nosuch"})),
        ("broker.attr.get", ANY, json!({"name": "size"})),
        ("nosuch.method", ANY, json!({})),
        ("resource.sched-status", 0, Value::Null),
        ("sched.resource-status", 0, Value::Null),
        ("resource.status", 0, Value::Null),
        ("resource.status", 1, Value::Null),
        ("job-list.job-stats", ANY, json!({})),
        ("groups.get", 0, json!({"name": "broker.online"})),
        ("groups.get", 1, json!({"name": "broker.online"})),
        ("job-list.stats-get", ANY, json!({})),
        ("job-list.stats.get", ANY, json!({})),
        ("job-manager.stats-get", ANY, json!({})),
        ("job-manager.stats.get", ANY, json!({})),
        ("job-manager.queue-list", ANY, json!({})),
        ("job-manager.queue-status", ANY, json!({"name": "batch"})),
        ("job-manager.queue-status", ANY, json!({})),
        ("state-machine.get", 0, json!({})),
        ("job-list.list", ANY, jobs(&["all"])),
        ("job-list.list", ANY, pending(&LISTED)),
        ("job-list.list", ANY, pending(&["state", "nosuchattr"])),
        ("module.list-of-nothing", ANY, json!({})),
    ]
}

/// What was asked of each list that was recorded.
const LISTED: [&str; 14] = [
    "userid",
    "state",
    "urgency",
    "priority",
    "t_submit",
    "t_depend",
    "t_run",
    "nnodes",
    "ntasks",
    "ncores",
    "duration",
    "queue",
    "annotations",
    "dependencies",
];

/// As newer releases take it.
fn jobs(attributes: &[&str]) -> Value {
    json!({"max_entries": 3, "attrs": attributes, "since": 0.0, "constraint": {"and": []}})
}

/// As every release takes it.
fn pending(attributes: &[&str]) -> Value {
    json!({
        "max_entries": 3, "attrs": attributes, "since": 0.0, "userid": u32::MAX, "states": 14,
        "results": 0, "constraint": {"and": [{"states": [14]}]},
    })
}

/// One client of the simulator and one of the recording.
async fn both(version: &str, dir: &Path) -> (Simulator, Replay, Client, Client) {
    let (simulated, recorded) = (dir.join("simulated"), dir.join("recorded"));
    std::fs::create_dir_all(&simulated).unwrap();
    std::fs::create_dir_all(&recorded).unwrap();
    let config = Config { release: version.parse().unwrap(), ..Config::new(simulated) };
    let simulator = Simulator::start(config).await.unwrap();
    let recording = Recording::load(&broker::testdata(version)).unwrap();
    let replay = Replay::start(recording, &recorded).await.unwrap();
    let simulated = broker::connect(&simulator.endpoint(0).unwrap()).await;
    let recorded = broker::connect(&replay.endpoint().unwrap()).await;
    (simulator, replay, simulated, recorded)
}

async fn ask(client: &Client, topic: &str, nodeid: u32, payload: &Value) -> Result<Value, String> {
    match client.rpc::<Value>(topic, nodeid, payload).await {
        Ok(answer) => Ok(answer),
        Err(RpcError::Failed { errno, text, .. }) => Err(format!("{errno}: {text:?}")),
        Err(other) => panic!("{topic}: {other}"),
    }
}

/// What differs in keys and types, and where.
fn differences(at: &str, ours: &Value, theirs: &Value, found: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for key in ours.keys().chain(theirs.keys()) {
                let here = format!("{at}/{key}");
                match (ours.get(key), theirs.get(key)) {
                    (Some(ours), Some(theirs)) => differences(&here, ours, theirs, found),
                    _ if OPTIONAL.contains(&key.as_str()) => {}
                    (Some(_), None) => found.push(format!("{here}: only simulated")),
                    _ => found.push(format!("{here}: only recorded")),
                }
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            if let (Some(ours), Some(theirs)) = (ours.first(), theirs.first()) {
                differences(&format!("{at}/0"), ours, theirs, found);
            }
        }
        (Value::Number(ours), Value::Number(theirs)) if ours.is_f64() == theirs.is_f64() => {}
        (Value::String(_), Value::String(_))
        | (Value::Bool(_), Value::Bool(_))
        | (Value::Null, Value::Null) => {}
        _ => found.push(format!("{at}: simulated {ours}, recorded {theirs}")),
    }
}

#[tokio::test]
async fn each_release_is_simulated_as_it_was_recorded() {
    let (mut found, mut compared) = (Vec::new(), 0);
    for version in broker::RELEASES {
        let dir = tempfile::tempdir().unwrap();
        let (_simulator, _replay, simulated, recorded) = both(version, dir.path()).await;
        for (topic, nodeid, payload) in questions() {
            let at = format!("{version} {topic} {nodeid} {payload}");
            let ours = ask(&simulated, topic, nodeid, &payload).await;
            let theirs = ask(&recorded, topic, nodeid, &payload).await;
            // Not everything was asked of every release: the replay has no answer to the rest.
            if !broker::was_recorded(version, topic, nodeid, &payload) {
                continue;
            }
            compared += 1;
            match (ours, theirs) {
                (Ok(ours), Ok(theirs)) => differences(&at, &ours, &theirs, &mut found),
                (Err(ours), Err(theirs)) if ours == theirs => {}
                (ours, theirs) => {
                    found.push(format!("{at}: simulated {ours:?}, recorded {theirs:?}"));
                }
            }
        }
    }
    assert!(compared > 100, "only {compared} questions were recorded");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test]
async fn resource_status_is_equal_value_for_value() {
    for version in ["v0.45.0", "v0.60.0", "v0.72.0"] {
        let dir = tempfile::tempdir().unwrap();
        let (simulator, replay, simulated, recorded) = both(version, dir.path()).await;
        let ours = ask(&simulated, "resource.status", 0, &Value::Null).await.unwrap();
        let theirs = ask(&recorded, "resource.status", 0, &Value::Null).await.unwrap();
        assert_eq!(ours, theirs, "{version}");

        simulator.drain(&"1".parse().unwrap(), "test reason");
        replay.select(&["58-"]);
        let ours = ask(&simulated, "sched.resource-status", 0, &Value::Null).await.unwrap();
        let theirs = ask(&recorded, "sched.resource-status", 0, &Value::Null).await.unwrap();
        assert_eq!(ours, theirs, "{version}, drained");
    }
}

#[tokio::test]
async fn waiting_jobs_are_listed_in_the_shape_and_the_order_that_was_recorded() {
    for version in ["v0.45.0", "v0.49.0", "v0.54.0", "v0.60.0", "v0.72.0"] {
        let dir = tempfile::tempdir().unwrap();
        let (simulator, _replay, simulated, recorded) = both(version, dir.path()).await;
        let held = |need| simulator.submit_held(need, Some("batch"), Hold::Urgency).unwrap();
        held(Need::cores(1));
        simulator.submit(Need::Nodes(3), Some("batch")).unwrap();
        simulator.submit(Need::Nodes(3), Some("batch")).unwrap();
        held(Need::cores(1));
        let ours = ask(&simulated, "job-list.list", ANY, &pending(&LISTED)).await.unwrap();
        let theirs = ask(&recorded, "job-list.list", ANY, &pending(&LISTED)).await.unwrap();
        let (ours, theirs) = (ours["jobs"].as_array().unwrap(), theirs["jobs"].as_array().unwrap());
        assert_eq!(ours.len(), theirs.len(), "{version}");
        let mut found = Vec::new();
        for (mine, other) in ours.iter().zip(theirs) {
            differences(version, mine, other, &mut found);
            for key in ["state", "urgency", "priority", "nnodes", "duration", "queue"] {
                assert_eq!(mine.get(key), other.get(key), "{version}: {key}");
            }
        }
        // What was recorded shared its nodes.
        found.retain(|difference| !difference.ends_with("/ncores: only recorded"));
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
}

#[tokio::test]
async fn guests_get_what_guests_of_that_release_got() {
    let mut found = Vec::new();
    for version in ["v0.45.0", "v0.49.0", "v0.54.0", "v0.60.0", "v0.72.0"] {
        let dir = tempfile::tempdir().unwrap();
        let (simulator, replay, simulated, recorded) = both(version, dir.path()).await;
        simulator.set_guests(true);
        replay.select(&["61-guest"]);
        for topic in
            ["config.get", "job-list.stats-get", "job-list.stats.get", "job-manager.stats-get"]
        {
            let ours = ask(&simulated, topic, ANY, &json!({})).await;
            let theirs = ask(&recorded, topic, ANY, &json!({})).await;
            if ours.as_ref().err() != theirs.as_ref().err() {
                found.push(format!("{version} {topic}: simulated {ours:?}, recorded {theirs:?}"));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test]
async fn releases_before_0_45_know_no_queues() {
    let dir = tempfile::tempdir().unwrap();
    let queues = vec![Queue { name: "batch".to_owned(), ranks: None }];
    let config = Config { release: "0.42".parse().unwrap(), queues, ..Config::new(dir.path()) };
    let simulator = Simulator::start(config).await.unwrap();
    let client = broker::connect(&simulator.endpoint(0).unwrap()).await;
    let stats = ask(&client, "job-list.job-stats", 0, &json!({})).await.unwrap();
    let keys: BTreeSet<&str> = stats.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, BTreeSet::from(["canceled", "failed", "job_states", "timeout"]));
}
