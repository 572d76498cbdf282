//! What kube-apiserver asks for as long as a gateway lives costs it nothing that stays.

use std::{fs, net::SocketAddr, time::Duration};

use system_tests::{Client, Connection, Process, TestCa, client::get, eventually};
use tempfile::TempDir;
use tokio::{task::JoinSet, time::Instant};

/// What the checks ask for.
const PATHS: [&str; 3] = [
    "/apis/custom.metrics.k8s.io/v1beta1",
    "/apis/custom.metrics.k8s.io/v1beta2",
    "/apis/external.metrics.k8s.io/v1beta1",
];

/// Requests for each path at the same time.
const PARALLEL: usize = 5;

/// Between two rounds where three API servers ask: 15 times in 30 s each.
const INTERVAL: Duration = Duration::from_secs(10);

/// The same in a hurry: in a minute as many rounds as else in an hour.
const HURRIED: Duration = Duration::from_millis(10_000 / 60);

/// Rounds until a gateway has all the buffers that it will ever need.
const WARM_UP: u32 = 60;

/// Growth that is no leak. 5,400 connections that leave 1 KiB each make 5 MiB.
const SLACK_KIB: u64 = 4 * 1024;

/// Threads that come and go for files, such as those of the certificate.
const FILE_THREADS: usize = 1;

#[tokio::test]
async fn a_minute_of_availability_checks_leaves_nothing_behind() {
    checks_leave_nothing_behind(Duration::from_secs(60), HURRIED).await;
}

#[tokio::test]
#[ignore = "takes an hour"]
async fn an_hour_of_availability_checks_leaves_nothing_behind() {
    checks_leave_nothing_behind(Duration::from_secs(3600), INTERVAL).await;
}

async fn checks_leave_nothing_behind(duration: Duration, interval: Duration) {
    let (ca, dir) = (TestCa::new(), TempDir::new().unwrap());
    ca.write_leaf(dir.path());
    let file = |name: &str| dir.path().join(name).display().to_string();
    let flags = [
        "gateway".to_owned(),
        "--listen=127.0.0.1:0".to_owned(),
        "--insecure-readers".to_owned(),
        "--insecure-collectors".to_owned(),
        "--ingest-listen=127.0.0.1:0".to_owned(),
        "--log-level=error".to_owned(),
        format!("--tls-cert={}", file("tls.crt")),
        format!("--tls-key={}", file("tls.key")),
    ];
    let mut gateway = Process::start(env!("CARGO_BIN_EXE_child"), flags, &[]);
    let line = gateway.line().await;
    let api = line.split_whitespace().find_map(|word| word.strip_prefix("api=")).unwrap();
    let client = Client::new(&ca, api.parse::<SocketAddr>().unwrap());

    let idle = Resources::of(&gateway);
    for _ in 0..WARM_UP {
        check(&client).await;
    }
    let before = Resources { memory_kib: Resources::of(&gateway).memory_kib, ..idle };
    let mut rounds = tokio::time::interval(interval);
    let start = Instant::now();
    while start.elapsed() < duration {
        rounds.tick().await;
        check(&client).await;
    }
    eventually("what there is after the checks is what there was before", async || {
        let after = Resources::of(&gateway);
        let same = after.files <= before.files
            && after.threads <= before.threads + FILE_THREADS
            && after.memory_kib <= before.memory_kib + SLACK_KIB;
        if same { Ok(()) } else { Err((before, after)) }
    })
    .await;
}

/// All checks at once, each on a connection of its own, as after a failure.
async fn check(client: &Client) {
    let mut checks = JoinSet::new();
    for (nth, path) in PATHS.iter().cycle().take(PATHS.len() * PARALLEL).enumerate() {
        let client = client.clone();
        checks.spawn(async move {
            let mut connection: Connection = if nth % 2 == 0 {
                client.connect_http2().await.unwrap()
            } else {
                client.connect_http1().await.unwrap()
            };
            let answer = connection.ask(get(path)).await.unwrap();
            assert_eq!(answer.status, 200, "{path}");
        });
    }
    while let Some(checked) = checks.join_next().await {
        checked.unwrap();
    }
}

/// What a process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Resources {
    /// Connections among them.
    files: usize,
    threads: usize,
    memory_kib: u64,
}

impl Resources {
    fn of(process: &Process) -> Self {
        let proc = |name: &str| format!("/proc/{}/{name}", process.id());
        let count = |name: &str| fs::read_dir(proc(name)).unwrap().count();
        let status = fs::read_to_string(proc("status")).unwrap();
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let memory_kib = memory.trim().trim_end_matches(" kB").parse().unwrap();
        Self { files: count("fd"), threads: count("task"), memory_kib }
    }
}
