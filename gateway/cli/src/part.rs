//! The hidden subcommands: each runs one of the libraries until it is told to end.

use std::{ffi::OsString, io, process::ExitCode};

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::Part;

pub(crate) mod minicluster;

/// Runs a part of the demo, and ends with the process `parent`, whatever ends that.
///
/// # Errors
///
/// When what is played cannot run. The daemons say themselves what is wrong.
pub(crate) fn main(part: Part, parent: Option<i32>) -> anyhow::Result<ExitCode> {
    if let Some(parent) = parent {
        bind_to(parent)?;
    }
    match part {
        Part::Simulator(args) => simulate(args).map(|()| ExitCode::SUCCESS),
        Part::Gateway(rest) => Ok(fluxgauge_gateway::run::main(named("gateway", rest.args))),
        Part::Collector(rest) => {
            Ok(fluxgauge_collector::process::main(named("collector", rest.args)))
        }
        Part::Minicluster(args) => minicluster::main(args).map(|()| ExitCode::SUCCESS),
    }
}

/// Asks the kernel to kill this process when `parent` ends. Not by a signal that could be waited
/// out: nobody is left who would kill it later.
#[cfg(target_os = "linux")]
fn bind_to(parent: i32) -> anyhow::Result<()> {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};

    set_parent_process_death_signal(Some(Signal::KILL))
        .context("cannot ask to be killed with the parent process")?;
    // It may have ended just before.
    let now = getppid().map(|pid| pid.as_raw_nonzero().get());
    anyhow::ensure!(now == Some(parent), "the parent process {parent} has ended");
    Ok(())
}

/// Elsewhere the demo ends its children itself, unless it is killed.
#[cfg(not(target_os = "linux"))]
#[allow(clippy::unnecessary_wraps, reason = "the same shape as on Linux")]
fn bind_to(_parent: i32) -> anyhow::Result<()> {
    Ok(())
}

fn simulate(args: flux_simulator::Args) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let end = end_signal()?;
        let dir = args.dir.display().to_string();
        flux_simulator::run(args, end)
            .await
            .with_context(|| format!("cannot simulate Flux in {dir}"))
    })
}

/// Ends with the first signal that asks a process to end.
fn end_signal() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// The arguments of a daemon, which begin with its name.
fn named(name: &str, args: Vec<OsString>) -> impl Iterator<Item = OsString> {
    std::iter::once(format!("fluxgauge {name}").into()).chain(args)
}
