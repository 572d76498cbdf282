//! Encodings: one answer as JSON, YAML or Kubernetes protobuf.
//!
//! A type that is answered is a [`Document`]: serde writes it as JSON and YAML, and it writes its
//! protobuf fields itself. A new encoding is a variant of [`Encoding`] and an arm in
//! [`Encoding::encode`].

use bytes::Bytes;
use serde::Serialize;

use crate::accept::Offer;

mod protobuf;

pub use protobuf::Message;

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// JSON in one line.
    Json,
    /// JSON for people, indented by two spaces.
    PrettyJson,
    /// YAML in block style.
    Yaml,
    /// Kubernetes protobuf: a message in an envelope that names its type.
    Protobuf,
}

/// What can be answered.
///
/// As JSON it starts with `kind` and `apiVersion`, which protobuf has in its envelope.
pub trait Document: Serialize {
    /// The version of its type, such as `v1`.
    fn api_version(&self) -> &'static str;

    /// The name of its type.
    fn kind(&self) -> &'static str;

    /// About how many bytes it takes as JSON.
    fn size_hint(&self) -> usize {
        256
    }

    /// Writes it as JSON in one line, without the newline. What is read all the time may do that faster
    /// than serde, and then writes the same.
    fn write_json(&self, body: &mut Vec<u8>) -> serde_json::Result<()>
    where
        Self: Sized,
    {
        serde_json::to_writer(body, self)
    }

    /// Writes its protobuf fields in the way of Kubernetes: in ascending order, and also those
    /// that are empty, unless they are optional.
    fn write_fields(&self, message: &mut Message<'_>);
}

/// The metadata of a list or a `Status`, without any field; in protobuf
/// [`Message::list_meta`].
#[derive(Serialize)]
pub(crate) struct ListMeta {}

impl Encoding {
    /// Those that are offered, the preferred one first. People get [`Self::PrettyJson`] in place
    /// of JSON.
    pub const OFFERED: [Self; 3] = [Self::Json, Self::Yaml, Self::Protobuf];

    /// Type and subtype, for `Accept` and `Content-Type`.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json | Self::PrettyJson => "application/json",
            Self::Yaml => "application/yaml",
            Self::Protobuf => "application/vnd.kubernetes.protobuf",
        }
    }

    /// The same encoding for people, where it has a form for them.
    #[must_use]
    pub const fn pretty(self) -> Self {
        match self {
            Self::Json | Self::PrettyJson => Self::PrettyJson,
            Self::Yaml | Self::Protobuf => self,
        }
    }

    /// Writes a document. Text ends in a newline.
    pub fn encode(self, document: &impl Document) -> Vec<u8> {
        let mut body = Vec::with_capacity(document.size_hint());
        let written = match self {
            Self::Protobuf => {
                protobuf::envelope(document, &mut body);
                return body;
            }
            Self::Json => document.write_json(&mut body).map_err(|e| e.to_string()),
            Self::PrettyJson => {
                serde_json::to_writer_pretty(&mut body, document).map_err(|e| e.to_string())
            }
            Self::Yaml => {
                serde_saphyr::to_io_writer(&mut body, document).map_err(|e| e.to_string())
            }
        };
        // Writing texts, numbers and lists to a `Vec` cannot fail.
        debug_assert!(written.is_ok(), "{written:?}");
        if body.last() != Some(&b'\n') {
            body.push(b'\n');
        }
        body
    }
}

impl From<Encoding> for Offer {
    fn from(encoding: Encoding) -> Self {
        Self { media_type: encoding.media_type(), transform: None, version: None }
    }
}

/// A document in every encoding, made once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    json: Bytes,
    pretty_json: Bytes,
    yaml: Bytes,
    protobuf: Bytes,
}

impl Prepared {
    /// Writes a document in every encoding.
    pub fn new(document: &impl Document) -> Self {
        let body = |encoding: Encoding| Bytes::from(encoding.encode(document));
        Self {
            json: body(Encoding::Json),
            pretty_json: body(Encoding::PrettyJson),
            yaml: body(Encoding::Yaml),
            protobuf: body(Encoding::Protobuf),
        }
    }

    /// One of its bodies.
    pub const fn body(&self, encoding: Encoding) -> &Bytes {
        match encoding {
            Encoding::Json => &self.json,
            Encoding::PrettyJson => &self.pretty_json,
            Encoding::Yaml => &self.yaml,
            Encoding::Protobuf => &self.protobuf,
        }
    }
}
