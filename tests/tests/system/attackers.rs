//! Attackers of `SECURITY.md` who need no Kubernetes: each reaches no further than is said there, and
//! somebody else goes on reporting and reading meanwhile.

use std::net::{IpAddr, Ipv4Addr};

use fluxgauge_proto::v1::Hello;
use system_tests::{Bystander, Client, FakeCollector, TestCa, TestGateway, fake_collector};
use tempfile::TempDir;
use tonic::{Code, Status};

mod guest;
mod path;
mod stranger;
mod tenant;

const HPC: &str = "0123456789abcdef-of-hpc";
const LAB: &str = "0123456789abcdef-of-lab";

/// Where attackers come from.
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// A gateway that knows the tokens of namespaces `hpc` and `lab`.
struct World {
    ca: TestCa,
    gateway: TestGateway,
    _tokens: TempDir,
}

impl World {
    async fn start(flags: &[&str]) -> Self {
        let (ca, tokens) = (TestCa::new(), TempDir::new().unwrap());
        for (namespace, token) in [("hpc", HPC), ("lab", LAB)] {
            std::fs::write(tokens.path().join(namespace), token).unwrap();
        }
        let dir = tokens.path().to_str().unwrap();
        let flags = [&["--kubernetes", "off", "--collector-token-dir", dir], flags].concat();
        let gateway = TestGateway::start_proving(&ca, &flags).await;
        Self { ca, gateway, _tokens: tokens }
    }

    /// Namespace `hpc`.
    async fn bystander(&self) -> Bystander<impl AsyncFn() -> Result<f64, String>> {
        let channel = self.gateway.channel().await;
        let lead = FakeCollector::connect_with(channel, hello("hpc", 0), Some(HPC)).await.unwrap();
        let client = self.gateway.client().clone();
        Bystander::new(lead, async move || client.metric("mc0", "node_up_count").await)
    }

    /// The client of one who comes from elsewhere, to the port of collectors.
    fn stranger(&self) -> Client {
        self.gateway.client().at(self.gateway.ingest).from(ELSEWHERE)
    }
}

/// The hello of a rank of MiniCluster `mc0`.
fn hello(namespace: &str, rank: u32) -> Hello {
    let (namespace, pod_name) = (namespace.to_owned(), format!("mc0-{rank}"));
    Hello { namespace, rank, size: 64, pod_name, ..fake_collector::hello("mc0") }
}
