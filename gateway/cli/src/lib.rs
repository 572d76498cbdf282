//! Fluxgauge in one command, for people: nothing of it runs in a cluster.
//!
//! ```text
//!  fluxgauge demo ─┬─▶ fluxgauge simulator ◀─socket─┐
//!                  ├─▶ fluxgauge collector ─────────┘──gRPC──┐
//!                  ├─▶ fluxgauge gateway ◀───────────────────┘
//!                  └─── reads the gateway's REST API over TLS ──▶ the terminal
//! ```
//!
//! The three parts are the libraries of the simulator and of the daemons, each in a process of its
//! own, so that any of them can be killed and the others watched. [`demo::kubernetes`] puts them
//! around a real control plane. [`ca`] prints what collectors in a cluster should trust; [`check`] says what is
//! wrong with derived metrics and autoscalers before they are there.

use std::{
    ffi::OsString,
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Parser as _;

use crate::args::{Cli, Command, EX_USAGE};

pub mod args;
pub mod ca;
pub mod check;
pub mod demo;
mod part;

/// Runs `fluxgauge`. `args` begins with the program's name.
///
/// The exit status is 64 for bad usage, else that of the subcommand.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let failed = error.use_stderr();
            // Nowhere to say that the terminal is gone.
            error.print().ok();
            return if failed { ExitCode::from(EX_USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let result = match cli.command {
        Command::Demo(demo) => demo::main(&demo).map(|()| ExitCode::SUCCESS),
        Command::Ca(args) => ca::main(&args).map(|()| ExitCode::SUCCESS),
        Command::Check(args) => check::main(&args),
        Command::Part(part) => part::main(part, cli.parent),
    };
    result.unwrap_or_else(|error| {
        writeln!(io::stderr(), "fluxgauge: {error:#}").ok();
        ExitCode::FAILURE
    })
}
