//! What each step of the path costs: `cargo bench -p system-tests`, or of one step alone with its
//! name, as `cargo bench -p system-tests -- reads`.
//!
//! ```text
//!  recorded bytes ──▶ frames          samples ──gRPC──▶ store          requests ──TLS──▶ values
//!  submission ──▶ journal ──▶ collector ──▶ gateway ──▶ reader
//! ```
//!
//! Reads are measured beside a bare hyper server with the same TLS, which answers a constant of the
//! same size: the ratio says what routing, the query and JSON cost, whatever the machine. The load
//! comes from the same machine, so the numbers are of all the work on both ends. Takes three
//! minutes.

use system_tests::install_crypto;

mod bare;
mod frames;
mod journal;
mod reads;
mod samples;
mod spread;

fn main() {
    install_crypto();
    // cargo adds a flag of its own.
    let wanted: Vec<_> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let steps: [(&str, fn()); 4] = [
        ("frames", frames::measure),
        ("samples", samples::measure),
        ("journal", journal::measure),
        ("reads", reads::measure),
    ];
    for (name, measure) in steps {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            measure();
        }
    }
}

/// A runtime as the gateway has it: one thread for each core.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads start")
}
