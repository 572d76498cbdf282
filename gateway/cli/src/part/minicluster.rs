//! What makes a MiniCluster live where there is a control plane alone: the crate `minicluster` as a
//! process, with a day of jobs.

use std::{
    fs,
    io::{self, Write as _},
    net::SocketAddr,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use flux_simulator::{
    Config, Day,
    instance::{Queue, Shape},
};
use fluxgauge_collector::uplink::Resolve;
use minicluster::{Brokers, operator, resource};

use super::end_signal;
use crate::{
    args::Minicluster as Args,
    demo::{
        MINICLUSTER,
        kubernetes::{NAMESPACE, client},
    },
};

/// How the line starts that tells that pods get brokers.
pub(crate) const READY: &str = "pods get brokers now";

/// The same jobs in each demo.
const SEED: u64 = 1;

/// Seconds of the played day in a second: jobs run for 2 to 36 s then, so that an autoscaler and
/// pods, which take some seconds, keep up. The day takes 10 minutes.
const SPEED: f64 = 150.0;

/// Jobs of a usual day: so few that the queue gets empty, and nodes are given back, between two
/// bursts, which come about every 75 s.
const LOAD: f64 = 0.4;

/// Plays until SIGTERM or SIGINT. Prints one line when it is ready.
pub(super) fn main(args: Args) -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_ansi(false).with_writer(io::stderr).init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(Box::pin(play(args)))
}

async fn play(Args { kubeconfig, gateway, dir }: Args) -> anyhow::Result<()> {
    let end = end_signal()?;
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let client = client(&kubeconfig).await?;
    let miniclusters = resource::of_namespace(client.clone(), NAMESPACE);
    let minicluster = miniclusters.get(MINICLUSTER).await.context("cannot read the MiniCluster")?;
    let ranks = minicluster.spec.max_size.unwrap_or(minicluster.spec.size);
    let config = Config {
        shape: Shape { size: u32::try_from(ranks)?, cores: 4, gpus: 0 },
        queues: vec![Queue { name: "batch".to_owned(), ranks: None }],
        starttime: epoch_seconds(),
        day: Some(Day::new(SEED, SPEED).without_outages().with_load(LOAD)),
        ..Config::new(dir)
    };
    let found = Found(gateway);
    let _brokers = Brokers::start(client.clone(), NAMESPACE, MINICLUSTER, found, config)
        .await
        .context("cannot simulate Flux")?;
    let mut out = io::stdout().lock();
    writeln!(out, "{READY}").and_then(|()| out.flush())?;
    drop(out);
    tokio::select! {
        () = operator::run(client) => {}
        () = end => {}
    }
    Ok(())
}

/// The only gateway, whatever it is called.
#[derive(Clone, Copy, Debug)]
struct Found(SocketAddr);

impl Resolve for Found {
    async fn resolve(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(vec![self.0])
    }
}

#[expect(clippy::disallowed_methods, reason = "the edge: this is where the clock is taken")]
fn epoch_seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
