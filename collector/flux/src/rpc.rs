//! RPCs over one connection, as a state machine without I/O or time.
//!
//! ```text
//!  start, cancel ──▶ Session ──▶ bytes to send
//!  Frame ──────────▶    │   ──▶ Delivery: for which RPC or subscription, and whether it was the last
//!  abandon ─────────────┘
//! ```
//!
//! What holds always: no two RPCs in flight share a matchtag; a response reaches the RPC that it
//! answers or nobody; and nothing here grows past [`MAX_OUTSTANDING`], [`MAX_QUARANTINED`] and
//! [`MAX_SUBSCRIPTIONS`].
//!
//! ```
//! use bytes::BytesMut;
//! use flux_client::{Decoder, Frame, Message, message::NODEID_ANY};
//! use flux_client::rpc::{Call, Delivery, Session};
//!
//! let (mut session, mut sent) = (Session::new(), BytesMut::new());
//! let call = Call { topic: "state-machine.get", nodeid: NODEID_ANY, payload: None, streaming: false };
//! let tag = session.start(call, &mut sent)?;
//!
//! // A broker would read the request and answer it.
//! let mut broker = Decoder::default();
//! broker.push(&sent);
//! let Some(Frame::Message(request)) = broker.next()? else { panic!("not a whole message") };
//! let response = Message::response_to(&request, Some(r#"{"state":"run"}"#.into()));
//!
//! let Some(Delivery::Response { matchtag, result, last }) = session.handle(Frame::Message(response))
//! else { panic!("not delivered") };
//! assert_eq!((matchtag, last), (tag, true));
//! assert_eq!(result?, r#"{"state":"run"}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::{Bytes, BytesMut};

pub use self::error::{Disconnect, RpcError};
use crate::{
    errno::Errno,
    message::{Flags, Kind, Message, Proto},
    wire::Frame,
};

/// RPCs in flight. A collector has about ten.
pub const MAX_OUTSTANDING: usize = 1024;

/// Matchtags that wait for the end of an abandoned RPC. Beyond, the oldest is forgotten: the
/// counter comes back to it only after 2^32 further RPCs.
pub const MAX_QUARANTINED: usize = 1024;

/// Subscriptions to events.
pub const MAX_SUBSCRIPTIONS: usize = 64;

/// Bytes that may wait for a broker that does not read, before a further request is refused.
pub const MAX_UNSENT: usize = 1024 * 1024;

/// Characters of an error's text that are kept.
const MAX_ERROR_TEXT: usize = 1024;

/// A request to start an RPC with.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// `service.method`.
    pub topic: &'a str,
    /// The rank to ask, or [`NODEID_ANY`](crate::message::NODEID_ANY).
    pub nodeid: u32,
    /// JSON, mostly.
    pub payload: Option<Bytes>,
    /// Whether any number of responses is wanted.
    pub streaming: bool,
}

/// What [`Session::handle`] got out of a frame.
#[derive(Debug)]
pub enum Delivery {
    /// A response, empty where it had no payload.
    Response {
        /// The RPC that it belongs to.
        matchtag: u32,
        /// The payload, or how the RPC failed.
        result: Result<Bytes, RpcError>,
        /// Whether the RPC is over with it.
        last: bool,
    },
    /// A stream is over, in the normal way.
    End {
        /// The RPC that it belongs to.
        matchtag: u32,
    },
    /// An event, and the subscriptions whose prefix its topic has; at least one.
    Event {
        /// What was published.
        event: Event,
        /// For [`Session::unsubscribe`].
        subscriptions: Vec<u64>,
    },
}

/// Something published to all of the instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its name, such as `heartbeat.pulse`.
    pub topic: String,
    /// Counts the events of the instance.
    pub sequence: u32,
    /// JSON, where there is any.
    pub payload: Option<Bytes>,
}

/// The RPCs and subscriptions of one connection. A new connection starts with a new one.
#[derive(Debug, Default)]
pub struct Session {
    /// The matchtag last given out.
    newest_tag: u32,
    rpcs: HashMap<u32, Rpc>,
    /// Abandoned and not over yet, oldest first.
    quarantine: VecDeque<u32>,
    newest_subscription: u64,
    /// Topic prefixes.
    subscriptions: BTreeMap<u64, String>,
}

#[derive(Debug)]
struct Rpc {
    topic: String,
    nodeid: u32,
    streaming: bool,
    /// Whether its end by ECANCELED is what was asked for.
    cancelled: bool,
}

impl Session {
    /// Nothing in flight.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the request to `out` and gives the matchtag of its responses.
    pub fn start(&mut self, call: Call<'_>, out: &mut BytesMut) -> Result<u32, RpcError> {
        let Call { topic, nodeid, payload, streaming } = call;
        if self.rpcs.len() >= MAX_OUTSTANDING || out.len() >= MAX_UNSENT {
            return Err(RpcError::Busy { topic: topic.to_owned() });
        }
        let matchtag = self.free_tag();
        let request = if streaming {
            Message::streaming_request(topic, nodeid, matchtag, payload)
        } else {
            Message::request(topic, nodeid, matchtag, payload)
        };
        request
            .encode(out)
            .map_err(|source| RpcError::Encode { topic: topic.to_owned(), source })?;
        self.newest_tag = matchtag;
        let rpc = Rpc { topic: topic.to_owned(), nodeid, streaming, cancelled: false };
        self.rpcs.insert(matchtag, rpc);
        Ok(matchtag)
    }

