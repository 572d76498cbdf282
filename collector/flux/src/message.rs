//! RFC 3 messages: what is inside a frame of [`crate::wire`].
//!
//! ```text
//!  [route]* [empty]   with flag ROUTE     who sent it on, oldest last
//!  [topic]            with flag TOPIC     "service.method", no NUL
//!  [payload]          with flag PAYLOAD   JSON and one NUL, or an error's text and one NUL
//!  [proto]            always, 20 bytes    type, flags, credentials and two numbers
//! ```
//!
//! Each part is `length, bytes`; the length is one byte below 255, else `0xff` and four bytes, big
//! endian. Presence is decided by the flags alone, never by position. Decoding shares the bytes of
//! the body: it copies the topic and nothing else.
//!
//! Where [RFC 3](https://flux-framework.readthedocs.io/projects/flux-rfc/en/latest/spec_3.html) and
//! real brokers differ (magic, length, NULs, routes of events), this follows the brokers.

mod proto;

use bytes::{BufMut, Bytes, BytesMut};

pub use self::proto::{Flags, Kind, PROTO_LEN, Proto};
use crate::{errno::Errno, wire};

/// "Any broker that has the service": the local one if it can, else upstream towards rank 0.
pub const NODEID_ANY: u32 = 0xFFFF_FFFF;

/// The user id with which a client asks the connector to fill in its own.
pub const USERID_UNKNOWN: u32 = 0xFFFF_FFFF;

/// The roles that a local connection of the instance's owner has: OWNER (1) and LOCAL (4).
pub const ROLEMASK_OWNER: u32 = 5;

/// Hops that a message may have taken. A tree with a fan-out of two and 10,000 brokers is 14 deep.
pub const MAX_ROUTES: usize = 64;

/// Bytes of a topic. The longest ones of Flux hold a namespace's or a job's id.
pub const MAX_TOPIC: usize = 4096;

/// One message, request to event.
///
/// ```
/// use bytes::BytesMut;
/// use flux_client::{Decoder, Frame, Message, message::NODEID_ANY};
///
/// let request = Message::request("attr.get", NODEID_ANY, 1, Some(r#"{"name":"size"}"#.into()));
/// let mut socket = BytesMut::new();
/// request.encode(&mut socket)?;
/// assert_eq!(socket.len(), 56);
///
/// let mut decoder = Decoder::default();
/// decoder.push(&socket);
/// assert_eq!(decoder.next()?, Some(Frame::Message(request)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Request, response, event or control, with the two numbers that each has.
    pub kind: Kind,
    /// [`encode`](Self::encode) sets TOPIC and PAYLOAD by what is there, and adds ROUTE where there
    /// are routes.
    pub flags: Flags,
    /// Whose message it is; in a request [`USERID_UNKNOWN`] means "fill me in".
    pub userid: u32,
    /// The sender's roles; in a request 0 means "fill me in".
    pub rolemask: u32,
    /// At most [`MAX_ROUTES`], oldest last.
    pub routes: Vec<Bytes>,
    /// `service.method`, or an event's name.
    pub topic: Option<String>,
    /// Without the NUL that ends it on the wire.
    pub payload: Option<Bytes>,
}

/// Bytes that are no message. Says which part, where it starts in the body, and why.
///
/// After one of these a stream cannot be read on: the connection is to be dropped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The four bytes before a length are not Flux's.
    #[error(
        "bad magic {found:02x?} at byte {at} of the stream, where a frame should start: \
         is this the socket of a Flux broker?"
    )]
    Magic {
        /// Bytes of the stream before them.
        at: u64,
        /// What stood there.
        found: [u8; 4],
    },
    /// A part ends behind the end of the body.
    #[error("{part} at byte {at} of the body wants {wanted} bytes, but {left} are left")]
    Truncated {
        /// Which part of the message.
        part: &'static str,
        /// Its first byte in the body.
        at: usize,
        /// Its length, as declared.
        wanted: usize,
        /// What the body still has.
        left: usize,
    },
    /// A part is longer, or there are more of them, than this crate accepts.
    #[error("{part} at byte {at} of the body is over the limit of {limit}")]
    Limit {
        /// Which part of the message.
        part: &'static str,
        /// Its first byte in the body.
        at: usize,
        /// The bound that it breaks.
        limit: usize,
    },
    /// A topic that is no text.
    #[error("the topic at byte {at} of the body is not UTF-8 without NUL")]
    Topic {
        /// Its first byte in the body.
        at: usize,
    },
    /// The last 20 bytes are not the end of a message.
    #[error("{what} is {found:#04x} in the last 20 bytes of the body, expected {expected}")]
    Proto {
        /// Which byte.
        what: &'static str,
        /// Its value.
        found: u8,
        /// What it may be.
        expected: &'static str,
    },
    /// Bytes between the parts that the flags announce and the end.
    #[error("{left} bytes at byte {at} of the body belong to no part that the flags announce")]
    Trailing {
        /// Where they start in the body.
        at: usize,
        /// How many there are.
        left: usize,
    },
}

