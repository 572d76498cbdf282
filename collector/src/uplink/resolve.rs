//! From the gateway's name to the addresses of its replicas.

use std::{future::Future, io, net::SocketAddr};

/// Resolves names. A headless Service with `publishNotReadyAddresses` has an address for each
/// replica.
pub trait Resolve: Send + Sync {
    /// All addresses of `host`, each with `port`.
    fn resolve(
        &self,
        host: &str,
        port: u16,
    ) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;
}

/// The system's resolver, on a thread of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}
