//! Listening: accepts connections, bounds what each may cost, and ends them without losing a
//! request.
//!
//! ```text
//!  TcpListener ──▶ a free slot ──▶ TLS handshake ──▶ HTTP/1.1 or HTTP/2 ──▶ service
//!                                                     │
//!               drain, too old, or silent ──▶ GOAWAY ─┴─▶ requests in flight finish ──▶ closed
//! ```
//!
//! The caller brings the listener, a service for each connection and the token that starts the
//! drain. The REST API and the collectors' streams are served by the same code on two ports.

use std::{
    convert::Infallible,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::{body::Incoming, service::Service};
use rustls::ServerConfig;
use rustls_pki_types::CertificateDer;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::crowd::Crowd;

mod activity;
mod again;
mod at_once;
mod connection;

/// How long a client may take for the TLS handshake.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a new connection may stay without a request. Also bounds the HTTP/2 preface, for which
/// hyper has no bound of its own.
pub const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// An HTTP/1.1 connection on which no request comes for so long is ended, at the latest after twice as
/// long: it is idle, does not finish the headers of a request, or takes too long to read its answer, for
/// which it has [`Limits::drain_timeout`] more. hyper has a timer for each head instead, which costs a
/// read on a busy machine one part in twenty.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes of all headers of a request. A kube-apiserver sends each group of its user as a header:
/// 200 groups of 253 bytes are 50 KiB. On HTTP/1.1 it is counted after each read, so that the last may
/// bring as much again.
pub const MAX_HEADER_BYTES: u32 = 64 * 1024;

/// Headers of an HTTP/1.1 request: those 200 groups, and room for the others.
pub const MAX_HEADERS: usize = 256;

/// Requests at once on one HTTP/2 connection, as many as a Go server takes.
pub const MAX_STREAMS: u32 = 250;

/// Connections that last longer are looked after by [`KEEPALIVE_INTERVAL`]; others end before it matters
/// that their clients are gone, and each of their requests costs a little less.
pub const SHORT_LIVED: Duration = Duration::from_secs(300);

/// After how much silence an HTTP/2 client is asked whether it still lives. Shorter than the five
/// minutes after which common load balancers forget a connection.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);

/// How long it may take to answer that.
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// Bytes that a client may send ahead on one HTTP/2 stream: a full sample of a large instance.
pub const STREAM_WINDOW: u32 = 256 * 1024;

/// Bytes that a client may send ahead on all streams of a connection.
pub const CONNECTION_WINDOW: u32 = 512 * 1024;

/// The share of all connections that one address may have, as a divisor: others find room, whatever one
/// of them does. A node may put its address before those of all its pods.
pub const SHARE_OF_PEER: usize = 4;

/// Connections that one address may have whatever its share.
pub const LEAST_OF_PEER: usize = 64;

/// Between two lines about addresses that have more than their share.
const TELL_INTERVAL: Duration = Duration::from_secs(60);

/// The first and the longest pause after an accept that failed, as when descriptors ran out.
const ACCEPT_PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// How a connection is protected.
#[derive(Clone, Debug)]
pub enum Transport {
    /// Not at all.
    Plain,
    /// By TLS, with the newest configuration at each handshake.
    Tls(watch::Receiver<Arc<ServerConfig>>),
}

/// What connections may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; more wait in the system's queue. One address has at most a share of them
    /// ([`SHARE_OF_PEER`]); more are closed.
    pub connections: usize,
    /// About how long a connection may last before its client is asked to open another, so that
    /// clients spread over replicas; each connection draws between ⅔ and 4⁄3 of it. `None`: for
    /// ever, while it is in use.
    pub max_age: Option<Duration>,
    /// How long requests in flight may take once a connection is to end.
    pub drain_timeout: Duration,
}

impl Limits {
    /// Connections that one address may have.
    fn of_peer(&self) -> usize {
        (self.connections / SHARE_OF_PEER).max(LEAST_OF_PEER)
    }
}

/// What is said of addresses that have more than their share.
#[derive(Debug, Default)]
struct Complaint {
    told: Option<Instant>,
}

impl Complaint {
    fn tell(&mut self, peer: IpAddr) {
        let now = Instant::now();
        if self.told.is_none_or(|told| now.saturating_duration_since(told) >= TELL_INTERVAL) {
            self.told = Some(now);
            tracing::warn!(%peer, "this address has its share of connections, and more are closed");
        }
    }
}

/// The other end of a connection.
#[derive(Debug)]
pub struct Peer {
    /// Where it is.
    pub address: SocketAddr,
    /// The certificates that it has shown, its own first. That it holds the key is all that is known
    /// of them.
    pub certificates: Vec<CertificateDer<'static>>,
    /// Ends the connection when what is in flight has been answered.
    pub leave: CancellationToken,
}

/// Binds a listener. Where `[::]` is asked for and the machine has no IPv6, `0.0.0.0` is bound.
///
/// # Errors
///
/// As the system says: the port is taken, the address is not this machine's.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Err(error)
            if address.is_ipv6()
                && address.ip().is_unspecified()
                && error.kind() != io::ErrorKind::AddrInUse =>
        {
            let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
            // The first error is the one about the address that was asked for.
            TcpListener::bind(any).await.map_err(|_| error)
        }
        bound => bound,
    }
}

/// Serves on `listener` until `drain`, each connection by what `service` makes for it, then finishes
/// what is in flight.
///
/// Returns at most [`Limits::drain_timeout`] after `drain`, with every connection closed.
pub async fn serve<F, S, B>(
    listener: TcpListener,
    transport: Transport,
    limits: Limits,
    service: F,
    drain: CancellationToken,
) where
    F: Fn(Peer) -> S + Clone + Send + Sync + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let connections = TaskTracker::new();
    let slots = Arc::new(Semaphore::new(limits.connections));
    let peers = Crowd::new(limits.connections, limits.of_peer());
    let accept = async {
        let (mut full, mut complaint) = (false, Complaint::default());
        loop {
            let full_before = std::mem::replace(&mut full, slots.available_permits() == 0);
            if full && !full_before {
                let connections = limits.connections;
                tracing::warn!(connections, "no more connections are taken until some end");
            }
            // The semaphore is never closed; were it, one connection too many is no harm.
            let slot = Arc::clone(&slots).acquire_owned().await.ok();
            let (stream, peer) = accept(|| listener.accept()).await;
            let Ok(place) = peers.enter(peer.ip()) else {
                complaint.tell(peer.ip());
                continue;
            };
            let connection = connection::Connection {
                peer,
                transport: transport.clone(),
                limits,
                drain: drain.clone(),
            };
            let service = service.clone();
            connections.spawn(async move {
                connection.serve(stream, service).await;
                drop((slot, place));
            });
        }
    };
    // Nothing is lost by dropping `accept`: what it has accepted has a task of its own.
    let _: Option<Infallible> = drain.run_until_cancelled(accept).await;
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// The next connection. Pauses after errors that are not the fault of one client.
async fn accept<F>(next: impl Fn() -> F) -> (TcpStream, SocketAddr)
where
    F: Future<Output = io::Result<(TcpStream, SocketAddr)>>,
{
    let (first, longest) = ACCEPT_PAUSE;
    let mut pause = first;
    loop {
        match next().await {
            Ok(accepted) => return accepted,
            Err(error) if is_of_one_client(&error) => {}
            Err(error) => {
                if pause == first {
                    tracing::warn!(%error, "cannot accept connections; trying until it works");
                }
                tokio::time::sleep(pause).await;
                pause = longest.min(pause * 2);
            }
        }
    }
}

/// Whether an accept failed because its client went away.
fn is_of_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests;
