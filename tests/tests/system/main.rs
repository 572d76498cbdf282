//! The promises of Fluxgauge, one file each. One program, so that it is linked once and the waits
//! of its tests overlap.

mod ages;
mod attackers;
mod availability;
mod certificates;
mod clocks;
mod collectors;
mod connections;
mod derived;
mod drain;
mod faults;
mod gateways;
mod idle;
mod leads;
mod manifests;
mod memory;
mod namespace_sums;
mod pods;
mod prometheus;
mod readers;
mod restarts;
mod services;
mod streams;
mod traces;
mod values;
