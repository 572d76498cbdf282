//! The collector as a process: arguments in, exit status out.
//!
//! `fluxgauge-collector` is this and nothing else, and so is the hidden subcommand of `fluxgauge`
//! that its demo starts.

use std::{
    convert::Infallible,
    ffi::{OsStr, OsString},
    future::Future,
    io::Write as _,
    path::Path,
    process::ExitCode,
    time::Duration,
};

use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};
use tracing::error;
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use crate::{
    args::{Args, Problem},
    lifecycle,
    state::Board,
};

/// `EX_USAGE` of sysexits.h: the configuration is bad.
const EX_USAGE: u8 = 64;

/// How often a pod says that its configuration is bad.
const COMPLAINT_PERIOD: Duration = Duration::from_secs(60);

/// Threads for what blocks: the resolver and small files.
const BLOCKING_THREADS: usize = 2;

/// Runs a collector until SIGTERM, SIGINT or the end of the MiniCluster. `args` begins with the
/// program's name.
///
/// The exit status is 0, or 64 for bad configuration. In a pod of a Job it is always 0: a container
/// that fails is restarted, and its restarts count against the user's Job.
pub fn main(args: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
    let in_job = std::env::var_os("JOB_COMPLETION_INDEX");
    if in_job.is_some() {
        end_well_whatever_happens();
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format_args!("cannot start: {error}"));
            return status(in_job.as_deref(), ExitCode::FAILURE);
        }
    };
    let code = runtime.block_on(run(args, in_job.as_deref(), asked_to_end()));
    runtime.shutdown_background(); // a resolver that hangs holds nothing up
    code
}

async fn run(
    args: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    in_job: Option<&OsStr>,
    shutdown: impl Future<Output = ()>,
) -> ExitCode {
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) if !error.use_stderr() => {
            // Nowhere to say that the terminal is gone.
            error.print().ok();
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            return refuse(in_job, Path::new("/"), shutdown, || complain(&error.render())).await;
        }
    };
    let understood = start_logs(args.log.as_deref().unwrap_or_default());
    let log = args.log.clone();
    let root = args.root.clone();
    let config = args.check().and_then(|config| match (understood, log) {
        (false, Some(value)) => Err(vec![Problem::Value {
            flag: "--log (FLUXGAUGE_LOG)",
            value,
            want: "write off, error, warn, info, debug or trace, or TARGET=LEVEL,...",
        }]),
        _ => Ok(config),
    });
    match config {
        Ok(config) => {
            crate::run(config, shutdown).await;
            ExitCode::SUCCESS
        }
        Err(problems) => {
            refuse(in_job, &root, shutdown, || {
                for problem in &problems {
                    error!("bad configuration: {problem}");
                }
            })
            .await
        }
    }
}

/// Says what is wrong: once outside a Job, and in one every minute until the pod or its
/// MiniCluster ends: a container that stays would keep the Job from completing.
async fn refuse(
    in_job: Option<&OsStr>,
    root: &Path,
    shutdown: impl Future<Output = ()>,
    say: impl Fn(),
) -> ExitCode {
    say();
    if in_job.is_none() {
        return ExitCode::from(EX_USAGE);
    }
    let repeat = async {
        loop {
            tokio::time::sleep(COMPLAINT_PERIOD).await;
            say();
        }
    };
    let unconnected = Board::new();
    tokio::select! {
        () = shutdown => ExitCode::SUCCESS,
        _complete = lifecycle::end(root, None, unconnected.subscribe()) => ExitCode::SUCCESS,
        never = repeat => { let never: Infallible = never; match never {} }
    }
}

/// Makes a panic end the process with status 0, after it was reported.
fn end_well_whatever_happens() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        #[allow(clippy::exit, reason = "a restart would count against the user's Job")]
        std::process::exit(0);
    }));
}

fn status(in_job: Option<&OsStr>, code: ExitCode) -> ExitCode {
    if in_job.is_some() { ExitCode::SUCCESS } else { code }
}

/// SIGTERM or SIGINT.
async fn asked_to_end() {
    let wait = |kind| async move {
        match signal(kind) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await, // the signal then ends the process itself
        }
    };
    tokio::select! {
        () = wait(SignalKind::terminate()) => {}
        () = wait(SignalKind::interrupt()) => {}
    }
}

/// Plain lines on standard error: a container's is a terminal where stdin and tty are on, and its
/// log is no place for colours. Returns whether `filter` was understood.
fn start_logs(filter: &str) -> bool {
    // One level is about this program; its libraries are of interest when they are in trouble.
    let parsed = match filter.trim().parse::<LevelFilter>() {
        Ok(level) => Some(own(level)),
        Err(_) => filter.parse().ok(),
    };
    let understood = parsed.is_some();
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_target(false)
        .with_writer(std::io::stderr);
    // A second collector in one process, as tests have it, logs where the first one does.
    tracing_subscriber::registry()
        .with(parsed.unwrap_or_else(|| own(LevelFilter::INFO)))
        .with(lines)
        .try_init()
        .ok();
    understood
}

fn own(level: LevelFilter) -> Targets {
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("fluxgauge_collector", level)
        .with_target("flux_client", level)
}

fn complain(what: &dyn std::fmt::Display) {
    // Nowhere to say that standard error is gone.
    writeln!(std::io::stderr(), "fluxgauge-collector: {what}").ok();
}

#[cfg(test)]
mod tests;
