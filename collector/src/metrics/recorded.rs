//! Payloads that real brokers sent, for the tables of the tests.

use std::path::Path;

use serde_json::Value;

/// The payload of the nth successful response of a recorded conversation.
pub(crate) fn payload(release: &str, name: &str, nth: usize) -> Vec<u8> {
    let mut all = payloads(release, name).into_iter();
    all.nth(nth).unwrap_or_else(|| panic!("{release}/{name} has no response {nth}"))
}

/// The payloads of all successful responses of a recorded conversation.
pub(crate) fn payloads(release: &str, name: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("flux/testdata")
        .join(release)
        .join(format!("{name}.json"));
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let conversation: Value = serde_json::from_slice(&text).unwrap();
    let messages = conversation.get("messages").unwrap_or(&conversation).as_array().unwrap();
    let responses = messages.iter().filter(|message| {
        (message["type"] == "response" && message["errnum"] == 0)
            || (message["dir"] == "recv" && message["aux1"] == 0 && message["type"] == 2)
    });
    responses.map(|message| message["payload"].to_string().into_bytes()).collect()
}
