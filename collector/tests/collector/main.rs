//! The collector from a broker's socket to a gateway's port, in one process.

mod brokers;
mod gateway;
mod gateways;
mod life;
mod pod;
mod releases;
