//! What the tests share: a client of a simulated or replayed broker, and the recordings.
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::PathBuf;

use flux_client::{Client, ClientConfig, Endpoint, message::NODEID_ANY};
use serde_json::Value;

/// The releases of which bytes were recorded.
pub(crate) const RELEASES: [&str; 6] =
    ["v0.45.0", "v0.49.0", "v0.54.0", "v0.60.0", "v0.72.0", "v0.88.0"];

pub(crate) fn testdata(version: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../flux/testdata").join(version)
}

pub(crate) async fn connect(endpoint: &Endpoint) -> Client {
    let (client, connection) = Client::connect(endpoint, ClientConfig::default()).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Whether the conversations of a release have this question.
pub(crate) fn was_recorded(version: &str, topic: &str, nodeid: u32, payload: &Value) -> bool {
    let empty = |payload: &Value| payload.as_object().is_none_or(serde_json::Map::is_empty);
    let rank = |nodeid: u64| if nodeid == u64::from(NODEID_ANY) { 0 } else { nodeid };
    let paths = std::fs::read_dir(testdata(version)).unwrap().map(|entry| entry.unwrap().path());
    for path in paths.filter(|path| path.extension().is_some_and(|end| end == "json")) {
        if path.to_string_lossy().contains("61-guest") {
            continue;
        }
        let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        for message in file["messages"].as_array().into_iter().flatten() {
            let same =
                message["payload"] == *payload || (empty(&message["payload"]) && empty(payload));
            let asked = message["type"] == "request" && message["topic"] == topic;
            let flags = message["flags"].as_array().into_iter().flatten();
            let streaming = flags.into_iter().any(|flag| flag == "STREAMING");
            let here = message["nodeid"].as_u64().map(rank) == Some(rank(u64::from(nodeid)));
            if asked && same && here && !streaming {
                return true;
            }
        }
    }
    false
}
