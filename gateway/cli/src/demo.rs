//! The demo: a small cluster's worth of processes on one machine, and what can be seen of them.
//!
//! In reading order: [`main`] sets the stage and one of two stories is played there until the end,
//! `alone` or `kubernetes`. Each starts its parts one after the other, when the one before says
//! that it is ready, introduces them, and watches. What is shown was read as everybody else would.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use control_plane::ControlPlane;
use tokio::signal::unix::{SignalKind, signal};

use self::{parts::Parts, screen::Screen};
use crate::args::Demo;

mod alone;
pub mod certificates;
pub mod children;
mod gateway;
pub(crate) mod kubernetes;
mod parts;
pub mod reader;
pub mod screen;
pub mod table;

/// The MiniCluster that the demo plays.
pub const MINICLUSTER: &str = "flux-sample";

/// The API that all of this is about.
const API: &str = "/apis/custom.metrics.k8s.io/v1beta2";

/// Between two readings.
const READINGS: Duration = Duration::from_secs(1);

/// Runs the demo to its end.
///
/// # Errors
///
/// When a part does not start, or when no value is seen.
pub fn main(args: &Demo) -> anyhow::Result<()> {
    // On this thread: the kernel kills children when the thread ends that started them.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    let result = runtime.block_on(run(args));
    // A thread may wait for what another process builds.
    runtime.shutdown_background();
    result
}

/// What a story is played with.
struct Stage {
    /// Where certificates and logs are.
    dir: PathBuf,
    /// A directory with a short path, for sockets, that goes with the demo.
    temporary: PathBuf,
    screen: Screen,
    parts: Parts,
    /// Once it runs, and after all parts: it is what they talk to.
    plane: Option<ControlPlane>,
}

async fn run(args: &Demo) -> anyhow::Result<()> {
    let end = end_signal().context("cannot listen for signals")?;
    // Sockets have short paths, so theirs is not in a directory that somebody named.
    let temporary = tempfile::Builder::new()
        .prefix("fluxgauge-")
        .tempdir()
        .context("cannot make a temporary directory")?;
    let dir = match &args.dir {
        Some(dir) => made(dir).with_context(|| format!("cannot use --dir {}", dir.display()))?,
        None => temporary.path().to_owned(),
    };
    let parts = Parts::new(&dir, temporary.path(), args.verbose);
    let mut stage = Stage {
        dir,
        temporary: temporary.path().to_owned(),
        screen: Screen::detect(),
        parts: parts.context("cannot find this program's file")?,
        plane: None,
    };
    // First the signal: in a terminal it is also for kubectl, whose end would be an error.
    let result = tokio::select! {
        biased;
        () = end => Ok(()),
        result = play(args, &mut stage) => result,
    };
    stage.parts.stop().await;
    drop(stage.plane);
    match result {
        // Whoever read along has seen enough.
        Err(error) if is_broken_pipe(&error) => Ok(()),
        result => result,
    }
}

async fn play(args: &Demo, stage: &mut Stage) -> anyhow::Result<()> {
    if args.kubernetes {
        Box::pin(kubernetes::play(args, stage)).await
    } else {
        Box::pin(alone::play(args, stage)).await
    }
}

/// Ends with the first signal that asks for the end.
fn end_signal() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}

/// A directory that is there, by its absolute path.
fn made(dir: &Path) -> io::Result<PathBuf> {
    fs::create_dir_all(dir)?;
    dir.canonicalize()
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<io::Error>();
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// The path of one value of the MiniCluster.
fn metric_path(namespace: &str, metric: &str) -> String {
    format!("{API}/namespaces/{namespace}/miniclusters.flux-framework.org/{MINICLUSTER}/{metric}")
}
