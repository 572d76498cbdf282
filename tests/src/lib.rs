//! What the tests and the benchmark of both daemons stand on.
//!
//! ```text
//!  flux_simulator ──▶ collector ──┐
//!                                 ├─gRPC──▶ TestGateway ──REST──▶ Client
//!  FakeCollector ─────────────────┘             (all over TLS, by TestCa)
//! ```
//!
//! Everything listens on free ports of the loopback address, lives in a temporary directory, and
//! ends when it is dropped. Tests wait by [`eventually`], never by sleeping.

use std::time::Duration;

use tokio::time::Instant;

pub mod ca;
pub mod client;
pub mod fake_collector;
pub mod gateway;
pub mod process;

pub use ca::TestCa;
pub use client::{Answer, Client, Connection};
pub use fake_collector::FakeCollector;
pub use gateway::TestGateway;
pub use process::Process;

/// Longer than anything here takes that works, on a machine that does ten things at once.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Between two looks at a condition.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Waits until `look` gives a value, and returns it.
///
/// # Panics
///
/// When it has not within [`DEADLINE`]; `what` says what was waited for.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(start.elapsed() < DEADLINE, "after {DEADLINE:?} still not: {what}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Checks that `holds` for as long as `duration`, looking again and again.
pub async fn throughout(duration: Duration, mut holds: impl AsyncFnMut()) {
    let start = Instant::now();
    while start.elapsed() < duration {
        holds().await;
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Starts the cryptography that all TLS here rests on; any number of times.
pub fn install_crypto() {
    // An error says that it is installed already.
    rustls::crypto::ring::default_provider().install_default().ok();
}
