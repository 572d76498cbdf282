//! A pod with a collector in it, whose name service the test decides.

use std::{
    io,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use flux_client::Endpoint;
use fluxgauge_collector::{args::Args, run_with, uplink::Resolve};
use tokio::{sync::oneshot, task::JoinHandle};

/// What the gateway's name resolves to.
#[derive(Clone, Default)]
pub(crate) struct Names(Arc<Mutex<Vec<SocketAddr>>>);

impl Names {
    pub(crate) fn set(&self, addresses: impl IntoIterator<Item = SocketAddr>) {
        *self.0.lock().unwrap() = addresses.into_iter().collect();
    }
}

impl Resolve for Names {
    async fn resolve(&self, host: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        assert_eq!(host, "localhost");
        Ok(self.0.lock().unwrap().clone())
    }
}

/// A running collector.
pub(crate) struct Pod {
    pub(crate) names: Names,
    pub(crate) root: tempfile::TempDir,
    shutdown: oneshot::Sender<()>,
    collector: JoinHandle<()>,
}

/// What the tests' collectors are given.
pub(crate) fn args(root: &Path) -> Args {
    let text = |text: &str| Some(text.to_owned());
    Args {
        gateway: text("http://localhost:1"),
        namespace: text("hpc"),
        minicluster: text("flux-sample"),
        pod: text("flux-sample-0"),
        // What is heard is what the broker has now.
        hold_down: text("0"),
        root: root.to_owned(),
        ..Args::default()
    }
}

impl Pod {
    /// Beside this broker, reporting to these gateways.
    pub(crate) fn start(broker: &Endpoint, gateways: impl IntoIterator<Item = SocketAddr>) -> Self {
        Self::start_with(gateways, |args| args.flux_uri = Some(broker.to_string()))
    }

    /// With other arguments.
    pub(crate) fn start_with(
        gateways: impl IntoIterator<Item = SocketAddr>,
        change: impl FnOnce(&mut Args),
    ) -> Self {
        let root = tempfile::tempdir().unwrap();
        let names = Names::default();
        names.set(gateways);
        let mut args = args(root.path());
        change(&mut args);
        let config = args.check().unwrap();
        let (shutdown, asked) = oneshot::channel();
        let resolver = names.clone();
        let collector = tokio::spawn(async move {
            run_with(config, resolver, async { drop(asked.await) }).await;
        });
        Self { names, root, shutdown, collector }
    }

    /// Sends SIGTERM, so to speak, and waits for the end.
    pub(crate) async fn stop(self) {
        self.shutdown.send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(2), self.collector)
            .await
            .expect("the collector did not end within two seconds")
            .unwrap();
    }

    /// Waits until it ends by itself.
    pub(crate) async fn end(self) {
        self.collector.await.unwrap();
    }
}
