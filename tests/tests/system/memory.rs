//! What a collector remembers is bounded, and small.

use std::{fs, time::Duration};

use flux_simulator::{Config, Simulator, instance::Need};
use system_tests::{Process, TestCa, TestGateway, collector, eventually, is, process, within};
use tempfile::TempDir;

const JOBS: u32 = 10_000;

/// Of 10,000 jobs: 2 MB of JSON while it is read, 2 MB of jobs, 1 MB of jobspecs, and as much again for
/// an allocator on another machine. A collector as it ships takes 4 MB without any job and 7 MB with
/// these.
const MOST_KIB: u64 = 10 * 1024;

#[tokio::test]
async fn ten_thousand_waiting_jobs_cost_a_collector_less_than_10_mb() {
    let (ca, dir) = (TestCa::new(), TempDir::new().unwrap());
    let gateway = TestGateway::start(&ca, &[]).await;
    let flux = Simulator::start(Config::new(dir.path())).await.unwrap();
    let url = format!("https://127.0.0.1:{}", gateway.ingest.port());
    let ca_file = collector::write_ca(&ca, &dir);
    let uri = format!("local://{}", process::text(&flux.socket(0)));
    let variables = collector::variables(&url, &ca_file, &uri);
    let child = Process::start(env!("CARGO_BIN_EXE_child"), ["collector"], &variables);
    let client = gateway.client();
    let demand = async || client.metric("mc0", "pending_cores_demand").await;
    eventually("nothing waits", async || is(demand().await == Ok(0.0))).await;
    let before = peak_kib(&child);

    // A job on all nodes of the queue keeps the others waiting.
    flux.submit(Need::Nodes(3), Some("batch")).unwrap();
    let need = Need::Slots { count: 2, cores: 3, gpus: 0 };
    flux.submit_many(JOBS as usize, need, Some("batch")).unwrap();
    within(Duration::from_secs(120), "all wait", async || {
        let (read, wanted) = (demand().await, f64::from(JOBS * 6));
        if read == Ok(wanted) { Ok(()) } else { Err(read) }
    })
    .await;
    let more = peak_kib(&child) - before;
    println!("{JOBS} waiting jobs: {before} KiB before, {more} KiB more at the peak");
    assert!(more < MOST_KIB, "{more} KiB more than {before} KiB");
}

/// The most memory that a process has had.
fn peak_kib(child: &Process) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}
