//! Every number against the real Flux and its own command line, where `flux` is on PATH:
//! `cargo test -p system-tests --test real_flux -- --ignored`.
//!
//! `flux start` makes four brokers on this machine, which are told that they have eight nodes of
//! four cores and two gpus, of which the upper four never come, and two queues.

use fluxgauge_proto::catalogue::{CATALOGUE, Scope};
use system_tests::{
    Client, Gateways, TestCa, TestCollector, TestGateway,
    client::{HPC, get},
    eventually,
};

mod flux;

use flux::{Flux, HOUSEKEEPING};

#[tokio::test]
#[ignore = "needs flux on PATH"]
async fn every_number_is_that_of_the_flux_command() {
    let flux = Flux::start().await;
    let ca = TestCa::new();
    let gateway = TestGateway::start(&ca, &["--max-age", "4s", "--interval", "1s"]).await;
    let collector = TestCollector::start(&ca, Gateways::one(gateway.ingest), &flux.uri);
    let client = gateway.client();
    agrees(client, &flux, "at rest").await;

    let mock = "--setattr=exec.test.run_duration=";
    for job in [
        ["-n1", &format!("{mock}0.1s"), "true"],
        // Without the attribute it is really run.
        ["-n1", "-qbatch", "false"],
        ["-t1s", &format!("{mock}1h"), "true"],
    ] {
        let [first, second, program] = job;
        let id = flux.run(&["submit", first, second, program]).await;
        flux.run(&["job", "wait-event", "-t20", id.trim(), "clean"]).await;
    }
    agrees(client, &flux, "with jobs that have ended").await;

    let two_nodes = flux.submit(&["-N2", "-x", "-qbatch"]).await;
    flux.submit(&["-n1", "-c2", "-g1", "-qbatch"]).await;
    agrees(client, &flux, "with jobs that run").await;
    has_time_left(client, &flux).await;

    flux.submit(&["-N3", "-qbatch"]).await;
    flux.submit(&["-n1", "-qdebug"]).await;
    let held = flux.submit(&["-n1", "--urgency=hold", "-qbatch"]).await;
    flux.submit(&["-n1", &format!("--dependency=afterok:{held}"), "-qbatch"]).await;
    agrees(client, &flux, "with jobs that wait").await;
    // Three ranks of the first six are in use: the job of three nodes wants the others, the last job
    // rank 6.
    has_size(client, 7.0).await;

    // Rank 0 runs a job, rank 3 none.
    flux.run(&["resource", "drain", "0,3", "a", "bad", "disk"]).await;
    agrees(client, &flux, "with drained nodes").await;
    flux.run(&["queue", "stop", "debug"]).await;
    flux.run(&["queue", "disable", "debug", "-mfor a while"]).await;
    // The job that waits there demands nothing as long.
    let of_debug = "?metricLabelSelector=queue%3Ddebug";
    for (metric, want) in
        [("queue_started", 0.0), ("queue_enabled", 0.0), ("job_stopped_count", 1.0)]
    {
        let path = format!("{HPC}/miniclusters.flux-framework.org/mc0/{metric}{of_debug}");
        eventually(metric, async || {
            let read = client.get(&path).await.value();
            if read == Ok(want) { Ok(()) } else { Err(read) }
        })
        .await;
    }
    flux.run(&["queue", "enable", "debug"]).await;
    flux.run(&["queue", "start", "debug"]).await;

    flux.run(&["cancel", &two_nodes]).await;
    agrees(client, &flux, "with a canceled job").await;

    flux.run(&["resource", "undrain", "0,3"]).await;
    flux.run(&["cancel", "--all"]).await;
    agrees(client, &flux, "with all jobs canceled").await;
    has_size(client, 1.0).await;
    let disagreements = client.metric("mc0", "journal_disagreements_total").await;
    assert_eq!(disagreements, Ok(0.0), "all of it was known by the journal");
    broker_is_known(client, &flux).await;
    drop(collector);
    flux.stop().await;
}

/// Waits until running jobs have the time left that the command says, give or take ten seconds.
async fn has_time_left(client: &Client, flux: &Flux) {
    eventually("the time that running jobs have left", async || {
        let args =
            ["jobs", "-A", "--filter=running", "--no-header", "--format={nnodes} {t_remaining}"];
        let (mut left, mut nodes) = (0.0, 0.0);
        for line in flux.run(&args).await.lines() {
            let words: Vec<f64> =
                line.split_whitespace().map(|word| word.parse().unwrap()).collect();
            let [of_job, seconds] = words[..] else { panic!("{line:?}") };
            left += of_job * seconds;
            nodes += of_job;
        }
        let read = client.metric("mc0", "running_remaining_node_seconds").await;
        let is_near = read.as_ref().is_ok_and(|read| (read - left).abs() <= 10.0 * nodes);
        if is_near && nodes > 0.0 { Ok(()) } else { Err((read, left)) }
    })
    .await;
}

