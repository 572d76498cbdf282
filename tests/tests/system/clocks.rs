//! No wall clock decides whether a value is too old.

use std::{path::Path, process::Command, time::Duration};

use flux_simulator::{Config, Simulator};
use system_tests::{
    Process, TestCa, TestGateway, client::metric_path, collector, eventually, path::SHORT, process,
    throughout,
};
use tempfile::TempDir;

/// Moves the time of day, and no other clock, for a program that it is loaded into.
const SHIM: &str = r"
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <sys/time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && clock == CLOCK_REALTIME) now->tv_sec += OFFSET;
    return result;
}
int gettimeofday(struct timeval *now, void *zone) {
    struct timespec precise;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
";

const HOUR: i64 = 3600;

#[tokio::test]
async fn a_collector_whose_clock_is_an_hour_off_changes_nothing() {
    for offset in [HOUR, -HOUR] {
        let (ca, dir) = (TestCa::new(), TempDir::new().unwrap());
        let shim = compile(dir.path(), offset);
        let preload = ("LD_PRELOAD", process::text(&shim));
        let moved = date(&[preload]).await;
        assert!((moved - date(&[]).await - offset).abs() < HOUR / 2, "the clock did not move");

        let gateway = TestGateway::start(&ca, &SHORT).await;
        let broker = Simulator::start(Config::new(dir.path())).await.unwrap();
        let url = format!("https://127.0.0.1:{}", gateway.ingest.port());
        let ca_file = collector::write_ca(&ca, &dir);
        let flux_uri = format!("local://{}", broker.socket(0).display());
        let mut variables = collector::variables(&url, &ca_file, &flux_uri);
        variables.push(preload);
        let started = date(&[]).await;
        let child = Process::start(env!("CARGO_BIN_EXE_child"), ["collector"], &variables);

        let client = gateway.client();
        eventually("a value is there", async || client.metric("mc0", "node_up_count").await).await;
        throughout(Duration::from_secs(4), async || {
            assert_eq!(client.metric("mc0", "node_up_count").await, Ok(4.0));
        })
        .await;
        let list = client.get(&metric_path("mc0", "node_up_count")).await.json();
        let produced = list["items"][0]["timestamp"].as_str().expect("a time");
        let produced = seconds(&["--date", produced, "+%s"], &[]).await;
        assert!((started..=date(&[]).await).contains(&produced), "{list}");
        drop(child);
    }
}

/// The time of day in seconds, as a process with these variables sees it.
async fn date(variables: &[(&str, &str)]) -> i64 {
    seconds(&["+%s"], variables).await
}

async fn seconds(args: &[&str], variables: &[(&str, &str)]) -> i64 {
    Process::start("date", args, variables).line().await.parse().expect("seconds")
}

fn compile(dir: &Path, offset: i64) -> std::path::PathBuf {
    let (source, shim) = (dir.join("shim.c"), dir.join("shim.so"));
    std::fs::write(&source, SHIM).unwrap();
    // Whoever can build Fluxgauge has a C compiler: ring needs one.
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", &format!("-DOFFSET={offset}"), "-o"])
        .args([&shim, &source])
        .status();
    assert!(status.unwrap().success(), "cc failed");
    shim
}
