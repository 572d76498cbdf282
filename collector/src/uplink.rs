//! The streams to the gateways: one for each address of the gateway's name.
//!
//! ```text
//!  resolver ──▶ addresses ──▶ one task each: connect ──▶ hello ──▶ sample, ack, sample, ack …
//!                                  ▲                                  ▲
//!                                  └──── back off, for ever ◀─────────┘ state (watch, newest only)
//! ```
//!
//! A stream has at most one sample unacknowledged. What changes meanwhile becomes one newer sample,
//! so that a slow gateway costs freshness of its own stream and no memory.

mod channel;
mod credentials;
mod resolve;
mod sample;
mod stream;

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use tokio::{sync::watch, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use self::resolve::{Resolve, SystemResolver};
use crate::{args::Gateway, chain, identity::Identity, pace::Wishes, state::State};

/// Addresses that get a stream: replicas of a gateway. Each costs a task and a connection.
pub const MAX_GATEWAYS: usize = 16;

/// How often the name is resolved.
pub const RESOLVE_PERIOD: Duration = Duration::from_secs(5);

/// How long the streams have to say goodbye.
pub const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);

/// What every stream needs.
#[derive(Clone, Debug)]
pub(crate) struct Uplink {
    pub(crate) gateway: Gateway,
    pub(crate) identity: Identity,
    pub(crate) state: watch::Receiver<State>,
    pub(crate) wishes: Wishes,
    /// Cancelled when the collector ends; the streams then say so and end.
    pub(crate) leaving: CancellationToken,
    /// Why it ends, once it does.
    pub(crate) reason: watch::Receiver<String>,
}

impl Uplink {
    /// Runs the streams until the collector leaves and they have said so.
    pub(crate) async fn run(self, resolver: impl Resolve) {
        let mut streams = JoinSet::new();
        let mut open = BTreeMap::new();
        let mut said = None;
        loop {
            let Gateway { host, port, .. } = &self.gateway;
            let resolved = tokio::select! {
                () = self.leaving.cancelled() => break,
                resolved = timeout(RESOLVE_PERIOD, resolver.resolve(host, *port)) => resolved,
            };
            let problem = match &resolved {
                Ok(Ok(addresses)) if addresses.is_empty() => Some("it has no address".to_owned()),
                Ok(Ok(_)) => None,
                Ok(Err(error)) => Some(format!("{error}{}", chain::causes(error))),
                Err(_) => Some("no answer".to_owned()),
            };
            if let Some(problem) =
                problem.as_deref().filter(|problem| said.as_deref() != Some(*problem))
            {
                warn!(host, reason = problem, "the gateway's name cannot be resolved");
            }
            said = problem;
            // Where the name cannot be resolved, the known addresses are the newest ones.
            if let Ok(Ok(addresses)) = resolved {
                self.follow(addresses, &mut open, &mut streams);
            }
            tokio::select! {
                () = self.leaving.cancelled() => break,
                () = tokio::time::sleep(RESOLVE_PERIOD) => {}
            }
            while streams.try_join_next().is_some() {}
        }
        let goodbye = async { while streams.join_next().await.is_some() {} };
        if timeout(LEAVE_TIMEOUT, goodbye).await.is_err() {
            warn!("some gateways were not told that this collector leaves");
        }
    }

    /// Starts what is new and ends what is gone.
    fn follow(
        &self,
        mut addresses: Vec<SocketAddr>,
        open: &mut BTreeMap<SocketAddr, tokio::task::AbortHandle>,
        streams: &mut JoinSet<()>,
    ) {
        addresses.sort_unstable();
        addresses.dedup();
        addresses.truncate(MAX_GATEWAYS);
        open.retain(|address, stream| {
            let stays = addresses.contains(address);
            if stream.is_finished() {
                return false;
            }
            if !stays {
                info!(gateway = %address, "the gateway's address is gone; its stream ends");
                stream.abort();
            }
            stays
        });
        for address in addresses {
            open.entry(address)
                .or_insert_with(|| streams.spawn(stream::keep(self.clone(), address)));
        }
    }
}
