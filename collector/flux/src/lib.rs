//! The Flux broker protocol in Rust: no libflux, no C, no I/O at its core.
pub mod endpoint;
pub mod errno;
pub mod hostlist;
pub mod idset;
pub mod message;
pub mod rset;
pub mod wire;

pub use crate::{
    endpoint::Endpoint,
    errno::Errno,
    hostlist::Hostlist,
    idset::Idset,
    message::{Flags, Kind, Message},
    rset::ResourceSet,
    wire::{Decoder, Frame},
};
