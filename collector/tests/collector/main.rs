//! The collector from a broker's socket to a gateway's port, in one process.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that goes wrong fails"
)]

mod brokers;
mod demand;
mod door;
mod gateway;
mod gateways;
mod journal;
mod life;
mod pod;
mod releases;