/// A message that cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A part is over a limit that [`Message::decode`] would enforce at the other end.
    #[error("{part} of {len} is over the limit of {limit}")]
    Limit {
        /// Which part of the message.
        part: &'static str,
        /// Its length or number.
        len: usize,
        /// The bound that it breaks.
        limit: usize,
    },
    /// An empty route would end the list of routes.
    #[error("a route is empty, which on the wire ends the routes")]
    EmptyRoute,
    /// Brokers read a topic up to its first NUL.
    #[error("the topic holds a NUL")]
    Topic,
    /// Both flags at once: a stream of responses to a request that wants none.
    #[error("the flags STREAMING and NORESPONSE exclude each other")]
    Flags,
}

impl Message {
    /// A request as libflux sends it: empty route stack, credentials for the connector to fill in.
    ///
    /// Matchtag 0 means that no response is wanted and sets NORESPONSE.
    pub fn request(topic: &str, nodeid: u32, matchtag: u32, payload: Option<Bytes>) -> Self {
        let flags = if matchtag == 0 { Flags::ROUTE | Flags::NORESPONSE } else { Flags::ROUTE };
        Self {
            kind: Kind::Request { nodeid, matchtag },
            flags: flags.for_parts(Some(topic), payload.as_ref()),
            userid: USERID_UNKNOWN,
            rolemask: 0,
            routes: Vec::new(),
            topic: Some(topic.to_owned()),
            payload,
        }
    }

    /// The same with STREAMING: any number of responses, ended by an error, normally ENODATA.
    pub fn streaming_request(
        topic: &str,
        nodeid: u32,
        matchtag: u32,
        payload: Option<Bytes>,
    ) -> Self {
        let mut message = Self::request(topic, nodeid, matchtag, payload);
        message.flags = message.flags | Flags::STREAMING;
        message
    }

    /// What a broker answers: the header of the request with another type, so that the STREAMING
    /// bit merely echoes.
    pub fn response_to(request: &Self, payload: Option<Bytes>) -> Self {
        Self::answer(request, 0, payload)
    }

    /// A failure with the text that explains it, where there is one.
    pub fn error_to(request: &Self, errnum: Errno, text: Option<&str>) -> Self {
        let payload = text.map(|text| Bytes::copy_from_slice(text.as_bytes()));
        Self::answer(request, errnum.0, payload)
    }

    /// An event as brokers publish it since 0.56, with the route of its publisher; without the
    /// route, as before.
    pub fn event(
        topic: &str,
        sequence: u32,
        publisher: Option<Bytes>,
        payload: Option<Bytes>,
    ) -> Self {
        let flags = if publisher.is_some() { Flags::ROUTE } else { Flags::empty() };
        Self {
            kind: Kind::Event { sequence },
            flags: flags.for_parts(Some(topic), payload.as_ref()),
            userid: 0,
            rolemask: ROLEMASK_OWNER,
            routes: publisher.into_iter().collect(),
            topic: Some(topic.to_owned()),
            payload,
        }
    }

    fn answer(request: &Self, errnum: u32, payload: Option<Bytes>) -> Self {
        Self {
            kind: Kind::Response { errnum, matchtag: request.matchtag() },
            flags: (request.flags | Flags::ROUTE)
                .for_parts(request.topic.as_deref(), payload.as_ref()),
            userid: 0,
            rolemask: ROLEMASK_OWNER,
            routes: request.routes.clone(),
            topic: request.topic.clone(),
            payload,
        }
    }

    /// The number that ties a response to its request; 0 where there is none.
    pub const fn matchtag(&self) -> u32 {
        self.kind.matchtag()
    }

    /// The topic, empty where there is none.
    pub fn topic(&self) -> &str {
        self.topic.as_deref().unwrap_or_default()
    }

    /// Appends the whole framed message, header included: what goes to the socket.
    ///
    /// On an error nothing is appended.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        let flags = self.flags.for_parts(self.topic.as_deref(), self.payload.as_ref());
        let flags = if self.routes.is_empty() { flags } else { flags | Flags::ROUTE };
        if flags.contains(Flags::STREAMING) && flags.contains(Flags::NORESPONSE) {
            return Err(EncodeError::Flags);
        }
        if self.routes.iter().any(Bytes::is_empty) {
            return Err(EncodeError::EmptyRoute);
        }
        if self.topic().contains('\0') {
            return Err(EncodeError::Topic);
        }
        encodable("a number of routes", self.routes.len(), MAX_ROUTES)?;
        encodable("a topic", self.topic().len(), MAX_TOPIC)?;

