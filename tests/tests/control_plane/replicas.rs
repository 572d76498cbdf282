//! Several gateways behind one Service, found by their addresses as in a cluster.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use control_plane::{Aggregation, ControlPlane, Options};
use http::Request;
use rustix::process::{Pid, Signal, kill_process};
use system_tests::{
    Client, FakeCollector, Process, TestCa, aggregation,
    client::metric_path,
    eventually, fake_collector, is,
    network_namespace::{self, ADDRESSES},
    plane,
};
use tempfile::TempDir;
use tokio::task::JoinSet;

/// The ports of every replica.
const API: u16 = 8443;
const INGEST: u16 = 8444;

/// Reads in flight.
const READERS: usize = 4;

/// Reads that show that something holds.
const MANY: usize = 100;

#[test]
fn a_rolling_update_fails_no_read() {
    network_namespace::run("replicas::a_rolling_update_fails_no_read", async {
        let Some(cluster) = Cluster::start().await else { return };
        let [a, b, c, d] = ADDRESSES;
        let old = [cluster.replica(a, 1.0).await, cluster.replica(b, 2.0).await];
        cluster.endpoints(&[(a, true), (b, true)]).await;
        let reads = Reads::start(&cluster.plane).await;
        reads.see_all(&["1", "2"]).await;

        // As the Deployment does it: one more first, and only then one less.
        let [first, second] = old;
        let third = cluster.replica(c, 3.0).await;
        cluster.endpoints(&[(a, true), (b, true), (c, true)]).await;
        cluster.endpoints(&[(a, false), (b, true), (c, true)]).await;
        first.terminate().await;
        reads.see_all(&["2", "3"]).await;
        let fourth = cluster.replica(d, 4.0).await;
        cluster.endpoints(&[(b, true), (c, true), (d, true)]).await;
        cluster.endpoints(&[(b, false), (c, true), (d, true)]).await;
        second.terminate().await;
        reads.see_all(&["3", "4"]).await;
        assert_eq!(reads.failures(), [""; 0]);
        drop((third, fourth));
    });
}

#[test]
fn a_replica_that_dies_fails_reads_only_while_it_is_called_ready() {
    let name = "replicas::a_replica_that_dies_fails_reads_only_while_it_is_called_ready";
    network_namespace::run(name, async {
        let Some(cluster) = Cluster::start().await else { return };
        let [a, b, ..] = ADDRESSES;
        let (dies, lives) = (cluster.replica(a, 1.0).await, cluster.replica(b, 2.0).await);
        cluster.endpoints(&[(a, true), (b, true)]).await;
        let reads = Reads::start(&cluster.plane).await;
        reads.see_all(&["1", "2"]).await;

        dies.kill().await;
        eventually("a read fails", async || is(!reads.failures().is_empty())).await;
        cluster.endpoints(&[(a, false), (b, true)]).await;
        // The aggregator hears of it a moment after its API server took it.
        eventually("no read fails any more", async || {
            let failures = reads.failures().len();
            reads.wait_for_more(MANY).await;
            is(reads.failures().len() == failures)
        })
        .await;
        reads.see_all(&["2"]).await;
        drop(lives);
    });
}

/// A control plane whose aggregator asks addresses.
struct Cluster {
    plane: ControlPlane,
    ca: TestCa,
}

impl Cluster {
    async fn start() -> Option<Self> {
        let options = Options { aggregation: Aggregation::Endpoints, ..Options::default() };
        let (plane, ca) = (plane::start(&options).await?, TestCa::new());
        plane.apply(&aggregation::by_endpoints(&ca.pem(), API)).await.unwrap();
        Some(Self { plane, ca })
    }

