//! The story with a real control plane: an autoscaler resizes a MiniCluster by what Flux knows.
//!
//! ```text
//!  fluxgauge demo ─┬─▶ etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kwok
//!                  ├─▶ fluxgauge minicluster: the Flux Operator, brokers, collectors ──gRPC──┐
//!                  ├─▶ fluxgauge gateway ◀──aggregator── kube-apiserver ◀── autoscaler       │
//!                  │       ▲─────────────────────────────────────────────────────────────────┘
//!                  └─── reads kube-apiserver ──▶ the terminal
//! ```
//!
//! MiniCluster, autoscaler and APIServices are those of `deploy/`. What is shown is read from
//! kube-apiserver, the metrics too: by the way that the autoscaler reads them.

use std::{net::SocketAddr, path::Path, time::Duration};

use anyhow::Context as _;
use control_plane::{ControlPlane, Extent, MINICLUSTER_CRD, Options, Programs};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use rustls::crypto::ring;
use tokio::time::{Instant, MissedTickBehavior, interval};

use self::{chronicle::Chronicle, introduction::Introduction, kubectl::Kubectl, look::Observer};
use crate::{
    args::Demo,
    demo::{
        READINGS, Stage,
        certificates::Certificates,
        children::Role,
        gateway,
        parts::{Parts, until, words},
        reader,
        table::Table,
    },
    part::minicluster::READY,
};

mod autoscaler;
mod chronicle;
mod introduction;
mod kubectl;
mod look;
mod objects;
mod program;

/// The namespace of the MiniCluster: where kubectl looks when it is not told where.
pub(crate) const NAMESPACE: &str = "default";

/// How long the first pod may take to report: the Job controller, the scheduler, kwok and the
/// aggregator take turns.
const PATIENCE: Duration = Duration::from_secs(120);

/// Cores of the only node: more than all pods ask for.
const NODE_CORES: u32 = 64;

/// Plays until the time is over.
pub(super) async fn play(args: &Demo, stage: &mut Stage) -> anyhow::Result<()> {
    let Stage { dir, temporary, screen, parts, plane } = stage;
    let programs = program::built(screen).await?;
    screen.say("Starting etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kwok.")?;
    let plane = plane.insert(start(&programs).await?);
    let kubectl = Kubectl::write(dir, &programs, plane.admin_kubeconfig())
        .with_context(|| format!("cannot write to {}", dir.display()))?;

    let certificates = Certificates::create().context("cannot make certificates")?;
    let files = certificates
        .write(dir)
        .with_context(|| format!("cannot write certificates to {}", dir.display()))?;
    let account = of_the_gateway(plane).await?;
    let trusted = [("--kubeconfig", account.as_os_str())];
    let addresses = gateway::start(parts, args, &files, &trusted).await?;
    let ca = &certificates.authority;
    plane.apply(&objects::apis(ca, addresses.api.port())?).await?;
    plane.apply(&objects::minicluster(ca)?).await?;
    let sockets = temporary.join("flux");
    start_minicluster(parts, &kubectl.kubeconfig, addresses.ingest, &sockets).await?;

    let observer = Observer::new(client(&kubectl.kubeconfig).await?);
    let read = async || Some(observer.read("node_up_count").await);
    Box::pin(parts.first_value(Role::Minicluster, PATIENCE, read)).await?;
    plane.apply(&objects::autoscaler()?).await?;
    let introduction = Introduction {
        parts: parts.known(),
        server: plane.server(),
        plane: plane.dir(),
        gateway: addresses,
        dir,
        kubectl: &kubectl,
        max_age: args.max_age,
    };
    screen.say(&introduction.text())?;

    let mut table = Table::new(&look::GROUPS);
    let mut chronicle = Chronicle::default();
    let start = Instant::now();
    let end = args.length.map(|length| start + length);
    let mut tick = interval(READINGS);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            () = until(end) => return Ok(()),
            end = parts.next_end() => screen.say(&parts.mourn(&end))?,
            _ = tick.tick() => {
                let look = Box::pin(observer.look()).await;
                let mut change = table.update(look.readings);
                change.news = chronicle.update(&look.autoscaler, look.events);
                let notes = chronicle.notes(&look.autoscaler);
                screen.show(start.elapsed(), &parts.title(), &table, &change, &notes)?;
            }
        }
    }
}

/// Starts the control plane, with a node and what `deploy/` wants to be there first.
async fn start(programs: &Programs) -> anyhow::Result<ControlPlane> {
    let options =
        Options { extent: Extent::Pods, definitions: MINICLUSTER_CRD, ..Options::default() };
    let plane = Box::pin(ControlPlane::start(programs, &options)).await?;
    plane.add_node("node-0", NODE_CORES).await?;
    Ok(plane)
}

/// Creates the account that `deploy/` runs gateways under. A certificate proves it, which lasts
/// longer than a token.
async fn of_the_gateway(plane: &ControlPlane) -> anyhow::Result<std::path::PathBuf> {
    let apply = ["apply", "--filename=-"];
    for text in objects::ACCOUNT {
        plane.kubectl_with_input(&apply, text).await?;
    }
    let user = "system:serviceaccount:fluxgauge:fluxgauge-gateway";
    Ok(plane.user_kubeconfig(user, Some("system:serviceaccounts"))?)
}

/// Plays the Flux Operator, and what runs in pods.
async fn start_minicluster(
    parts: &mut Parts,
    kubeconfig: &Path,
    ingest: SocketAddr,
    sockets: &Path,
) -> anyhow::Result<()> {
    let args = words(&[
        ("--kubeconfig", kubeconfig.as_os_str()),
        ("--gateway", ingest.to_string().as_ref()),
        ("--dir", sockets.as_os_str()),
    ]);
    parts.start(Role::Minicluster, &args, READY).await?;
    Ok(())
}

/// A client of kube-apiserver, that hides no failure by trying again.
pub(crate) async fn client(kubeconfig: &Path) -> anyhow::Result<Client> {
    // An error says that it is installed already.
    ring::default_provider().install_default().ok();
    let failed = || format!("cannot use {}", kubeconfig.display());
    let file = Kubeconfig::read_from(kubeconfig).with_context(failed)?;
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(file, &options).await.with_context(failed)?;
    config.default_retry = false;
    config.connect_timeout = Some(reader::TIMEOUT);
    Client::try_from(config).with_context(failed)
}
