//! Recorded conversations: one `.hex` file each, as `flux-client` keeps them in its testdata.
//!
//! ```text
//!  # about
//!  > +0.0003s 56 bytes                        client to broker
//!    000000  12 00 ee ff 00 00 00 30 …  |…|
//!  < +0.0005s 64 bytes                        broker to client
//! ```

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use bytes::{Buf, Bytes, BytesMut};
use flux_client::{Errno, Flags, Kind, Message, message::NODEID_ANY, wire::HEADER_LEN};
use serde_json::Value;

/// Conversations with a client who was not the owner: only where they are asked for by name.
const OF_GUESTS: [&str; 2] = ["33-", "61-"];

/// What a broker of some release once sent, by what it was asked.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    exchanges: Vec<Exchange>,
    /// Topic and frame, in the order of the files.
    events: Vec<(String, Bytes)>,
    selected: Vec<String>,
}

/// A recording that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// A file or the directory.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No conversation at all.
    #[error("{} holds no conversation: is it a directory of .hex files?", .0.display())]
    Empty(PathBuf),
}

#[derive(Clone, Debug)]
struct Exchange {
    /// The file's name without its ending.
    name: String,
    request: Message,
    /// Whole frames.
    responses: Vec<Bytes>,
}

impl Recording {
    /// Reads all `.hex` files of a directory. Conversations that are no exchange of messages, such
    /// as the one with a wrong magic, are left out.
    pub fn load(dir: &Path) -> Result<Self, RecordingError> {
        let failed = |path: &Path, source| RecordingError::Read { path: path.to_owned(), source };
        let entries = fs::read_dir(dir).map_err(|error| failed(dir, error))?;
        let mut paths: Vec<PathBuf> =
            entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();

        let mut recording = Self::default();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|end| end == "hex")) {
            let text = fs::read_to_string(path).map_err(|error| failed(path, error))?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            recording.add(&name, &text);
        }
        if recording.exchanges.is_empty() {
            return Err(RecordingError::Empty(dir.to_owned()));
        }
        Ok(recording)
    }

    /// Answers a request that was not recorded, such as an attribute that nobody asked for.
    #[must_use]
    pub fn with_answer(mut self, topic: &str, request: &Value, response: &Value) -> Self {
        let text = |json: &Value| Some(Bytes::from(json.to_string()));
        let request = Message::request(topic, NODEID_ANY, 1, text(request));
        let response = crate::faults::encode(&Message::response_to(&request, text(response)));
        let name = "made up".to_owned();
        self.exchanges.push(Exchange { name, request, responses: vec![response] });
        self
    }

    /// Prefers these conversations, by their name or its beginning, the first one most.
    pub fn select(&mut self, names: &[&str]) {
        self.selected = names.iter().map(|&name| name.to_owned()).collect();
    }

    /// What was answered to the same question, with the matchtag of this one.
    pub(super) fn responses_to(&self, request: &Message) -> Option<Vec<Bytes>> {
        let same = self.exchanges.iter().filter(|exchange| exchange.answers(request));
        let preferred =
            same.filter_map(|exchange| Some((self.preference(&exchange.name)?, exchange)));
        let (_, exchange) = preferred.min_by_key(|(preference, _)| *preference)?;
        let retag = |frame: &Bytes| with_matchtag(frame, request.matchtag());
        Some(exchange.responses.iter().map(retag).collect())
    }

    /// What a broker says to what was never recorded.
    pub(super) fn refusal_of(&self, request: &Message) -> Message {
        let topic = request.topic();
        if topic == "attr.get" {
            return Message::error_to(request, Errno::ENOENT, None);
        }
        let service = |topic: &str| topic.split_once('.').map(|(service, _)| service.to_owned());
        let known = self
            .exchanges
            .iter()
            .any(|exchange| service(exchange.request.topic()) == service(topic));
        let text = if known {
            format!("Unknown service method '{topic}'")
        } else {
            format!("No service matching {topic} is registered")
        };
        Message::error_to(request, Errno::ENOSYS, Some(&text))
    }

    /// The nth event with this topic.
    pub(super) fn event(&self, topic: &str, nth: usize) -> Option<Bytes> {
        let same = self.events.iter().filter(|(recorded, _)| recorded == topic);
        same.map(|(_, frame)| frame.clone()).nth(nth)
    }

    /// Lower is better; `None` is not to be used.
    fn preference(&self, name: &str) -> Option<usize> {
        let selected =
            self.selected.iter().position(|selected| name.starts_with(selected.as_str()));
        let of_guest = OF_GUESTS.iter().any(|guest| name.starts_with(guest));
        selected.or_else(|| (!of_guest).then_some(self.selected.len()))
    }

    fn add(&mut self, name: &str, text: &str) {
        let first = self.exchanges.len();
        let (mut sent, mut received) = (BytesMut::new(), BytesMut::new());
        for (from_broker, bytes) in chunks(text) {
            let stream = if from_broker { &mut received } else { &mut sent };
            // The byte of the handshake.
            if from_broker && stream.is_empty() && bytes.len() == 1 {
                continue;
            }
            stream.extend_from_slice(&bytes);
            while let Some((message, frame)) = next_frame(stream) {
                match message.kind {
                    Kind::Request { .. } => {
                        let name = name.to_owned();
                        self.exchanges.push(Exchange {
                            name,
                            request: message,
                            responses: Vec::new(),
                        });
                    }
                    Kind::Response { matchtag, .. } => {
                        let mut here = self.exchanges.iter_mut().skip(first).rev();
                        if let Some(asked) = here.find(|asked| asked.request.matchtag() == matchtag)
                        {
                            asked.responses.push(frame);
                        }
                    }
                    Kind::Event { .. } => self.events.push((message.topic().to_owned(), frame)),
                    Kind::Control { .. } => {}
                }
            }
        }
        // A request without a response proves nothing.
        self.exchanges.retain(|exchange| !exchange.responses.is_empty());
    }
}

