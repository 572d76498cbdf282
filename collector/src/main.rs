//! The collector's program; see [`fluxgauge_collector::process`].

use std::process::ExitCode;

fn main() -> ExitCode {
    fluxgauge_collector::process::main(std::env::args_os())
}
