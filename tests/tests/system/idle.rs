//! An instance in which nothing happens stays readable; one that hangs does not.

use std::time::Duration;

use rustix::process::Signal;
use system_tests::{
    Gateways, Path, Process, TestCa, TestCollector, TestGateway, eventually, path::SHORT, process,
    refused, throughout,
};
use tempfile::TempDir;

/// What [`SHORT`] says.
const MAX_AGE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn an_idle_instance_is_readable_for_ten_times_the_max_age() {
    let path = Path::start(&SHORT).await;
    throughout(10 * MAX_AGE, async || {
        for metric in ["node_up_count", "job_queue_state_run_count", "node_online_count"] {
            if let Err(refusal) = path.metric(metric).await {
                panic!("{metric} is refused: {refusal}");
            }
        }
    })
    .await;
    path.agrees().await;
}

#[tokio::test]
async fn a_broker_that_is_stopped_with_its_socket_open_becomes_a_404_that_says_how_old_it_is() {
    let (ca, dir) = (TestCa::new(), TempDir::new().unwrap());
    let gateway = TestGateway::start(&ca, &SHORT).await;
    let sockets = process::text(dir.path());
    let mut broker = Process::start(
        env!("CARGO_BIN_EXE_child"),
        ["simulator", "--no-day", "--size=4", "--dir", sockets],
        &[],
    );
    let ready = broker.line().await;
    let uri = ready.strip_prefix(flux_simulator::READY).expect("the line of a simulator").trim();
    let collector = TestCollector::start(&ca, Gateways::one(gateway.ingest), uri);
    let metrics = ["node_up_count", "job_queue_state_run_count", "node_online_count"];
    let client = gateway.client();
    let signal = |signal| broker.signal(signal);

    for round in 0..2 {
        for metric in metrics {
            eventually("the value is there", async || client.metric("mc0", metric).await).await;
        }
        if round > 0 {
            break;
        }
        signal(Signal::STOP);
        for metric in metrics {
            let refusal = eventually("the value is refused", async || {
                refused(client.metric("mc0", metric).await)
            })
            .await;
            assert!(refusal.contains("last sample is 2s old, limit 2s"), "{refusal}");
        }
        signal(Signal::CONT);
    }
    drop(collector);
}
