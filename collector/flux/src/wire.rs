//! Bytes of the socket to messages, without I/O.
//!
//! ```text
//!  12 00 ee ff   magic, host byte order
//!  00 00 00 30   length of the body, big endian, without these 8 bytes
//!  body          one message, see crate::message
//! ```
//!
//! The reader feeds a [`Decoder`] whatever arrives and takes messages out. What holds always: a
//! length is compared with the limit before a byte is reserved for it, memory grows with what has
//! arrived and not with what a header promises, and a body over the limit is skipped as it streams
//! in, all but the last 20 bytes, which name the RPC that it would have answered.

use bytes::{Buf, BufMut, BytesMut};

pub use crate::message::DecodeError;
use crate::{
    errno::Errno,
    message::{Message, PROTO_LEN, Proto},
};

/// The longest body that is held unless a caller says otherwise: `resource.sched-status` of 10,000
/// ranks that all differ is about 2 MiB.
pub const DEFAULT_MAX_BODY: usize = 8 * 1024 * 1024;

/// The longest body that can be asked for, 256 MiB.
pub const MAX_BODY: usize = 256 * 1024 * 1024;

/// Bytes of magic and length.
pub const HEADER_LEN: usize = 8;

/// Bytes reserved for a read while no longer frame is on its way.
const READ_CHUNK: usize = 16 * 1024;

/// Less room than this is not worth a system call.
const MIN_READ: usize = 1024;

const MAGIC: u32 = 0xffee_0012;

/// Reads the single byte that a broker sends on accept: 0, or why it closes the connection.
pub const fn handshake(byte: u8) -> Result<(), Errno> {
    match byte {
        0 => Ok(()),
        errnum => Err(Errno(errnum as u32)),
    }
}

pub(crate) fn put_header(out: &mut BytesMut, body_len: usize) {
    out.put_slice(&MAGIC.to_ne_bytes());
    // Callers have measured the body against MAX_BODY, which is below 2^32.
    out.put_u32(u32::try_from(body_len).unwrap_or(u32::MAX));
}

/// What a [`Decoder`] yields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A whole message.
    Message(Message),
    /// A body that was too long, and was thrown away as it arrived.
    Oversized {
        /// Bytes of the body.
        len: usize,
        /// What the decoder was allowed to hold.
        limit: usize,
        /// Its proto frame, where the last 20 bytes are one: names the RPC that it answers.
        proto: Option<Proto>,
    },
}

/// Turns a stream of bytes, cut anywhere, into frames.
///
/// ```
/// use flux_client::{Decoder, wire::DecodeError};
///
/// let mut decoder = Decoder::default();
/// decoder.push(&[0x12, 0x00, 0xee]);
/// assert_eq!(decoder.next(), Ok(None));
/// decoder.push(b"X");
/// assert!(matches!(decoder.next(), Err(DecodeError::Magic { at: 0, .. })));
/// ```
#[derive(Debug)]
pub struct Decoder {
    max_body: usize,
    buf: BytesMut,
    /// Bytes of the stream that have left `buf`, for errors.
    consumed: u64,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    /// Waiting for a header and its body.
    Framing,
    /// Throwing a body away.
    Skipping { len: usize, left: usize, tail: Tail },
    /// The stream makes no sense any more.
    Failed(DecodeError),
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(DEFAULT_MAX_BODY)
    }
}

impl Decoder {
    /// Holds bodies of up to `max_body` bytes; [`MAX_BODY`] at most.
    pub fn new(max_body: usize) -> Self {
        Self {
            max_body: max_body.min(MAX_BODY),
            buf: BytesMut::new(),
            consumed: 0,
            state: State::Framing,
        }
    }

