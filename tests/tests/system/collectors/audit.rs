//! The lines about streams that are refused.

use std::fs::{self, File};

use system_tests::{Process, process};

use super::*;

const LAB: &str = "0123456789abcdef-of-lab";

#[tokio::test]
async fn a_refused_stream_is_a_line_with_who_what_and_why_and_without_the_secret() {
    let (ca, dir, folder) = (TestCa::new(), token_dir(&[("lab", LAB)]), TempDir::new().unwrap());
    ca.write_leaf(folder.path());
    let file = |name: &str| folder.path().join(name);
    let (cert, key, log) = (file("tls.crt"), file("tls.key"), file("log"));
    let mut gateway = Process::start_logged(
        env!("CARGO_BIN_EXE_child"),
        [
            "gateway",
            "--listen=127.0.0.1:0",
            "--ingest-listen=127.0.0.1:0",
            "--kubernetes=off",
            "--insecure-readers",
            "--log=json",
            "--collector-token-dir",
            process::text(dir.path()),
            "--tls-cert",
            process::text(&cert),
            "--tls-key",
            process::text(&key),
        ],
        &[],
        File::create(&log).unwrap(),
    );
    let listening: Value = serde_json::from_str(&gateway.line().await).unwrap();
    let ingest = listening["ingest"].as_str().unwrap().parse().unwrap();
    let channel = async || fake_collector::channel(&ca.pem(), ingest).await;
    let secret = "a-secret-of-nobody-0123";
    for token in [LAB, secret] {
        refusal(channel().await, hello("mc0", 3), Some(token)).await;
    }
    let lines = eventually("both are written down", async || {
        let text = fs::read_to_string(&log).unwrap();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let refused: Vec<_> = lines.filter(|line| line["message"] == "refused a stream").collect();
        if refused.len() == 2 { Ok(refused) } else { Err(text) }
    })
    .await;
    let [denied, unknown] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(denied["target"], "fluxgauge_gateway::audit");
    for line in [denied, unknown] {
        assert!(line["peer"].as_str().unwrap().starts_with("127.0.0.1:"), "{line}");
        let claimed = ["namespace", "minicluster", "rank"].map(|key| line[key].clone());
        assert_eq!(claimed, [json!("hpc"), json!("mc0"), json!(3)]);
    }
    assert_eq!(denied["user"], "the token of namespace lab");
    let why = denied["why"].as_str().unwrap();
    assert!(why.contains("it is of namespace lab and claims namespace hpc"), "{why}");
    assert_eq!(unknown["user"], Value::Null);
    let text = fs::read_to_string(&log).unwrap();
    assert!(!text.contains(secret) && !text.contains(LAB), "{text}");
}
