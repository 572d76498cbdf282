//! What each step of the path costs: `cargo bench -p system-tests`.
//!
//! ```text
//!  recorded bytes ──▶ frames          samples ──gRPC──▶ store          requests ──TLS──▶ values
//! ```
//!
//! Reads are measured beside a bare hyper server with the same TLS, which answers a constant of the
//! same size: the ratio says what routing, the query and JSON cost, whatever the machine. The load
//! comes from the same machine, so the numbers are of all the work on both ends. Takes about a
//! minute.

use system_tests::install_crypto;

mod bare;
mod frames;
mod reads;
mod samples;
mod spread;

fn main() {
    install_crypto();
    frames::measure();
    samples::measure();
    reads::measure();
}

/// A runtime as the gateway has it: one thread for each core.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads start")
}