    /// Asks the service to end a stream, by Flux's convention: `<topic>-cancel`, no response. The
    /// RPC goes on until the service ends it. Nothing happens if it is over or was cancelled.
    pub fn cancel(&mut self, matchtag: u32, out: &mut BytesMut) -> Result<(), RpcError> {
        let Some(rpc) = self.rpcs.get_mut(&matchtag).filter(|rpc| !rpc.cancelled) else {
            return Ok(());
        };
        let topic = format!("{}-cancel", rpc.topic);
        if out.len() >= MAX_UNSENT {
            return Err(RpcError::Busy { topic });
        }
        let payload = format!("{{\"matchtag\":{matchtag}}}");
        Message::request(&topic, rpc.nodeid, 0, Some(payload.into()))
            .encode(out)
            .map_err(|source| RpcError::Encode { topic, source })?;
        rpc.cancelled = true;
        Ok(())
    }

    /// Nobody waits for this RPC any more: what still comes of it is dropped, and its tag is not
    /// used again before it is over.
    pub fn abandon(&mut self, matchtag: u32) {
        if self.rpcs.remove(&matchtag).is_some() {
            if self.quarantine.len() == MAX_QUARANTINED {
                self.quarantine.pop_front();
            }
            self.quarantine.push_back(matchtag);
        }
    }

    /// Wants events whose topic starts with `prefix`. The broker has to be told as well.
    pub fn subscribe(&mut self, prefix: &str) -> Result<u64, RpcError> {
        if self.subscriptions.len() >= MAX_SUBSCRIPTIONS {
            return Err(RpcError::Busy { topic: "event.subscribe".to_owned() });
        }
        self.newest_subscription += 1;
        self.subscriptions.insert(self.newest_subscription, prefix.to_owned());
        Ok(self.newest_subscription)
    }

    /// Gives back the prefix, for the broker to be told.
    pub fn unsubscribe(&mut self, subscription: u64) -> Option<String> {
        self.subscriptions.remove(&subscription)
    }

    /// Takes what the decoder yields. `None` if nobody waits for it.
    pub fn handle(&mut self, frame: Frame) -> Option<Delivery> {
        match frame {
            Frame::Message(message) => match message.kind {
                Kind::Response { errnum, matchtag } => {
                    let over = is_over(errnum, message.flags);
                    let rpc = self.answered(matchtag, over)?;
                    Some(rpc.deliver(matchtag, errnum, message.payload, over))
                }
                Kind::Event { sequence } => self.publish(sequence, message),
                Kind::Request { .. } | Kind::Control { .. } => None,
            },
            Frame::Oversized { len, limit, proto } => {
                let Proto { kind: Kind::Response { errnum, matchtag }, flags, .. } = proto? else {
                    return None;
                };
                let over = is_over(errnum, flags);
                let topic = self.answered(matchtag, over)?.topic;
                let result = Err(RpcError::TooLarge { topic, len, limit });
                Some(Delivery::Response { matchtag, result, last: over })
            }
        }
    }

    /// RPCs in flight.
    pub fn outstanding(&self) -> usize {
        self.rpcs.len()
    }

    /// Tags of abandoned RPCs that are not over.
    pub fn quarantined(&self) -> usize {
        self.quarantine.len()
    }

    /// The next tag that is neither 0 nor in use. There are 2^32, of which few are.
    fn free_tag(&self) -> u32 {
        let mut tag = self.newest_tag;
        loop {
            tag = tag.wrapping_add(1);
            if tag != 0 && !self.rpcs.contains_key(&tag) && !self.quarantine.contains(&tag) {
                return tag;
            }
        }
    }

    /// The RPC that a response belongs to. If that ends it, the tag is free again.
    fn answered(&mut self, matchtag: u32, over: bool) -> Option<Rpc> {
        if over {
            self.quarantine.retain(|tag| *tag != matchtag);
            return self.rpcs.remove(&matchtag);
        }
        let Rpc { topic, nodeid, streaming, cancelled } = self.rpcs.get(&matchtag)?;
        let (topic, nodeid) = (topic.clone(), *nodeid);
        Some(Rpc { topic, nodeid, streaming: *streaming, cancelled: *cancelled })
    }

    fn publish(&self, sequence: u32, message: Message) -> Option<Delivery> {
        let topic = message.topic?;
        let wanted = self.subscriptions.iter().filter(|(_, prefix)| topic.starts_with(*prefix));
        let subscriptions: Vec<_> = wanted.map(|(subscription, _)| *subscription).collect();
        let event = Event { topic, sequence, payload: message.payload };
        (!subscriptions.is_empty()).then_some(Delivery::Event { event, subscriptions })
    }
}

impl Rpc {
    fn deliver(self, matchtag: u32, errnum: u32, payload: Option<Bytes>, last: bool) -> Delivery {
        let payload = payload.unwrap_or_default();
        let result = match Errno(errnum) {
            Errno(0) => Ok(payload),
            Errno::ENODATA if self.streaming => return Delivery::End { matchtag },
            Errno::ECANCELED if self.cancelled => return Delivery::End { matchtag },
            errno => Err(RpcError::Failed { topic: self.topic, errno, text: text(&payload) }),
        };
        Delivery::Response { matchtag, result, last }
    }
}

/// Whether a response is the last one. The STREAMING bit merely echoes the request: a service that
/// answers a streaming request once leaves the RPC open for ever.
const fn is_over(errnum: u32, flags: Flags) -> bool {
    errnum != 0 || !flags.contains(Flags::STREAMING)
}

fn text(payload: &[u8]) -> Option<String> {
    let text: String = String::from_utf8_lossy(payload).chars().take(MAX_ERROR_TEXT).collect();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests;
