//! The last part of every message: 20 bytes with its type, flags, credentials and two numbers.
//!
//! It stands at a fixed distance from the end, so that it can be read even of a message that was
//! too long to hold.

use std::ops::BitOr;

use super::DecodeError;

/// Bytes of the proto frame, without the length before it.
pub const PROTO_LEN: usize = 20;

const MAGIC: u8 = 0x8e;
const VERSION: u8 = 0x01;

/// What a message is, and the two numbers whose meaning depends on that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Asks a service.
    Request {
        /// The broker's rank, or [`NODEID_ANY`](super::NODEID_ANY).
        nodeid: u32,
        /// Chosen by the client; 0 in a request that wants no response.
        matchtag: u32,
    },
    /// Answers a request.
    Response {
        /// 0 is success; see [`Errno`](crate::Errno).
        errnum: u32,
        /// That of the request.
        matchtag: u32,
    },
    /// Published to all who subscribe.
    Event {
        /// Counts the events of the instance.
        sequence: u32,
    },
    /// Between brokers; never seen on a local connector.
    Control {
        /// Which control message.
        kind: u32,
        /// Its value.
        status: u32,
    },
}

impl Kind {
    /// The matchtag of a request or response, else 0.
    pub const fn matchtag(self) -> u32 {
        match self {
            Self::Request { matchtag, .. } | Self::Response { matchtag, .. } => matchtag,
            Self::Event { .. } | Self::Control { .. } => 0,
        }
    }
}

/// The eight flags of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    /// A topic follows.
    pub const TOPIC: Self = Self(0x01);
    /// A payload follows.
    pub const PAYLOAD: Self = Self(0x02);
    /// No response is wanted.
    pub const NORESPONSE: Self = Self(0x04);
    /// Routes and their delimiter come first.
    pub const ROUTE: Self = Self(0x08);
    /// Not to the named rank but from it towards rank 0.
    pub const UPSTREAM: Self = Self(0x10);
    /// An event for the owner and the sender alone.
    pub const PRIVATE: Self = Self(0x20);
    /// Several responses; in a response an echo of the request.
    pub const STREAMING: Self = Self(0x40);
    /// For applications.
    pub const USER1: Self = Self(0x80);

    /// None.
    pub const fn empty() -> Self {
        Self(0)
    }

    /// All bits mean something, so that any byte is a set of flags.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// As on the wire.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether all of `flags` are set.
    pub const fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// TOPIC and PAYLOAD set by what is there.
    pub(super) fn for_parts<T: ?Sized, P>(self, topic: Option<&T>, payload: Option<&P>) -> Self {
        let mut bits = self.0 & !(Self::TOPIC.0 | Self::PAYLOAD.0);
        if topic.is_some() {
            bits |= Self::TOPIC.0;
        }
        if payload.is_some() {
            bits |= Self::PAYLOAD.0;
        }
        Self(bits)
    }
}

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The proto frame, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proto {
    /// The type and its two numbers.
    pub kind: Kind,
    /// Which other parts there are.
    pub flags: Flags,
    /// The sender.
    pub userid: u32,
    /// The sender's roles.
    pub rolemask: u32,
}

impl Proto {
    /// Reads the 20 bytes.
    pub fn from_bytes(bytes: &[u8; PROTO_LEN]) -> Result<Self, DecodeError> {
        let [magic, version, kind, flags, numbers @ ..] = bytes;
        let wrong =
            |what, found: &u8, expected| DecodeError::Proto { what, found: *found, expected };
        if *magic != MAGIC {
            return Err(wrong("the magic", magic, "0x8e"));
        }
        if *version != VERSION {
            return Err(wrong("the version", version, "0x01"));
        }
        let mut numbers = numbers.chunks_exact(4).map(|four| match *four {
            [a, b, c, d] => u32::from_be_bytes([a, b, c, d]),
            _ => 0,
        });
        let mut number = || numbers.next().unwrap_or_default();
        let (userid, rolemask, aux1, aux2) = (number(), number(), number(), number());
        let kind = match *kind {
            0x01 => Kind::Request { nodeid: aux1, matchtag: aux2 },
            0x02 => Kind::Response { errnum: aux1, matchtag: aux2 },
            0x04 => Kind::Event { sequence: aux1 },
            0x08 => Kind::Control { kind: aux1, status: aux2 },
            _ => return Err(wrong("the type", kind, "0x01, 0x02, 0x04 or 0x08")),
        };
        Ok(Self { kind, flags: Flags(*flags), userid, rolemask })
    }

    /// As on the wire.
    pub fn to_bytes(self) -> [u8; PROTO_LEN] {
        let (kind, aux1, aux2) = match self.kind {
            Kind::Request { nodeid, matchtag } => (0x01, nodeid, matchtag),
            Kind::Response { errnum, matchtag } => (0x02, errnum, matchtag),
            Kind::Event { sequence } => (0x04, sequence, 0),
            Kind::Control { kind, status } => (0x08, kind, status),
        };
        let mut bytes = [0; PROTO_LEN];
        let head = [MAGIC, VERSION, kind, self.flags.bits()];
        let numbers = [self.userid, self.rolemask, aux1, aux2].map(u32::to_be_bytes);
        for (to, from) in bytes.iter_mut().zip(head.iter().chain(numbers.as_flattened())) {
            *to = *from;
        }
        bytes
    }

    /// Reads the proto frame that ends a body.
    pub(super) fn at_end_of(body: &[u8]) -> Result<Self, DecodeError> {
        let Some((rest, proto)) = body.split_last_chunk() else {
            return Err(DecodeError::Truncated {
                part: "the proto frame",
                at: 0,
                wanted: PROTO_LEN,
                left: body.len(),
            });
        };
        match rest.last() {
            Some(len) if usize::from(*len) == PROTO_LEN => Self::from_bytes(proto),
            Some(len) => {
                Err(DecodeError::Proto { what: "the length before", found: *len, expected: "0x14" })
            }
            None => Err(DecodeError::Truncated {
                part: "the proto frame",
                at: 0,
                wanted: PROTO_LEN + 1,
                left: body.len(),
            }),
        }
    }
}