    /// Takes bytes as they came. Call [`next`](Self::next) until it has no more before pushing on.
    pub fn push(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len());
        self.buf.extend_from_slice(bytes);
    }

    /// Room to read into without a copy: append to it, take nothing out.
    pub fn fill(&mut self) -> &mut BytesMut {
        if self.buf.capacity() - self.buf.len() < MIN_READ {
            self.make_room(self.growth());
        }
        &mut self.buf
    }

    /// The next whole frame, or `None` until more bytes are pushed. An error is final.
    #[expect(clippy::should_implement_trait, reason = "None means not yet, not the end")]
    pub fn next(&mut self) -> Result<Option<Frame>, DecodeError> {
        let result = self.step();
        if let Err(error) = &result {
            self.state = State::Failed(error.clone());
            self.buf = BytesMut::new();
        }
        result
    }

    /// Bytes that have arrived and belong to a frame that is not whole yet.
    pub fn buffered(&self) -> usize {
        self.buf.len()
    }

    /// Bytes of memory held for them.
    pub fn capacity(&self) -> usize {
        self.buf.capacity()
    }

    fn step(&mut self) -> Result<Option<Frame>, DecodeError> {
        match &mut self.state {
            State::Failed(error) => return Err(error.clone()),
            State::Framing => {}
            State::Skipping { .. } => return Ok(self.skip()),
        }
        let Some(len) = self.body_len()? else {
            return Ok(None);
        };
        if len > self.max_body {
            self.advance(HEADER_LEN);
            self.state = State::Skipping { len, left: len, tail: Tail::default() };
            return Ok(self.skip());
        }
        if self.buf.len() - HEADER_LEN < len {
            return Ok(None);
        }
        self.advance(HEADER_LEN);
        let body = self.buf.split_to(len).freeze();
        self.consumed += len as u64;
        Message::decode(body).map(|message| Some(Frame::Message(message)))
    }

    /// The length of the frame at the front, once its header is there.
    fn body_len(&self) -> Result<Option<usize>, DecodeError> {
        let Some((magic, rest)) = self.buf.split_first_chunk::<4>() else {
            return Ok(None);
        };
        // A broker writes its own byte order; reading either costs nothing.
        let number = u32::from_ne_bytes(*magic);
        if number != MAGIC && number.swap_bytes() != MAGIC {
            return Err(DecodeError::Magic { at: self.consumed, found: *magic });
        }
        Ok(rest.first_chunk::<4>().map(|len| u32::from_be_bytes(*len) as usize))
    }

    /// Throws away what has arrived of an oversized body.
    fn skip(&mut self) -> Option<Frame> {
        let State::Skipping { len, left, tail } = &mut self.state else {
            return None;
        };
        let here = (*left).min(self.buf.len());
        tail.push(self.buf.get(..here).unwrap_or_default());
        *left -= here;
        let done = (*left == 0).then(|| Frame::Oversized {
            len: *len,
            limit: self.max_body,
            proto: Proto::from_bytes(&tail.0).ok(),
        });
        self.advance(here);
        if done.is_some() {
            self.state = State::Framing;
        }
        done
    }

    fn advance(&mut self, len: usize) {
        self.buf.advance(len);
        self.consumed += len as u64;
    }

    /// Bytes of the frame at the front, header included, as far as they are to be held.
    fn pending(&self) -> usize {
        match (&self.state, self.body_len()) {
            (State::Framing, Ok(Some(len))) if len <= self.max_body => HEADER_LEN + len,
            _ => 0,
        }
    }

    /// Room for the next read: what the frame at the front still lacks, by doubling, so that a long
    /// body is copied a few times at most and a header alone reserves next to nothing.
    fn growth(&self) -> usize {
        match self.pending().saturating_sub(self.buf.len()) {
            0 => READ_CHUNK,
            missing => missing.min(self.buf.len().max(READ_CHUNK)).max(MIN_READ),
        }
    }

    /// Makes the room exact: `BytesMut` by itself would double, past the limit, and would keep the
    /// memory of the longest frame for ever.
    fn make_room(&mut self, additional: usize) {
        if self.buf.capacity() - self.buf.len() < additional {
            let additional = additional.max(self.growth());
            let mut roomier = BytesMut::with_capacity(self.buf.len() + additional);
            roomier.extend_from_slice(&self.buf);
            self.buf = roomier;
        }
    }
}

/// The last bytes of a body that is thrown away.
#[derive(Clone, Debug, Default)]
struct Tail([u8; PROTO_LEN]);

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        let fresh = bytes.len().min(PROTO_LEN);
        self.0.rotate_left(fresh);
        let newest = bytes.iter().rev().take(fresh);
        for (to, from) in self.0.iter_mut().rev().zip(newest) {
            *to = *from;
        }
    }
}

#[cfg(test)]
mod tests;
