//! The daemons as processes of their own, for tests that send signals or set the environment:
//! `child gateway --help` is `fluxgauge-gateway --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    // The daemon's name stands where it expects its own.
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    match args.first().and_then(|name| name.to_str()) {
        Some("gateway") => fluxgauge_gateway::run::main(args),
        _ => panic!("child gateway [ARGS]"),
    }
}
