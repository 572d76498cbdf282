//! Why an RPC did not answer.

use std::{io, sync::Arc};

use crate::{
    errno::Errno,
    message::{DecodeError, EncodeError},
    rpc::{MAX_OUTSTANDING, MAX_SUBSCRIPTIONS, MAX_UNSENT},
};

/// An RPC that failed, at home, on its way or at the service.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    /// The service answered with an error.
    #[error("{topic} failed with {errno}{}", explained(.text.as_deref()))]
    Failed {
        /// What was asked.
        topic: String,
        /// The number that it answered.
        errno: Errno,
        /// The service's own words, where it had any.
        text: Option<String>,
    },
    /// The response was skipped. A stream goes on after this, other RPCs are over.
    #[error("a response to {topic} has {len} bytes, over the limit of {limit}: raise max_body")]
    TooLarge {
        /// What was asked.
        topic: String,
        /// Bytes of its body.
        len: usize,
        /// What the connection was told to hold.
        limit: usize,
    },
    /// The connection ended before the RPC did.
    #[error("the connection to the broker is gone: {0}")]
    Disconnected(Disconnect),
    /// The response is there but is not what the caller expects.
    #[error("the response to {topic} is not the JSON that was expected")]
    Payload {
        /// What was asked.
        topic: String,
        /// Where and why.
        source: serde_json::Error,
    },
    /// The request's payload cannot be written as JSON.
    #[error("the payload for {topic} cannot be written as JSON")]
    Request {
        /// What was to be asked.
        topic: String,
        /// Why.
        source: serde_json::Error,
    },
    /// The request does not fit into a message.
    #[error("the request {topic:.64} cannot be sent")]
    Encode {
        /// What was to be asked.
        topic: String,
        /// Why.
        source: EncodeError,
    },
    /// A bound of this client. Some RPCs have to end first.
    #[error(
        "{topic} was not sent: {MAX_OUTSTANDING} RPCs or {MAX_SUBSCRIPTIONS} subscriptions are \
         open, or {MAX_UNSENT} bytes wait for a broker that does not read"
    )]
    Busy {
        /// What was to be asked.
        topic: String,
    },
}

impl RpcError {
    /// The number that the service answered, if it was the service that failed.
    pub const fn errno(&self) -> Option<Errno> {
        match self {
            Self::Failed { errno, .. } => Some(*errno),
            Self::TooLarge { .. }
            | Self::Disconnected(_)
            | Self::Payload { .. }
            | Self::Request { .. }
            | Self::Encode { .. }
            | Self::Busy { .. } => None,
        }
    }

    /// Nobody has this service or method: an older broker, or a module that is not loaded (yet).
    pub fn is_enosys(&self) -> bool {
        self.errno() == Some(Errno::ENOSYS)
    }
}

fn explained(text: Option<&str>) -> String {
    text.map(|text| format!(": {text}")).unwrap_or_default()
}

/// Why a connection ended.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Disconnect {
    /// End of file: the broker closed it, by shutting down or because it dislikes what it read.
    #[error("the broker closed it")]
    Closed,
    /// The socket failed.
    #[error("{0}")]
    Io(Arc<io::Error>),
    /// The broker sent what is no message.
    #[error("{0}")]
    Protocol(DecodeError),
    /// The last client, stream and subscription on it were dropped.
    #[error("nobody uses it any more")]
    Released,
    /// Its [`Connection`](crate::Connection) was dropped.
    #[error("its driver was stopped")]
    Stopped,
}
