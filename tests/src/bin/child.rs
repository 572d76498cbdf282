//! The daemons as processes of their own, for tests that send signals or set the environment:
//! `child gateway --help` is `fluxgauge-gateway --help`.

use std::{ffi::OsString, process::ExitCode};

use clap::Parser;

#[derive(Parser)]
struct Simulator {
    #[command(flatten)]
    args: flux_simulator::Args,
}

fn main() -> ExitCode {
    // The daemon's name stands where it expects its own.
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    match args.first().and_then(|name| name.to_str()) {
        Some("gateway") => fluxgauge_gateway::run::main(args),
        Some("collector") => fluxgauge_collector::process::main(args),
        Some("simulator") => simulate(args),
        _ => panic!("child gateway|collector|simulator [ARGS]"),
    }
}

/// Plays a Flux instance until the process is killed.
fn simulate(args: Vec<OsString>) -> ExitCode {
    let Simulator { args } = Simulator::parse_from(args);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let never = std::future::pending();
    runtime.unwrap().block_on(flux_simulator::run(args, never)).unwrap();
    ExitCode::SUCCESS
}
