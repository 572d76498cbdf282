//! The gateway as a process: arguments in, exit status out.
//!
//! `fluxgauge-gateway` is this and nothing else, and so is the hidden subcommand of `fluxgauge`
//! that its demo starts.

use std::{
    ffi::OsString,
    io::{self, Write as _},
    net::SocketAddr,
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use clap::Parser as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    Gateway, Shutdown, StartError,
    args::{Args, Config, EX_USAGE},
    authority::AuthorityError,
    telemetry::{Environment, LogFormat, Telemetry},
};

/// How long threads that block may hold up the end of the process.
const RUNTIME_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// Runs a gateway until SIGTERM or SIGINT; a second one cuts the drain delay short. `args` begins
/// with the program's name.
///
/// The first line on standard output is `listening api=ADDRESS ingest=ADDRESS`, or a JSON object
/// with these members where logs are JSON: a parent that asked for free ports learns them from it.
/// The exit status is 0 after a signal, 64 for bad configuration, 1 for any other failure.
pub fn main(args: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            let failed = error.use_stderr();
            // Nowhere to say that the terminal is gone.
            error.print().ok();
            return if failed { ExitCode::from(EX_USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let config = match Config::try_from(args) {
        Ok(config) => config,
        Err(problems) => {
            complain(&problems);
            return ExitCode::from(EX_USAGE);
        }
    };
    match start(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format_args!("{error:#}"));
            match error.downcast_ref() {
                Some(
                    StartError::Kubernetes(_)
                    | StartError::Policy(_)
                    | StartError::Authority(AuthorityError::NoKubernetes),
                ) => ExitCode::from(EX_USAGE),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

fn start(config: Config) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start threads")?;
    let result = runtime.block_on(serve(config));
    runtime.shutdown_timeout(RUNTIME_SHUTDOWN_TIMEOUT);
    result
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let environment = Environment::read(|name| std::env::var(name).ok());
    let telemetry = Telemetry::start(&config.logs, &environment);
    let format = config.logs.format;
    let shutdown = Shutdown::default();
    let signals = (listen_for(SignalKind::terminate())?, listen_for(SignalKind::interrupt())?);
    let gateway = Gateway::bind(config).await?;
    let (api, ingest) = gateway.addresses().context("the system does not say its ports")?;
    tracing::info!(%api, %ingest, "listening");
    announce(format, api, ingest).context("cannot write to standard output")?;
    tokio::select! {
        () = gateway.run(telemetry.traces(), shutdown.clone()) => {}
        () = obey(signals, &shutdown) => {}
    }
    telemetry.shutdown().await;
    Ok(())
}

fn listen_for(kind: SignalKind) -> anyhow::Result<Signal> {
    signal(kind).context("cannot listen for signals")
}

/// Passes signals on, for ever.
async fn obey((mut terminate, mut interrupt): (Signal, Signal), shutdown: &Shutdown) {
    loop {
        tokio::select! {
            Some(()) = terminate.recv() => {}
            Some(()) = interrupt.recv() => {}
            else => std::future::pending().await,
        }
        if shutdown.begin.is_cancelled() {
            shutdown.hurry.cancel();
        }
        shutdown.begin.cancel();
    }
}

fn announce(format: LogFormat, api: SocketAddr, ingest: SocketAddr) -> io::Result<()> {
    let line = match format {
        LogFormat::Plain => format!("listening api={api} ingest={ingest}"),
        LogFormat::Json => {
            serde_json::json!({"message": "listening", "api": api, "ingest": ingest}).to_string()
        }
    };
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

fn complain(what: &dyn std::fmt::Display) {
    // Nowhere to say that standard error is gone.
    writeln!(io::stderr(), "fluxgauge-gateway: {what}").ok();
}

#[cfg(test)]
mod tests;