    /// Starts a gateway, and returns when it is ready, which it was not before a collector had
    /// reported this value of `node_up_count`.
    async fn replica(&self, address: Ipv4Addr, value: f64) -> Replica {
        let certs = TempDir::new().unwrap();
        self.ca.write_leaf(certs.path());
        let flags = [
            format!("--listen={address}:{API}"),
            format!("--ingest-listen={address}:{INGEST}"),
            format!("--tls-cert={}", certs.path().join("tls.crt").display()),
            format!("--tls-key={}", certs.path().join("tls.key").display()),
            "--warm-up=1s".to_owned(),
            // Longer than the aggregator takes to hear of it; half of the default.
            "--drain-delay=5s".to_owned(),
            "--log-level=error".to_owned(),
        ];
        let args = ["gateway".to_owned()].into_iter().chain(flags);
        let mut process = Process::start(env!("CARGO_BIN_EXE_child"), args, &[]);
        assert!(process.line().await.starts_with("listening "));
        let ingest = SocketAddr::from((address, INGEST));
        let channel = fake_collector::channel(&self.ca.pem(), ingest).await;
        let hello = fake_collector::hello("mc0");
        let mut collector = FakeCollector::connect(channel, hello).await.unwrap();
        collector.report(&[("node_up_count", value)]).await.unwrap();
        let client = Client::new(&self.ca, SocketAddr::from((address, API)));
        eventually("it is ready", async || is(client.get("/readyz").await.status == 200)).await;
        Replica { process, _collector: collector, _certs: certs }
    }

    /// Says which replicas there are, and which of them are ready.
    async fn endpoints(&self, replicas: &[(Ipv4Addr, bool)]) {
        self.plane.apply(&aggregation::endpoints(API, replicas)).await.unwrap();
    }
}

/// A gateway that is a process of its own, and its collector.
struct Replica {
    process: Process,
    _collector: FakeCollector,
    _certs: TempDir,
}

impl Replica {
    /// Ends it as Kubernetes does, and waits for its end.
    async fn terminate(self) {
        self.signal(Signal::TERM);
        assert_eq!(self.process.status().await, Some(0));
    }

    async fn kill(self) {
        self.signal(Signal::KILL);
        assert_eq!(self.process.status().await, None);
    }

    fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(i32::try_from(self.process.id()).unwrap()).unwrap();
        kill_process(id, signal).unwrap();
    }
}

/// Clients of the API server that read one metric again and again.
struct Reads {
    values: Arc<Mutex<BTreeSet<String>>>,
    failures: Arc<Mutex<Vec<String>>>,
    number: Arc<AtomicUsize>,
    _readers: JoinSet<()>,
}

impl Reads {
    /// Begins when a first read succeeds.
    async fn start(plane: &ControlPlane) -> Self {
        let client = plane::client(plane).await;
        eventually("the metric is read", async || read(&client).await).await;
        let mut reads = Self {
            values: Arc::default(),
            failures: Arc::default(),
            number: Arc::default(),
            _readers: JoinSet::new(),
        };
        for _ in 0..READERS {
            let client = client.clone();
            let (values, failures) = (Arc::clone(&reads.values), Arc::clone(&reads.failures));
            let number = Arc::clone(&reads.number);
            reads._readers.spawn(async move {
                loop {
                    match read(&client).await {
                        Ok(value) => _ = values.lock().unwrap().insert(value),
                        Err(error) => failures.lock().unwrap().push(error),
                    }
                    number.fetch_add(1, Relaxed);
                }
            });
        }
        reads
    }

    /// Waits until exactly these values have been read in some time.
    async fn see_all(&self, wanted: &[&str]) {
        eventually("all replicas are read, and no others", async || {
            self.values.lock().unwrap().clear();
            self.wait_for_more(MANY).await;
            let seen = self.values.lock().unwrap().clone();
            if seen.iter().eq(wanted) { Ok(()) } else { Err((seen, self.failures())) }
        })
        .await;
    }

    async fn wait_for_more(&self, number: usize) {
        let goal = self.number.load(Relaxed) + number;
        eventually("there are more reads", async || is(self.number.load(Relaxed) >= goal)).await;
    }

    fn failures(&self) -> Vec<String> {
        self.failures.lock().unwrap().clone()
    }
}

/// The value of the metric, or why there is none.
async fn read(client: &kube::Client) -> Result<String, String> {
    let request = Request::get(metric_path("mc0", "node_up_count")).body(Vec::new()).unwrap();
    let list: serde_json::Value =
        client.request(request).await.map_err(|error| error.to_string())?;
    Ok(list["items"][0]["value"].as_str().unwrap().to_owned())
}