#[tokio::test]
#[ignore = "needs flux on PATH"]
async fn what_housekeeping_holds_is_allocated_and_no_disagreement() {
    let flux = Flux::start_with(HOUSEKEEPING).await;
    let ca = TestCa::new();
    let gateway = TestGateway::start(&ca, &["--max-age", "4s", "--interval", "1s"]).await;
    let collector = TestCollector::start(&ca, Gateways::one(gateway.ingest), &flux.uri);
    let client = gateway.client();
    agrees(client, &flux, "at rest").await;
    let job = flux.run(&["submit", "-N1", "--setattr=exec.test.run_duration=0.1s", "true"]).await;
    flux.run(&["job", "wait-event", "-t20", job.trim(), "clean"]).await;
    let has = async |metric: &str, want: f64| {
        eventually(metric, async || {
            let read = client.metric("mc0", metric).await;
            if read == Ok(want) { Ok(()) } else { Err(read) }
        })
        .await;
    };
    // No job has the node any more.
    has("job_active_count", 0.0).await;
    has("node_allocated_count", 1.0).await;
    has("node_allocated_count", 0.0).await;
    agrees(client, &flux, "when the node is clean").await;
    assert_eq!(client.metric("mc0", "journal_disagreements_total").await, Ok(0.0));
    drop(collector);
    flux.stop().await;
}

/// Waits until every metric of the lead broker is there, and those that the command tells are right.
#[expect(clippy::disallowed_methods, reason = "the broker's start is told by this clock")]
async fn broker_is_known(client: &Client, flux: &Flux) {
    let truth = [
        ("broker_up", 1.0),
        ("broker_rank", flux.run(&["getattr", "rank"]).await.trim().parse().unwrap()),
        ("broker_overlay_children_count", 3.0),
        ("broker_overlay_children_online_count", 3.0),
        ("broker_overlay_degraded", 0.0),
        ("broker_reconnects_total", 0.0),
    ];
    for metric in CATALOGUE.iter().filter(|metric| metric.scope == Scope::Broker) {
        let path = format!("{HPC}/pods/mc0-0/{}", metric.name);
        let read = eventually(metric.name, async || client.get(&path).await.value()).await;
        if let Some((name, want)) = truth.iter().find(|(name, _)| *name == metric.name) {
            assert_eq!(read, *want, "{name}");
        }
        println!("{} is {read}", metric.name);
    }
    let started: f64 = flux.run(&["getattr", "broker.starttime"]).await.trim().parse().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let uptime = client.get(&format!("{HPC}/pods/mc0-0/broker_uptime_seconds")).await.value();
    assert!((uptime.unwrap() - (now.as_secs_f64() - started)).abs() < 10.0);
}

/// Waits until this is the size that an autoscaler should choose.
async fn has_size(client: &Client, size: f64) {
    eventually("the size that all jobs need", async || {
        let read = client.metric("mc0", "cluster_size_desired").await;
        if read == Ok(size) { Ok(()) } else { Err(read) }
    })
    .await;
}

/// Waits until every metric is what the command says, before and after the reading.
async fn agrees(client: &Client, flux: &Flux, when: &str) {
    for queue in [None, Some("batch"), Some("debug")] {
        eventually(when, async || {
            let truth = flux.truth(queue).await;
            let mut connection = client.connect_http2().await.unwrap();
            let mut wrong = Vec::new();
            for (metric, number) in &truth {
                let selector = queue.map_or_else(String::new, |queue| {
                    format!("?metricLabelSelector=queue%3D{queue}")
                });
                let path = format!("{HPC}/miniclusters.flux-framework.org/mc0/{metric}{selector}");
                let read = connection.ask(get(&path)).await.unwrap().value();
                if read != Ok(*number) {
                    wrong.push(format!("{metric} of {queue:?} is {read:?}, not {number}"));
                }
            }
            if wrong.is_empty() {
                println!("{when}, {queue:?}: {} numbers agree", truth.len());
                return Ok(());
            }
            Err(wrong)
        })
        .await;
    }
}
