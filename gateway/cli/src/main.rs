//! `fluxgauge`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    fluxgauge::main(std::env::args_os())
}
