//! A simulated Flux instance on unix sockets, for the demo and the tests, never for the daemons.
//!
//! It speaks the protocol of real brokers through the codec of [`flux_client`], with the manners of
//! any release from 0.40 to 0.88, and does wrong what a test asks it to. A [`Simulator`] lives
//! inside a test and does nothing by itself; [`run`] is the same as a process that plays a day of
//! jobs.
//!
//! ```text
//!  args ─▶ server ─▶ door (a socket) ─▶ connection (a client) ─▶ services ─▶ answers
//!            │                              │                       │          │
//!           day ────────────▶ instance ◀────┼───────────────────────┴──────────┘
//!                            (the model)    └─▶ faults
//! ```

mod answers;
mod args;
mod connection;
mod day;
mod door;
pub mod faults;
pub mod instance;
pub mod manners;
pub mod replay;
mod server;
mod services;
mod world;

pub use crate::{
    args::{Args, QueueArg, QueueError, READY, run},
    day::Day,
    faults::{Fault, Greeting},
    manners::Release,
    replay::{Recording, Replay},
    server::{Config, Simulator},
};
