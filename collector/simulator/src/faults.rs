//! What a test can make a broker do wrong, at any time, by topic.
//!
//! A [`Fault`] is set for a topic, or for [`ANY_TOPIC`], and holds until it is cleared: for the next
//! answers and for what a stream sends later. The connection applies it to the finished message, so
//! that services know nothing of faults.

use std::{collections::BTreeMap, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use flux_client::{Errno, Message};

/// Stands for every topic that has no fault of its own.
pub const ANY_TOPIC: &str = "*";

/// What happens to the answers of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// ENOSYS with the text of a module that is loaded and has no such method.
    Enosys,
    /// This error, with or without a text; it ends a stream.
    Fail(Errno, Option<String>),
    /// No answer, ever: a service that hangs.
    Silence,
    /// The right answer, this much later.
    Delay(Duration),
    /// A payload of this many bytes in place of the real one.
    Oversized(usize),
    /// A payload that is no JSON.
    NotJson,
    /// A frame whose body is no message.
    Malformed,
    /// Bytes that do not start with the magic of a frame.
    WrongMagic,
    /// The first half of the answer, then the end of the connection.
    CutShort,
}

/// How a connection begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Greeting {
    /// The byte 0.
    #[default]
    Accept,
    /// This byte, then the end: EPERM is what an unknown user gets.
    Refuse(u8),
    /// The end, without a byte.
    Close,
    /// Nothing.
    Silence,
}

/// The faults that are set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) greeting: Greeting,
    /// Each byte is written by itself.
    pub(crate) single_bytes: bool,
    by_topic: BTreeMap<String, Fault>,
}

/// What becomes of an answer.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Send the message as it is, after a while.
    Send(Message, Duration),
    /// Send these bytes.
    Raw(Bytes),
    /// Send these bytes and close.
    Last(Bytes),
    /// Send nothing.
    Nothing,
}

impl Plan {
    pub(crate) fn set(&mut self, topic: &str, fault: Fault) {
        self.by_topic.insert(topic.to_owned(), fault);
    }

    pub(crate) fn clear(&mut self, topic: &str) {
        self.by_topic.remove(topic);
    }

    /// Applies the fault of the message's topic. `request` is what it answers.
    pub(crate) fn apply(&self, mut message: Message, request: &Message) -> Effect {
        let topic = message.topic();
        let fault = self.by_topic.get(topic).or_else(|| self.by_topic.get(ANY_TOPIC));
        let fail = |errno, text: Option<&str>| {
            Effect::Send(Message::error_to(request, errno, text), Duration::ZERO)
        };
        match fault {
            None => Effect::Send(message, Duration::ZERO),
            Some(Fault::Enosys) => {
                fail(Errno::ENOSYS, Some(&format!("Unknown service method '{topic}'")))
            }
            Some(Fault::Fail(errno, text)) => fail(*errno, text.as_deref()),
            Some(Fault::Silence) => Effect::Nothing,
            Some(Fault::Delay(delay)) => Effect::Send(message, *delay),
            Some(Fault::Oversized(len)) => {
                message.payload = Some(padding(*len));
                Effect::Send(message, Duration::ZERO)
            }
            Some(Fault::NotJson) => {
                message.payload = Some(Bytes::from_static(b"{\"half\": "));
                Effect::Send(message, Duration::ZERO)
            }
            Some(Fault::Malformed) => {
                let mut frame = BytesMut::from(encode(&message).as_ref());
                // The magic of the proto frame, 20 bytes before the end.
                let proto = frame.len().saturating_sub(20);
                if let Some(byte) = frame.get_mut(proto) {
                    *byte = 0;
                }
                Effect::Raw(frame.freeze())
            }
            Some(Fault::WrongMagic) => Effect::Raw(Bytes::from_static(b"HTTP/1.1 200 OK\r\n\r\n")),
            Some(Fault::CutShort) => {
                let mut frame = encode(&message);
                frame.truncate(frame.len() / 2);
                Effect::Last(frame)
            }
        }
    }
}

/// The frame of a message; nothing where it cannot be sent.
pub(crate) fn encode(message: &Message) -> Bytes {
    let mut frame = BytesMut::new();
    if let Err(error) = message.encode(&mut frame) {
        tracing::error!(%error, topic = message.topic(), "cannot send an answer");
    }
    frame.freeze()
}

/// A JSON object of this many bytes, or of the few that one needs.
fn padding(len: usize) -> Bytes {
    let (before, after) = (&b"{\"pad\":\""[..], &b"\"}"[..]);
    let filler = len.saturating_sub(before.len() + after.len());
    let mut payload = BytesMut::with_capacity(before.len() + filler + after.len());
    payload.put_slice(before);
    payload.put_bytes(b'x', filler);
    payload.put_slice(after);
    payload.freeze()
}
