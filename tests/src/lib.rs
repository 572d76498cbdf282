//! What the tests and the benchmark of both daemons stand on.
//!
//! ```text
//!  Simulator ──▶ TestCollector ──┐
//!                                ├─gRPC──▶ TestGateway ──REST──▶ Client
//!  FakeCollector ────────────────┘    │        (all over TLS, by TestCa)
//!                                     └──▶ FakeApi: pods, and who may read
//! ```
//!
//! Everything listens on free ports of the loopback address, lives in a temporary directory, and
//! ends when it is dropped. Tests wait by [`eventually`], never by sleeping.

use std::{fmt::Debug, time::Duration};

use tokio::time::Instant;

pub mod aggregation;
pub mod bystander;
pub mod ca;
pub mod client;
pub mod collector;
pub mod fake_api;
pub mod fake_collector;
pub mod gateway;
pub mod installation;
pub mod kubelet;
pub mod network_namespace;
pub mod path;
pub mod plane;
pub mod process;

pub use bystander::Bystander;
pub use ca::TestCa;
pub use client::{Answer, Client, Connection};
pub use collector::{Gateways, TestCollector};
pub use fake_api::FakeApi;
pub use fake_collector::FakeCollector;
pub use gateway::TestGateway;
pub use installation::Installation;
pub use kubelet::Kubelet;
pub use path::Path;
pub use process::Process;

/// Longer than anything here takes that works, on a machine that does ten things at once.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Between two looks at a condition.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Waits until `look` succeeds, and returns what it found.
///
/// # Panics
///
/// When it has not within [`DEADLINE`]: says what was waited for, and what there was instead.
pub async fn eventually<T, E: Debug>(what: &str, look: impl AsyncFnMut() -> Result<T, E>) -> T {
    within(DEADLINE, what, look).await
}

/// The same with a deadline of one's own, for what takes others long.
///
/// # Panics
///
/// When `look` has not succeeded until then.
pub async fn within<T, E: Debug>(
    deadline: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let start = Instant::now();
    loop {
        match look().await {
            Ok(found) => return found,
            Err(instead) => assert!(
                start.elapsed() < deadline,
                "after {deadline:?} still not: {what}, but {instead:?}"
            ),
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// The error of a result, for [`eventually`].
pub fn refused<T, E>(result: Result<T, E>) -> Result<E, T> {
    match result {
        Ok(value) => Err(value),
        Err(error) => Ok(error),
    }
}

/// A condition, for [`eventually`].
pub fn is(condition: bool) -> Result<(), &'static str> {
    if condition { Ok(()) } else { Err("it is not so") }
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
