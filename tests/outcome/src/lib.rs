//! What policies of autoscaling do to jobs and to nodes: `cargo run -p outcome --release`.
//!
//! Jobs of a trace are submitted to the simulator's model of Flux. What its collector would report
//! goes to a model of the HorizontalPodAutoscaler, whose size goes to a model of the operator, whose
//! pods are the ranks that come and go. All in virtual time, a second a step, the same in every run.
//!
//! ```text
//!  trace ──jobs──▶ Flux ──▶ policy ──sizes──▶ autoscaler ──size──▶ operator
//!                   ▲      (metrics, as      (every 15 s)            │
//!                   │       examples say)                            │
//!                   └──── ranks join, and die with their jobs ◀──── pods
//! ```
//!
//! - [`trace`]: which jobs come when. [`policy`]: which metrics an autoscaler reads, and the manifest
//!   of it, those of `deploy/examples` as they stand there.
//! - [`autoscaler`]: the arithmetic of Kubernetes' HPA controller. [`pods`]: the operator's rule, and
//!   how long pods take to come and go.
//! - [`play`]: one trace under one policy. [`report`]: all of them, beside an oracle, as a table.
//!
//! Nothing here measures time: what it costs to decide is in the benchmarks of `flux-demand`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a benchmark that fails panics, and its numbers are small"
)]

pub mod autoscaler;
pub mod play;
pub mod pods;
pub mod policy;
pub mod report;
pub mod trace;

/// Seconds since a trace began.
pub type Second = u32;
