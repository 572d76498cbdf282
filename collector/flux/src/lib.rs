//! The Flux broker protocol in Rust: no libflux, no C, and no I/O at its core.
//!
//! [Flux](https://flux-framework.org) brokers listen on a Unix socket on which they speak a small
//! message protocol. This crate speaks it too, with brokers from 0.40 on.
//!
//! ```text
//!            no I/O                                              tokio
//!  ┌─────────────────────────────────────────────────────┐   ┌────────────────┐
//!  │  wire ──▶ message ──▶ rpc                           │   │     client     │
//!  │  frames   RFC 3       matchtags, streams, events    │◀─▶│  Unix socket   │◀─▶ broker
//!  │                                                     │   └────────────────┘
//!  │  idset  RFC 22    hostlist  RFC 29    rset  RFC 20  │   endpoint: where the socket is
//!  └─────────────────────────────────────────────────────┘   errno: what brokers answer
//! ```
//!
//! Most programs need [`Client`] and [`ResourceSet`] alone. A simulator, a proxy or another runtime
//! builds on [`Decoder`], [`Message`] and [`rpc::Session`], which never touch a socket or a clock.
//!
//! What holds everywhere: input of any kind yields a value or an error that says what is wrong and
//! where, never a panic; every length is compared with a named limit before memory is reserved; and
//! where a reader is slow the newest value wins.

pub mod client;
pub mod endpoint;
pub mod errno;
pub mod hostlist;
pub mod idset;
pub mod message;
pub mod rpc;
pub mod rset;
pub mod wire;

pub use crate::{
    client::{Client, ClientConfig, ConnectError, Connection, Events, Responses},
    endpoint::Endpoint,
    errno::Errno,
    hostlist::Hostlist,
    idset::Idset,
    message::{DecodeError, EncodeError, Flags, Kind, Message},
    rpc::{Disconnect, Event, RpcError},
    rset::ResourceSet,
    wire::{Decoder, Frame},
};
