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
//!
//! A test starts one, steers it, and compares what it hears with the true numbers:
//!
//! ```
//! use flux_client::{Client, ClientConfig};
//! use flux_simulator::{Config, Simulator, instance::Need};
//! use serde_json::{Value, json};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! let simulator = Simulator::start(Config::new(dir.path())).await?;
//! simulator.submit(Need::Nodes(2), Some("batch"))?;
//!
//! let (client, connection) =
//!     Client::connect(&simulator.endpoint(0)?, ClientConfig::default()).await?;
//! tokio::spawn(connection);
//! let stats: Value = client.rpc("job-list.job-stats", 0, &json!({})).await?;
//! assert_eq!(stats["job_states"]["run"], 1);
//! assert_eq!(simulator.tallies(None).ok_or("no tallies")?.allocated.nodes, 2);
//! # Ok(())
//! # }
//! ```

mod answers;
mod args;
mod connection;
mod day;
mod door;
pub mod faults;
pub mod instance;
mod job_list;
pub mod manners;
pub mod replay;
mod server;
mod services;
mod watch;
mod world;

pub use crate::{
    args::{Args, QueueArg, QueueError, READY, run},
    day::Day,
    faults::{Fault, Greeting},
    manners::Release,
    replay::{Recording, Replay},
    server::{Config, Simulator},
};