        let mut len = part_len(PROTO_LEN);
        if flags.contains(Flags::ROUTE) {
            len += self.routes.iter().map(|route| part_len(route.len())).sum::<usize>() + 1;
        }
        len += self.topic.as_ref().map_or(0, |topic| part_len(topic.len()));
        len += self.payload.as_ref().map_or(0, |payload| part_len(payload.len() + 1));
        encodable("a body", len, wire::MAX_BODY)?;

        out.reserve(wire::HEADER_LEN + len);
        wire::put_header(out, len);
        if flags.contains(Flags::ROUTE) {
            for route in &self.routes {
                put_len(out, route.len());
                out.put_slice(route);
            }
            put_len(out, 0);
        }
        if let Some(topic) = &self.topic {
            put_len(out, topic.len());
            out.put_slice(topic.as_bytes());
        }
        if let Some(payload) = &self.payload {
            put_len(out, payload.len() + 1);
            out.put_slice(payload);
            out.put_u8(0);
        }
        put_len(out, PROTO_LEN);
        out.put_slice(
            &Proto { kind: self.kind, flags, userid: self.userid, rolemask: self.rolemask }
                .to_bytes(),
        );
        Ok(())
    }

    /// Reads one body: what follows the 8 bytes of magic and length.
    pub fn decode(body: Bytes) -> Result<Self, DecodeError> {
        let proto = Proto::at_end_of(&body)?;
        let mut parts = Parts { at: 0, end: body.len() - part_len(PROTO_LEN), body };

        let mut routes = Vec::new();
        if proto.flags.contains(Flags::ROUTE) {
            loop {
                let (at, route) = parts.next("a route")?;
                if route.is_empty() {
                    break;
                }
                if routes.len() == MAX_ROUTES {
                    return Err(DecodeError::Limit { part: "a route", at, limit: MAX_ROUTES });
                }
                routes.push(route);
            }
        }
        let topic = if proto.flags.contains(Flags::TOPIC) {
            let (at, topic) = parts.next("the topic")?;
            let topic = without_nul(topic);
            if topic.len() > MAX_TOPIC {
                return Err(DecodeError::Limit { part: "the topic", at, limit: MAX_TOPIC });
            }
            match str::from_utf8(&topic) {
                Ok(topic) if !topic.contains('\0') => Some(topic.to_owned()),
                _ => return Err(DecodeError::Topic { at }),
            }
        } else {
            None
        };
        let payload = if proto.flags.contains(Flags::PAYLOAD) {
            Some(without_nul(parts.next("the payload")?.1))
        } else {
            None
        };
        parts.finish()?;

        let Proto { kind, flags, userid, rolemask } = proto;
        Ok(Self { kind, flags, userid, rolemask, routes, topic, payload })
    }
}

/// A body, read part by part up to the proto frame.
struct Parts {
    body: Bytes,
    /// The next byte to read.
    at: usize,
    /// Where the proto frame starts: no part reaches into it.
    end: usize,
}

impl Parts {
    /// The next part and where it starts.
    fn next(&mut self, part: &'static str) -> Result<(usize, Bytes), DecodeError> {
        let start = self.at;
        let truncated = |wanted, left| DecodeError::Truncated { part, at: start, wanted, left };
        let rest = self.body.get(start..self.end).unwrap_or_default();
        let (prefix, len) = match *rest {
            [] => return Err(truncated(1, 0)),
            [0xff, a, b, c, d, ..] => (5, u32::from_be_bytes([a, b, c, d]) as usize),
            [0xff, ..] => return Err(truncated(5, rest.len())),
            [len, ..] => (1, usize::from(len)),
        };
        let left = rest.len() - prefix;
        if len > left {
            return Err(truncated(len, left));
        }
        let from = start + prefix;
        self.at = from + len;
        Ok((start, self.body.slice(from..self.at)))
    }

    const fn finish(&self) -> Result<(), DecodeError> {
        match self.end - self.at {
            0 => Ok(()),
            left => Err(DecodeError::Trailing { at: self.at, left }),
        }
    }
}

fn without_nul(mut part: Bytes) -> Bytes {
    if part.last() == Some(&0) {
        part.truncate(part.len() - 1);
    }
    part
}

const fn encodable(part: &'static str, len: usize, limit: usize) -> Result<(), EncodeError> {
    if len > limit { Err(EncodeError::Limit { part, len, limit }) } else { Ok(()) }
}

/// Bytes of a part with its length before it.
const fn part_len(len: usize) -> usize {
    if len < 0xff { 1 + len } else { 5 + len }
}

fn put_len(out: &mut BytesMut, len: usize) {
    match u8::try_from(len) {
        Ok(short) if short < 0xff => out.put_u8(short),
        _ => {
            out.put_u8(0xff);
            // The body was measured against MAX_BODY, which is below 2^32.
            out.put_u32(u32::try_from(len).unwrap_or(u32::MAX));
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
