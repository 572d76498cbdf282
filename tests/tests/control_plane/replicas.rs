//! A replica that dies, of two behind one Service.

use std::net::{Ipv4Addr, SocketAddr};

use control_plane::{Aggregation, ControlPlane, Options};
use rustix::process::Signal;
use system_tests::{
    Client, FakeCollector, Process, TestCa, aggregation,
    client::metric_path,
    eventually, fake_collector, is,
    kubelet::{API, INGEST},
    network_namespace::{self, ADDRESSES},
    plane,
};
use tempfile::TempDir;

use crate::reads::{MANY, Reads};

#[test]
fn a_replica_that_dies_fails_reads_only_while_it_is_called_ready() {
    let name = "replicas::a_replica_that_dies_fails_reads_only_while_it_is_called_ready";
    network_namespace::run(name, async {
        let Some(cluster) = Cluster::start().await else { return };
        let [a, b, ..] = ADDRESSES;
        let (dies, lives) = (cluster.replica(a, 1.0).await, cluster.replica(b, 2.0).await);
        cluster.endpoints(&[(a, true), (b, true)]).await;
        let reads = Reads::start(&cluster.plane, &[metric_path("mc0", "node_up_count")]).await;
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
            "--insecure-readers".to_owned(),
            "--insecure-collectors".to_owned(),
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
    async fn kill(self) {
        self.process.signal(Signal::KILL);
        assert_eq!(self.process.status().await, None);
    }
}
