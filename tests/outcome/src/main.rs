//! Prints what policies do to jobs and to nodes; with a number, what the recommended one does to as
//! many traces of each kind.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is what the program is for")]

use std::process::ExitCode;

use outcome::report::{Report, Seeds};

fn main() -> ExitCode {
    match std::env::args().nth(1).map(|seeds| seeds.parse()) {
        None => print!("{}", Report::new()),
        Some(Ok(seeds)) => print!("{}", Seeds::new(seeds)),
        Some(Err(_)) => {
            eprintln!("usage: outcome [NUMBER OF TRACES OF EACH KIND]");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
