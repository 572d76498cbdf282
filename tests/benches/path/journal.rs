//! What Flux knows → what readers see: from the submission of a job to the first answer that counts it,
//! and from the start of a collector to the answer that counts a long backlog.
//!
//! Simulator, collector, gateway and reader have a runtime each; the reader asks again and again, so that
//! a read of it is in each figure.

use std::time::Duration;

use flux_simulator::{
    Config, Simulator,
    instance::{Hold, Need, Queue, Shape},
};
use system_tests::{
    Connection, Gateways, TestCa, TestCollector, TestGateway,
    client::{get, metric_path},
};
use tempfile::TempDir;
use tokio::{
    runtime::Runtime,
    time::{Instant, sleep},
};

use crate::{
    runtime,
    spread::{Spread, micros},
};

/// Submissions that are timed.
const SUBMISSIONS: usize = 300;

/// Between an answer and the next submission.
const PAUSE: Duration = Duration::from_millis(10);

/// Jobs that wait already.
const WAITING: [usize; 2] = [0, 10_000];

/// Jobs of the backlog that run, each with six events, and that wait, each with four: 100,000 events.
const BACKLOG: (usize, usize) = (6_000, 16_000);

/// Nodes of eight cores for those that run.
const NODES: u32 = 800;

/// What p99 should not exceed, in milliseconds.
const GOAL: f64 = 50.0;

/// Everything that a figure needs.
struct Scene {
    flux: Simulator,
    reader: Connection,
    _collector: TestCollector,
    _gateway: TestGateway,
    _dir: TempDir,
}

pub(crate) fn measure() {
    println!("\nsubmission → first answer that counts the job; goal of p99 {GOAL} ms");
    let runtimes = [(); 3].map(|()| runtime());
    for waiting in WAITING {
        let mut scene = Scene::new(&runtimes, waiting);
        let [.., reading] = &runtimes;
        let mut spread = reading.block_on(scene.submit_and_read(waiting));
        println!(
            "  {waiting:>6} jobs wait   p50 {:>6.1} ms   p99 {:>6.1} ms",
            micros(spread.percentile(50)) / 1e3,
            micros(spread.percentile(99)) / 1e3,
        );
    }
    let (running, waiting) = BACKLOG;
    let mut scene = Scene::of(&runtimes, NODES, |flux| {
        flux.submit_many(running, Need::cores(1), None).expect("jobs");
        flux.submit(Need::Nodes(NODES), None).expect("a job");
        flux.submit_many(waiting, Need::Nodes(NODES), None).expect("jobs");
    });
    let start = Instant::now();
    let [.., reading] = &runtimes;
    // Nothing but the journal tells when running jobs end.
    reading.block_on(scene.reads("running_remaining_node_seconds", "0"));
    println!(
        "  a backlog of {} events is known {:.1} s after the collector starts",
        running * 6 + waiting * 4,
        start.elapsed().as_secs_f64()
    );
}

impl Scene {
    /// Four nodes, and so many jobs that wait.
    fn new(runtimes: &[Runtime; 3], waiting: usize) -> Self {
        Self::of(runtimes, 4, |flux| {
            // All nodes are taken, so that the rest waits.
            flux.submit(Need::Nodes(4), None).expect("a job");
            flux.submit_many(waiting, Need::cores(1), None).expect("jobs");
        })
    }

    /// So many nodes, and what is submitted before the collector starts.
    fn of(
        [broker, gateway, reading]: &[Runtime; 3],
        size: u32,
        submit: impl FnOnce(&Simulator),
    ) -> Self {
        let (ca, dir) = (TestCa::new(), TempDir::new().expect("a directory"));
        let queues = vec![Queue { name: "batch".to_owned(), ranks: None }];
        let shape = Shape { size, cores: 8, gpus: 0 };
        let config = Config { queues, shape, ..Config::new(dir.path()) };
        let flux = broker.block_on(Simulator::start(config)).expect("a simulator");
        submit(&flux);
        let server = gateway.block_on(TestGateway::start(&ca, &["--log-level", "warn"]));
        let uri = flux.endpoint(0).expect("an address").to_string();
        let collector = async { TestCollector::start(&ca, Gateways::one(server.ingest), &uri) };
        let collector = broker.block_on(collector);
        let reader = reading.block_on(server.client().connect_http1()).expect("a connection");
        Self { flux, reader, _collector: collector, _gateway: server, _dir: dir }
    }

    async fn submit_and_read(&mut self, waiting: usize) -> Spread {
        self.counts(waiting).await;
        let mut spread = Spread::default();
        for number in 1..=SUBMISSIONS {
            sleep(PAUSE).await;
            let start = Instant::now();
            self.flux.submit_held(Need::Nodes(1), None, Hold::Urgency).expect("a job");
            self.counts(waiting + number).await;
            spread.add(start.elapsed());
        }
        spread
    }

    /// Reads until so many jobs are in SCHED.
    async fn counts(&mut self, jobs: usize) {
        // As a Quantity: 10000 is 10k.
        let quantity = if jobs > 0 && jobs.is_multiple_of(1000) {
            format!("{}k", jobs / 1000)
        } else {
            jobs.to_string()
        };
        self.reads("job_queue_state_sched_count", &quantity).await;
    }

    /// Reads until a metric has this value.
    async fn reads(&mut self, metric: &str, quantity: &str) {
        let request = get(&metric_path("mc0", metric));
        let want = format!("\"value\":\"{quantity}\"");
        loop {
            let answer = self.reader.ask(request.clone()).await.expect("an answer");
            if String::from_utf8_lossy(&answer.body).contains(&want) {
                return;
            }
        }
    }
}
