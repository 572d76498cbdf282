//! The promises of Fluxgauge, one file each. One program, so that it is linked once and the waits
//! of its tests overlap.

mod ages;
mod certificates;
mod drain;
mod leads;
mod namespace_sums;
mod services;
mod streams;
mod traces;
