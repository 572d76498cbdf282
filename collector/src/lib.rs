//! Streams what a Flux broker knows to Fluxgauge gateways.
//!
//! One collector sits beside each broker of a MiniCluster. What it knows goes one way:
//!
//! ```text
//!  broker's socket                                                              gateways
//!       │                                                                          ▲
//!       ▼                                                                          │ one stream each
//!    broker ──▶ sources ──▶ metrics ──▶ state ─────────(watch, newest only)────▶ uplink
//!   (connect,   (ask, and  (answers →  (values by series,                     (full, then
//!    for ever)   when)      values)     proofs, reasons)                       changes)
//!                  ▲                       │                                       │
//!                  └──── pace ◀────────────┼──────── the gateways' wishes ◀────────┘
//!                                          ▼
//!                                      lifecycle (when it is over)
//! ```
//!
//! - [`args`]: flags and environment, checked once; [`identity`]: who reports.
//! - `broker`: the connection to the broker; `sources`: one module for each service that is asked.
//! - [`journal`]: the active jobs, kept by events, pure.
//! - [`metrics`]: from answers to values, pure; [`state`]: all that is known, written by the sources.
//! - [`uplink`]: the streams; [`pace`]: how often, as the gateways wish.
//! - `lifecycle`: when to end; [`process`]: from arguments to an exit status.
//!
//! What always holds: a value whose source failed is absent, with the reason; each value carries
//! when it was last proved, by no wall clock (only the age of waiting jobs, whose submission Flux dates,
//! is told by one); nothing grows without a named bound; and in a
//! pod of a Job the exit status is 0.

use std::future::Future;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::{
    args::Config,
    broker::Search,
    pace::Wishes,
    state::Board,
    uplink::{Resolve, SystemResolver, Uplink},
};

pub mod args;
mod backoff;
mod broker;
mod chain;
pub mod identity;
pub mod journal;
mod lifecycle;
pub mod metrics;
pub mod pace;
pub mod process;
mod sources;
pub mod state;
pub mod uplink;

/// Collects and reports until `shutdown` is ready or the MiniCluster is over, then tells the
/// gateways and returns, within [`uplink::LEAVE_TIMEOUT`].
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) {
    run_with(config, SystemResolver, shutdown).await;
}

/// The same with a resolver of the caller's.
pub async fn run_with(config: Config, resolver: impl Resolve, shutdown: impl Future<Output = ()>) {
    let Config { identity, gateway, flux_uri, max_frame, gone_exit, interval, hold_down, root } =
        config;
    let board = Board::new();
    let wishes = Wishes::new(interval);
    let leaving = CancellationToken::new();
    let (reason, why) = watch::channel(String::new());
    let uplink = Uplink {
        gateway,
        identity: identity.clone(),
        state: board.subscribe(),
        wishes: wishes.clone(),
        leaving: leaving.clone(),
        reason: why,
    };
    let search = Search { flux_uri, root: root.clone(), max_frame, identity, hold_down };
    let end = async {
        let why = tokio::select! {
            () = shutdown => "the collector was asked to end".to_owned(),
            why = lifecycle::end(&root, gone_exit, board.subscribe()) => why,
            never = Box::pin(broker::follow(search, board.clone(), wishes.reader())) => match never {},
        };
        info!(reason = %why, "leaving");
        reason.send_replace(why);
        leaving.cancel();
    };
    tokio::join!(end, uplink.run(resolver));
}
