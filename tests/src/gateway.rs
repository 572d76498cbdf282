//! A gateway in this process, wired as the real one, on free ports.

use std::net::{IpAddr, SocketAddr};

use clap::Parser as _;
use fluxgauge_gateway::{
    Gateway, Shutdown,
    args::{Args, Config},
    telemetry::Traces,
};
use tempfile::TempDir;
use tokio::{net::TcpStream, task::JoinHandle};
use tokio_rustls::client::TlsStream;
use tonic::transport::Channel;

use crate::{Client, TestCa, ca::ClientPair, fake_collector};

/// A gateway that serves. Dropping it stops it at once.
pub struct TestGateway {
    /// Where the REST API is.
    pub api: SocketAddr,
    /// Where collectors report.
    pub ingest: SocketAddr,
    /// Where its certificate and key are.
    pub certs: TempDir,
    /// Ends it.
    pub shutdown: Shutdown,
    ca_pem: String,
    client: Client,
    running: JoinHandle<()>,
}

impl TestGateway {
    /// Starts a gateway that lets anybody read and report, with these flags beside those that a test
    /// always wants.
    pub async fn start(ca: &TestCa, flags: &[&str]) -> Self {
        Self::start_traced(ca, flags, Traces::default()).await
    }

    /// Starts a gateway that writes samples' spans to `traces`.
    pub async fn start_traced(ca: &TestCa, flags: &[&str], traces: Traces) -> Self {
        let flags = [flags, &["--insecure-readers", "--insecure-collectors"]].concat();
        Self::start_as(ca, &flags, traces).await
    }

    /// Starts a gateway that asks who reads, as its flags say, and lets anybody report.
    pub async fn start_asking(ca: &TestCa, flags: &[&str]) -> Self {
        Self::start_as(ca, &[flags, &["--insecure-collectors"]].concat(), Traces::default()).await
    }

    /// Starts a gateway that asks who reports, as its flags say, and lets anybody read.
    pub async fn start_proving(ca: &TestCa, flags: &[&str]) -> Self {
        Self::start_as(ca, &[flags, &["--insecure-readers"]].concat(), Traces::default()).await
    }

    /// Starts a gateway that asks whatever it is not told to leave.
    pub async fn start_strict(ca: &TestCa, flags: &[&str]) -> Self {
        Self::start_as(ca, flags, Traces::default()).await
    }

    async fn start_as(ca: &TestCa, flags: &[&str], traces: Traces) -> Self {
        let certs = TempDir::new().unwrap();
        ca.write_leaf(certs.path());
        let file = |name: &str| certs.path().join(name).display().to_string();
        let (cert, key) = (file("tls.crt"), file("tls.key"));
        let always = [
            ("--listen", "127.0.0.1:0"),
            ("--ingest-listen", "127.0.0.1:0"),
            ("--warm-up", "0s"),
            ("--drain-delay", "0s"),
            ("--tls-cert", &cert),
            ("--tls-key", &key),
        ];
        let mut args = vec!["fluxgauge-gateway"];
        for (flag, value) in always.iter().filter(|(flag, _)| !flags.contains(flag)) {
            args.extend([flag, value]);
        }
        args.extend(flags);
        let config = Config::try_from(Args::parse_from(args)).unwrap();
        let gateway = Gateway::bind(config).await.unwrap();
        let (api, ingest) = gateway.addresses().unwrap();
        let shutdown = Shutdown::default();
        let running = tokio::spawn(gateway.run(traces, shutdown.clone()));
        let client = Client::new(ca, api);
        Self { api, ingest, certs, shutdown, ca_pem: ca.pem(), client, running }
    }

    /// A client of its REST API.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// A bare connection to that port.
    pub async fn connect_raw(&self) -> TlsStream<TcpStream> {
        self.client.at(self.ingest).connect_h2().await.unwrap()
    }

    /// The same of a collector that shows a certificate.
    pub async fn channel_of(&self, own: &ClientPair) -> Channel {
        fake_collector::channel_of(&self.ca_pem, self.ingest, own).await
    }

    /// The same of one that comes from another address of this machine, such as 127.0.0.2.
    pub async fn channel_from(&self, from: IpAddr) -> Channel {
        fake_collector::channel_from(&self.ca_pem, self.ingest, from).await
    }

    /// A connection to its port for collectors; each carries as many streams as HTTP/2 lets it.
    pub async fn channel(&self) -> Channel {
        fake_collector::channel(&self.ca_pem, self.ingest).await
    }

    /// Ends as on SIGTERM, and waits until the last connection is closed.
    pub async fn stop(mut self) {
        self.shutdown.begin.cancel();
        (&mut self.running).await.unwrap();
    }
}

impl Drop for TestGateway {
    fn drop(&mut self) {
        self.running.abort();
    }
}