impl Exchange {
    fn answers(&self, request: &Message) -> bool {
        let streaming = |message: &Message| message.flags.contains(Flags::STREAMING);
        self.request.topic() == request.topic()
            && streaming(&self.request) == streaming(request)
            && rank(&self.request) == rank(request)
            && payload(&self.request) == payload(request)
    }
}

/// The rank that answers: the recordings are of rank 0's socket.
const fn rank(message: &Message) -> u32 {
    match message.kind {
        Kind::Request { nodeid: NODEID_ANY, .. } => 0,
        Kind::Request { nodeid, .. } => nodeid,
        Kind::Response { .. } | Kind::Event { .. } | Kind::Control { .. } => 0,
    }
}

/// No payload and an empty object mean the same to every service.
fn payload(message: &Message) -> Value {
    let payload = message.payload.as_deref().unwrap_or(b"{}");
    serde_json::from_slice(payload).unwrap_or_default()
}

/// The matchtag is the last number of a frame.
fn with_matchtag(frame: &Bytes, matchtag: u32) -> Bytes {
    let mut frame = BytesMut::from(frame.as_ref());
    if let Some(last) = frame.last_chunk_mut::<4>() {
        *last = matchtag.to_be_bytes();
    }
    frame.freeze()
}

/// Takes one whole frame off the front. What is no frame stays, and ends the conversation.
fn next_frame(stream: &mut BytesMut) -> Option<(Message, Bytes)> {
    let len = u32::from_be_bytes(*stream.get(4..HEADER_LEN)?.first_chunk()?);
    let whole = HEADER_LEN.checked_add(usize::try_from(len).ok()?)?;
    let frame = Bytes::copy_from_slice(stream.get(..whole)?);
    let message = Message::decode(frame.slice(HEADER_LEN..)).ok()?;
    stream.advance(whole);
    Some((message, frame))
}

/// Whether it came from the broker, and the bytes, for each `<` and `>`.
fn chunks(text: &str) -> Vec<(bool, Vec<u8>)> {
    let mut chunks: Vec<(bool, Vec<u8>)> = Vec::new();
    for line in text.lines() {
        match line.split_once(" +") {
            Some(("<", _)) => chunks.push((true, Vec::new())),
            Some((">", _)) => chunks.push((false, Vec::new())),
            _ => {}
        }
        if let (Some(dump), Some((_, bytes))) = (line.strip_prefix("  "), chunks.last_mut()) {
            let columns = dump.split('|').next().unwrap_or_default().split_whitespace().skip(1);
            bytes.extend(columns.filter_map(|column| u8::from_str_radix(column, 16).ok()));
        }
    }
    chunks
}
