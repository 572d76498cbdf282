//! A collector in this process, wired as the real one, that finds gateways where a test says.

use std::{
    fs, io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use fluxgauge_collector::{args::Args, uplink::Resolve};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    TestCa,
    ca::{INGEST_NAME, SERVER_NAMES},
    process,
};

/// The addresses that the name of the gateways has at the moment.
#[derive(Clone, Debug, Default)]
pub struct Gateways(Arc<Mutex<Vec<SocketAddr>>>);

impl Gateways {
    /// One gateway.
    pub fn one(address: SocketAddr) -> Self {
        Self(Arc::new(Mutex::new(vec![address])))
    }

    /// Another one joins.
    pub fn join(&self, address: SocketAddr) {
        self.0.lock().unwrap().push(address);
    }

    /// One is gone.
    pub fn leave(&self, address: SocketAddr) {
        self.0.lock().unwrap().retain(|known| *known != address);
    }
}

impl Resolve for Gateways {
    async fn resolve(&self, host: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        assert!(SERVER_NAMES.contains(&host), "{host} is no gateway's");
        Ok(self.0.lock().unwrap().clone())
    }
}

/// What a collector proves itself by.
#[derive(Clone, Debug, Default)]
pub enum Credential {
    /// Nothing.
    #[default]
    None,
    /// The token in a file.
    TokenFile(PathBuf),
    /// A certificate and its key, in files.
    Pair(PathBuf, PathBuf),
}

/// A collector that reports the MiniCluster `mc0` of namespace `hpc`. Dropping it stops it at once,
/// as a pod that is killed.
pub struct TestCollector {
    running: JoinHandle<()>,
    leave: CancellationToken,
    /// The root of its files.
    _dir: TempDir,
}

impl TestCollector {
    /// Starts a collector beside the broker at this socket.
    pub fn start(ca: &TestCa, gateways: impl Resolve + 'static, flux_uri: &str) -> Self {
        Self::start_as(ca, gateways, flux_uri, &Credential::None)
    }

    /// The same, with what it proves itself by.
    pub fn start_as(
        ca: &TestCa,
        gateways: impl Resolve + 'static,
        flux_uri: &str,
        credential: &Credential,
    ) -> Self {
        let dir = TempDir::new().unwrap();
        let ca = write_ca(ca, &dir);
        Self::start_in(dir, ca, gateways, flux_uri, credential)
    }

    /// The same, with a file of authorities that may change, and nothing to prove itself by.
    pub fn start_trusting(
        ca_file: &std::path::Path,
        gateways: impl Resolve + 'static,
        flux_uri: &str,
    ) -> Self {
        let (dir, ca) = (TempDir::new().unwrap(), ca_file.to_owned());
        Self::start_in(dir, ca, gateways, flux_uri, &Credential::None)
    }

    fn start_in(
        dir: TempDir,
        ca_file: PathBuf,
        gateways: impl Resolve + 'static,
        flux_uri: &str,
        credential: &Credential,
    ) -> Self {
        crate::install_crypto();
        let (token_file, cert, key) = match credential.clone() {
            Credential::None => (None, None, None),
            Credential::TokenFile(file) => (Some(file), None, None),
            Credential::Pair(cert, key) => (None, Some(cert), Some(key)),
        };
        let args = Args {
            token_file,
            cert,
            key,
            gateway: Some(format!("https://{INGEST_NAME}:8444")),
            ca: Some(ca_file),
            namespace: Some("hpc".to_owned()),
            minicluster: Some("mc0".to_owned()),
            pod: Some("mc0-0".to_owned()),
            flux_uri: Some(flux_uri.to_owned()),
            // What is read is what the broker has now.
            hold_down: Some("0".to_owned()),
            root: dir.path().to_owned(),
            ..Args::default()
        };
        let config = args.check().unwrap_or_else(|problems| panic!("{problems:?}"));
        let leave = CancellationToken::new();
        let asked = leave.clone().cancelled_owned();
        let running = tokio::spawn(fluxgauge_collector::run_with(config, gateways, asked));
        Self { running, leave, _dir: dir }
    }

    /// Ends as on SIGTERM, and waits until it has told its gateways.
    pub async fn stop(mut self) {
        self.leave.cancel();
        (&mut self.running).await.unwrap();
    }
}

impl Drop for TestCollector {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// The variables of a collector that is a process of its own.
pub fn variables<'a>(
    gateway: &'a str,
    ca_file: &'a std::path::Path,
    flux_uri: &'a str,
) -> Vec<(&'a str, &'a str)> {
    vec![
        ("FLUXGAUGE_GATEWAY", gateway),
        ("FLUXGAUGE_CA", process::text(ca_file)),
        ("FLUXGAUGE_NAMESPACE", "hpc"),
        ("FLUXGAUGE_MINICLUSTER", "mc0"),
        ("FLUXGAUGE_POD", "mc0-0"),
        ("FLUX_URI", flux_uri),
    ]
}

/// Writes the authority's certificate where a collector finds it.
pub fn write_ca(ca: &TestCa, dir: &TempDir) -> PathBuf {
    let file = dir.path().join("ca.crt");
    fs::write(&file, ca.pem()).unwrap();
    file
}
