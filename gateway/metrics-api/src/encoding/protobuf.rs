//! Kubernetes protobuf: the fields of a message, and the envelope around it.
//!
//! Bytes are those of Kubernetes' own encoder. A message inside another is written first and gets
//! its length put before it after: its few bytes are moved once, and nothing is measured twice.

use std::{fmt::Display, io::Write as _};

use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

use super::Document;

/// How a body in this encoding begins.
const MAGIC: [u8; 4] = *b"k8s\0";

/// Writes a document as `runtime.Unknown` behind the magic bytes.
pub(super) fn envelope(document: &impl Document, body: &mut Vec<u8>) {
    body.extend(MAGIC);
    let mut unknown = Message::new(body);
    unknown.message(1, |type_meta| {
        type_meta.string(1, document.api_version());
        type_meta.string(2, document.kind());
    });
    unknown.message(2, |raw| document.write_fields(raw));
    // Neither a content encoding nor a content type: both are those of the whole body.
    unknown.string(3, "");
    unknown.string(4, "");
}

/// The fields of one message, written one after another.
#[derive(Debug)]
pub struct Message<'a>(&'a mut Vec<u8>);

impl<'a> Message<'a> {
    /// Writes fields behind what a body has.
    pub(crate) const fn new(body: &'a mut Vec<u8>) -> Self {
        Self(body)
    }
}

impl Message<'_> {
    /// A text.
    pub fn string(&mut self, tag: u32, text: &str) {
        encode_key(tag, WireType::LengthDelimited, self.0);
        encode_varint(text.len() as u64, self.0);
        self.0.extend(text.as_bytes());
    }

    /// A text made on the way.
    pub fn display(&mut self, tag: u32, text: &impl Display) {
        self.message(tag, |content| {
            // Writing to a `Vec` cannot fail.
            let written = write!(content.0, "{text}");
            debug_assert!(written.is_ok(), "{written:?}");
        });
    }

    /// A whole number.
    pub fn integer(&mut self, tag: u32, number: i64) {
        encode_key(tag, WireType::Varint, self.0);
        encode_varint(number.cast_unsigned(), self.0);
    }

    /// Yes or no.
    pub fn boolean(&mut self, tag: u32, yes: bool) {
        self.integer(tag, yes.into());
    }

    /// A message, by what writes its fields.
    pub fn message(&mut self, tag: u32, fields: impl FnOnce(&mut Message<'_>)) {
        encode_key(tag, WireType::LengthDelimited, self.0);
        let start = self.0.len();
        fields(&mut Message(self.0));
        let length = (self.0.len() - start) as u64;
        encode_varint(length, self.0);
        let inner = self.0.get_mut(start..).unwrap_or_default();
        inner.rotate_right(encoded_len_varint(length));
    }

    /// A map of texts. Its keys ascend, as Kubernetes writes them.
    pub fn map<'m>(&mut self, tag: u32, entries: impl IntoIterator<Item = (&'m str, &'m str)>) {
        for (key, value) in entries {
            self.message(tag, |entry| {
                entry.string(1, key);
                entry.string(2, value);
            });
        }
    }

    /// The metadata of a list, all of whose fields are empty.
    pub fn list_meta(&mut self, tag: u32) {
        self.message(tag, |meta| {
            for empty in 1..=3 {
                meta.string(empty, "");
            }
        });
    }
}
