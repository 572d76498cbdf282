//! The demo as people run it: the real binary, without a terminal.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod alone;
mod build;
mod kubernetes;
mod process;
