//! The contract between Fluxgauge's collectors and gateways.
//!
//! Both ends share this crate and no other type of the domain:
//!
//! - [`v1`]: the messages of `fluxgauge/telemetry/v1/telemetry.proto`, generated and committed;
//! - [`limits`]: what either side refuses, each bound with its arithmetic;
//! - [`catalogue`]: what each metric means, in one table.
//!
//! A metric is added by a row in [`catalogue`] and the line in the collector that measures it.

pub mod catalogue;
pub mod limits;

/// The messages of contract version 1, as `tests/bootstrap.rs` generates them.
#[allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    elided_lifetimes_in_paths,
    clippy::all,
    clippy::restriction,
    clippy::pedantic,
    clippy::nursery,
    reason = "generated"
)]
pub mod v1 {
    include!("gen/fluxgauge.telemetry.v1.rs");
}

/// The contract version that this build speaks; it also serves the one before and the one after.
pub const CONTRACT_VERSION: u32 = 1;
