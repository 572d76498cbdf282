//! The demo without a cluster.

use std::{fs, path::Path, process::Stdio, time::Duration};

use fluxgauge::demo::reader::{Reader, Reading};
use rustix::process::Signal;
use tokio::{process::Command, time::timeout};

use crate::process::{DEADLINE, Demo, run_line, runs, send};

async fn pids(demo: &mut Demo) -> [i32; 3] {
    [demo.pid("simulator").await, demo.pid("gateway").await, demo.pid("collector").await]
}

async fn until_none_runs(pids: &[i32]) {
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    let gone = timeout(DEADLINE, async {
        while pids.iter().any(|pid| runs(*pid)) {
            tick.tick().await;
        }
    });
    gone.await.unwrap_or_else(|_| panic!("one of {pids:?} still runs"));
}

fn has_curl() -> bool {
    std::process::Command::new("curl").arg("--version").output().is_ok()
}

/// A client of the URL in a line for curl, which trusts what the line names.
fn reader(line: &str, dir: &Path) -> (Reader, String) {
    let url = line.split_whitespace().next_back().unwrap().trim_matches('\'');
    let url = url.strip_prefix("https://localhost:").unwrap();
    let (port, path) = url.split_once('/').unwrap();
    let read = |file: &str| fs::read_to_string(dir.join(file)).unwrap();
    let address = format!("127.0.0.1:{port}").parse().unwrap();
    let reader = Reader::new(&read("ca.crt"), &read("reader-token"), address);
    (reader.unwrap(), format!("/{path}"))
}

#[tokio::test]
async fn a_demo_ends_by_itself_and_leaves_nothing_running() {
    let mut demo = Demo::start(&["--for", "2s"]);
    let pids = pids(&mut demo).await;
    let (status, printed) = demo.end().await;
    assert_eq!(status.code(), Some(0), "{printed}");
    assert!(printed.contains("\n0:00 node_up_count=16 "), "{printed}");
    assert!(!printed.contains('\x1b'), "{printed}");
    assert!(!pids.iter().any(|pid| runs(*pid)), "{pids:?}");
}

#[tokio::test]
async fn the_lines_for_curl_answer_and_the_numbers_change() {
    let mut demo = Demo::start(&["--for", "5s"]);
    let one = demo.line(&["curl", "/node_up_count"]).await;
    let queue = demo.line(&["curl", "metricLabelSelector"]).await;
    let sum = demo.line(&["curl", "/metrics/node_free_count"]).await;
    let pods = demo.line(&["curl", "/pods/*/"]).await;
    let discovery = demo.line(&["curl"]).await;
    if has_curl() {
        for (line, kind) in [(&one, "MetricValueList"), (&discovery, "APIResourceList")] {
            let body: serde_json::Value = serde_json::from_str(&run_line(line).await).unwrap();
            assert_eq!(body["kind"], kind, "{body}");
        }
    }
    let token = fs::read_to_string(demo.dir.path().join("reader-token")).unwrap();
    assert!(!demo.printed.contains(&token), "a secret is on the screen");
    let address = discovery.rsplit_once("localhost:").unwrap().1.split('/').next().unwrap();
    let address = format!("127.0.0.1:{address}").parse().unwrap();
    let authority = fs::read_to_string(demo.dir.path().join("ca.crt")).unwrap();
    let mut stranger = Reader::new(&authority, "another", address).unwrap();
    let refused = stranger.read(&["/apis".to_owned()]).await.pop();
    assert!(matches!(refused, Some(Reading::Refused { code: 401, .. })), "{refused:?}");
    for line in [one, queue, sum, pods] {
        let (mut reader, path) = reader(&line, demo.dir.path());
        let reading = reader.read(&[path]).await.pop();
        assert!(matches!(reading, Some(Reading::Value(_))), "{line}: {reading:?}");
    }
    // The same value as the first line of all, some seconds later.
    demo.line(&["0:00", "job_queue_state_run_count="]).await;
    demo.line(&[" job_queue_state_run_count="]).await;
    let (status, printed) = demo.end().await;
    assert_eq!(status.code(), Some(0), "{printed}");
}

#[tokio::test]
async fn without_its_broker_a_value_is_a_404_that_says_how_old_it_is() {
    let mut demo = Demo::start(&[]);
    let pids = pids(&mut demo).await;
    let line = demo.line(&["curl", "/node_up_count"]).await;
    demo.line(&["0:00 node_up_count=16"]).await;

    send(pids[0], Signal::KILL);
    demo.line(&["The simulator", "ended: signal: 9"]).await;
    let again = demo.line(&["simulator --dir"]).await;
    let told = demo.line(&["404", "METRIC: node_up_count"]).await;
    assert!(told.contains("last sample is ") && told.contains("s old"), "{told}");
    let (mut reader, path) = reader(&line, demo.dir.path());
    let reading = reader.read(std::slice::from_ref(&path)).await.pop();
    let Some(Reading::Refused { code: 404, message }) = reading else { panic!("{reading:?}") };
    assert!(message.contains("last sample is "), "{message}");

    // It comes back as the demo says it does.
    let mut simulator = Command::new("sh")
        .args(["-c", &format!("exec {again}")])
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    demo.line(&["node_up_count=16"]).await;

    demo.signal(Signal::TERM);
    let (status, printed) = demo.end().await;
    assert_eq!(status.code(), Some(0), "{printed}");
    assert!(!pids.iter().any(|pid| runs(*pid)), "{pids:?}");
    simulator.kill().await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn no_part_outlives_a_demo_that_is_killed() {
    let mut demo = Demo::start(&[]);
    let pids = pids(&mut demo).await;
    assert!(pids.iter().all(|pid| runs(*pid)));
    demo.signal(Signal::KILL);
    until_none_runs(&pids).await;
}

#[tokio::test]
async fn bad_usage_is_64_and_a_part_that_cannot_start_is_1_with_its_reason() {
    let run = async |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_fluxgauge")).args(args).output();
        let output = timeout(DEADLINE, output).await.unwrap().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, text) = run(&["demo", "--for", "soon"]).await;
    assert_eq!(code, Some(64), "{text}");
    assert!(text.contains("--for <DURATION>"), "{text}");

    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (code, text) = run(&["demo", "--api-port", &port]).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("The gateway (process "), "{text}");
    assert!(text.contains("exit status: 1") && text.contains("--listen"), "{text}");
}
