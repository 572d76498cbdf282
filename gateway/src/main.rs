//! `fluxgauge-gateway`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    fluxgauge_gateway::run::main(std::env::args_os())
}
