//! The thin shell: a Unix socket around [`crate::rpc`].
//!
//! ```text
//!  Client, Responses, Events ◀──▶ state (one lock) ◀──▶ Connection ◀──▶ socket
//!      as many as you like          Session, mailboxes       you spawn it
//! ```
//!
//! Needs a tokio runtime with I/O, a current-thread one is enough. There are no timeouts: wrap a
//! call in `tokio::time::timeout`, dropping it abandons the RPC.

mod connection;
mod mailbox;
mod shared;
mod streams;

use std::{io, path::PathBuf};

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{io::AsyncReadExt, net::UnixStream};

pub use self::{
    connection::Connection,
    streams::{Events, Responses},
};
use self::{mailbox::Mailbox, shared::Handle};
use crate::{
    endpoint::Endpoint,
    errno::Errno,
    message::NODEID_ANY,
    rpc::{Call, RpcError},
    wire::{self, Decoder},
};

/// Events that wait for a slow reader. `heartbeat.pulse` comes every two seconds.
pub const KEPT_EVENTS: usize = 64;

/// How a connection is made.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// The longest response that is held, in bytes. Longer ones fail their RPC.
    pub max_body: usize,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self { max_body: wire::DEFAULT_MAX_BODY }
    }
}

/// A connection that was not made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The socket is not there, is stale, or may not be opened.
    #[error("cannot connect to {}", path.display())]
    Connect {
        /// Of the socket.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The broker was there and closed the connection without a word, as one that shuts down does.
    #[error("the broker closed the connection before it said whether it accepts it")]
    NoHandshake,
    /// The socket failed before the handshake was read.
    #[error("cannot read the broker's handshake")]
    Handshake(#[source] io::Error),
    /// The broker does not want this user.
    #[error("the broker refused the connection with {errno}{}", advice(*errno))]
    Refused {
        /// Why.
        errno: Errno,
    },
}

impl ConnectError {
    /// Whether trying again later can help by itself: the broker starts, stops or is busy.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connect { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::NotFound
                    | io::ErrorKind::ConnectionRefused
                    | io::ErrorKind::WouldBlock
                    | io::ErrorKind::Interrupted
            ),
            Self::NoHandshake | Self::Handshake(_) => true,
            Self::Refused { .. } => false,
        }
    }
}

const fn advice(errno: Errno) -> &'static str {
    match errno {
        Errno::EPERM => {
            ": run as the user that owns the Flux instance, or set access.allow-guest-user = true \
             (for root access.allow-root-owner = true) in its configuration"
        }
        _ => "",
    }
}

/// A connection to a broker. Clones share it.
///
/// ```no_run
/// use flux_client::{Client, ClientConfig, message::NODEID_ANY};
/// use serde_json::json;
///
/// #[derive(serde::Deserialize)]
/// struct Attribute { value: String }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let endpoint = "local:///run/flux/local".parse()?;
/// let (client, connection) = Client::connect(&endpoint, ClientConfig::default()).await?;
/// let driver = tokio::spawn(connection);
///
/// let size: Attribute = client.rpc("attr.get", NODEID_ANY, &json!({"name": "size"})).await?;
/// println!("{} brokers", size.value);
///
/// let mut stats = client.stream("job-list.job-stats", 0, &json!({}))?;
/// while let Some(snapshot) = stats.next().await {
///     println!("{}", String::from_utf8_lossy(&snapshot?));
/// }
/// drop((client, stats));
/// println!("the connection ended: {}", driver.await?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    handle: Handle,
}

impl Client {
    /// Connects and waits for the broker's handshake, for ever if it hangs.
    pub async fn connect(
        endpoint: &Endpoint,
        config: ClientConfig,
    ) -> Result<(Self, Connection), ConnectError> {
        let path = endpoint.path();
        let socket = UnixStream::connect(path)
            .await
            .map_err(|source| ConnectError::Connect { path: path.to_owned(), source })?;
        Self::over(socket, config).await
    }

    /// The same over a socket that is connected already.
    pub async fn over(
        mut socket: UnixStream,
        config: ClientConfig,
    ) -> Result<(Self, Connection), ConnectError> {
        let byte = socket.read_u8().await.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
                ConnectError::NoHandshake
            }
            _ => ConnectError::Handshake(error),
        })?;
        wire::handshake(byte).map_err(|errno| ConnectError::Refused { errno })?;
        let client = Self { handle: Handle::first() };
        let decoder = Decoder::new(config.max_body);
        let connection = Connection::new(socket, decoder, client.handle.uncounted());
        Ok((client, connection))
    }

    /// Asks `topic` at `nodeid` and reads the response as `T`.
    ///
    /// `&()` sends no payload, and a response without payload reads as `()` or `None`. Dropping
    /// the future abandons the RPC.
    pub async fn rpc<T: DeserializeOwned>(
        &self,
        topic: &str,
        nodeid: u32,
        payload: &impl Serialize,
    ) -> Result<T, RpcError> {
        let response = self.rpc_bytes(topic, nodeid, payload).await?;
        let json: &[u8] = if response.is_empty() { b"null" } else { &response };
        serde_json::from_slice(json)
            .map_err(|source| RpcError::Payload { topic: topic.to_owned(), source })
    }

    /// The same with the response's bytes as they came, empty if there were none.
    pub async fn rpc_bytes(
        &self,
        topic: &str,
        nodeid: u32,
        payload: &impl Serialize,
    ) -> Result<Bytes, RpcError> {
        let mut responses = self.start(topic, nodeid, payload, false, 1)?;
        responses.next().await.unwrap_or_else(|| Ok(Bytes::new()))
    }

    /// Asks for a stream of responses of which only the newest waits to be read: for snapshots.
    pub fn stream(
        &self,
        topic: &str,
        nodeid: u32,
        payload: &impl Serialize,
    ) -> Result<Responses, RpcError> {
        self.start(topic, nodeid, payload, true, 1)
    }

    /// The same with up to `keep` responses waiting to be read: for journals. When more come the
    /// oldest gives way, and [`Responses::skipped`] counts it.
    pub fn stream_keeping(
        &self,
        topic: &str,
        nodeid: u32,
        payload: &impl Serialize,
        keep: usize,
    ) -> Result<Responses, RpcError> {
        self.start(topic, nodeid, payload, true, keep)
    }

    /// Events whose topic starts with `prefix`, from when the broker has agreed.
    pub async fn subscribe(&self, prefix: &str) -> Result<Events, RpcError> {
        let events = {
            let mut state = self.handle.lock();
            let subscription = state.session.subscribe(prefix)?;
            state.events.insert(subscription, Mailbox::new(KEPT_EVENTS));
            drop(state);
            Events { handle: self.handle.clone(), subscription }
        };
        let payload = serde_json::json!({ "topic": prefix });
        self.rpc_bytes("event.subscribe", NODEID_ANY, &payload).await?;
        Ok(events)
    }

    fn start(
        &self,
        topic: &str,
        nodeid: u32,
        payload: &impl Serialize,
        streaming: bool,
        keep: usize,
    ) -> Result<Responses, RpcError> {
        let payload = serde_json::to_vec(payload)
            .map_err(|source| RpcError::Request { topic: topic.to_owned(), source })?;
        let payload = (payload != b"null").then(|| payload.into());
        let call = Call { topic, nodeid, payload, streaming };
        let matchtag = self.handle.lock().start(call, keep)?;
        Ok(Responses { handle: self.handle.clone(), matchtag })
    }
}

#[cfg(test)]
mod tests;
