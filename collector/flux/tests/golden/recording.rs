//! Reads the recordings in `testdata`.

use std::{fs, io, path::PathBuf};

use flux_client::{Kind, Message};
use serde::Serialize;
use serde_json::{Serializer, Value, ser::Formatter};

pub(crate) const RELEASES: [&str; 6] =
    ["v0.45.0", "v0.49.0", "v0.54.0", "v0.60.0", "v0.72.0", "v0.88.0"];
pub(crate) const DEVELOPMENT: &str = "v0.88.0-59";

/// One conversation with a release.
pub(crate) struct Recording {
    pub(crate) name: String,
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) json: Value,
}

/// What one read or write moved.
pub(crate) struct Chunk {
    pub(crate) direction: Direction,
    pub(crate) bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Send,
    Receive,
}

impl Recording {
    /// All of one release that have a `.json`.
    pub(crate) fn of_release(version: &'static str) -> impl Iterator<Item = Self> {
        stems(version).into_iter().map(move |stem| Self::read(version, &stem))
    }

    pub(crate) fn read(version: &str, stem: &str) -> Self {
        let text = read(version, &format!("{stem}.hex"));
        let json = serde_json::from_str(&read(version, &format!("{stem}.json"))).unwrap();
        Self { name: format!("{version}/{stem}"), chunks: chunks(&text), json }
    }

    /// Each chunk with what stands beside it; none for 33, which has no messages.
    pub(crate) fn exchanges(&self) -> impl Iterator<Item = (&Chunk, &Value)> {
        let messages = self.json.get("messages").and_then(Value::as_array);
        let messages = messages.map(Vec::as_slice).unwrap_or_default();
        if !messages.is_empty() {
            assert_eq!(self.chunks.len(), messages.len(), "{}", self.name);
        }
        self.chunks.iter().zip(messages).inspect(|(chunk, message)| {
            let direction = match message["dir"].as_str() {
                Some("client->broker") => Direction::Send,
                _ => Direction::Receive,
            };
            assert_eq!(chunk.direction, direction, "{}", self.name);
        })
    }
}

/// Every `.json` of a version, by name.
pub(crate) fn conversations(version: &str) -> Vec<(String, Value)> {
    let read = |stem: String| {
        let json = serde_json::from_str(&read(version, &format!("{stem}.json"))).unwrap();
        (format!("{version}/{stem}"), json)
    };
    stems(version).into_iter().map(read).collect()
}

/// The two directions of a `socat -x -v` dump: `> header`, ` 12 00 ee ff  text`, `--`.
pub(crate) fn socat(version: &str, stem: &str) -> (Vec<u8>, Vec<u8>) {
    let (mut sent, mut received) = (Vec::new(), Vec::new());
    let mut direction = Direction::Send;
    for line in read(version, &format!("{stem}.hex")).lines() {
        match line.as_bytes().first() {
            Some(b'>') => direction = Direction::Send,
            Some(b'<') => direction = Direction::Receive,
            Some(b' ') => {
                let hex = line.get(1..).unwrap().split("  ").next().unwrap();
                let bytes = unhex(&hex.replace(' ', ""));
                if direction == Direction::Send { &mut sent } else { &mut received }.extend(bytes);
            }
            _ => {}
        }
    }
    (sent, received)
}

/// `message` against either format of the decoded JSON.
pub(crate) fn assert_same(name: &str, message: &Message, expected: &Value) {
    let number = |key: &str| u32::try_from(expected[key].as_u64().unwrap()).unwrap();
    let development = expected.get("aux1").is_some();
    let aux = |key: &str, aux: &str| number(if development { aux } else { key });
    let kind = match (expected["type"].as_str(), expected["type"].as_u64()) {
        (Some("response"), _) | (_, Some(2)) => {
            Kind::Response { errnum: aux("errnum", "aux1"), matchtag: aux("matchtag", "aux2") }
        }
        (Some("event"), _) | (_, Some(4)) => Kind::Event { sequence: aux("sequence", "aux1") },
        _ => panic!("{name}: a broker sent a message of type {}", expected["type"]),
    };
    let flags = match expected.get("flags_hex").and_then(Value::as_str) {
        Some(hex) => u64::from_str_radix(hex.strip_prefix("0x").unwrap(), 16).unwrap(),
        None => expected["flags"].as_u64().unwrap(),
    };
    assert_eq!(message.kind, kind, "{name}");
    assert_eq!(u64::from(message.flags.bits()), flags, "{name}");
    assert_eq!(message.userid, number("userid"), "{name}");
    assert_eq!(message.rolemask, number("rolemask"), "{name}");
    assert_eq!(message.topic(), expected["topic"].as_str().unwrap(), "{name}");
    match &expected["routes"] {
        Value::Array(routes) => {
            let decoded = message.routes.iter().map(|route| str::from_utf8(route).unwrap());
            assert!(decoded.eq(routes.iter().map(|route| route.as_str().unwrap())), "{name}");
        }
        count => assert_eq!(Some(message.routes.len() as u64), count.as_u64(), "{name}"),
    }
    assert_same_payload(name, message, expected);
}

fn assert_same_payload(name: &str, message: &Message, expected: &Value) {
    let payload = message.payload.as_deref();
    let text = expected.get("payload_raw").or_else(|| expected.get("payload"));
    match text.filter(|expected| !expected.is_null()) {
        None => assert_eq!(payload, None, "{name}"),
        Some(Value::String(text)) => {
            let payload = str::from_utf8(payload.unwrap()).unwrap();
            assert_eq!(payload, text.trim_end_matches('\0'), "{name}");
        }
        Some(json) => {
            let payload: Value = serde_json::from_slice(payload.unwrap()).unwrap();
            assert_eq!(&payload, json, "{name}");
        }
    }
}

/// JSON as Python writes it, with a space after each comma and colon.
pub(crate) fn spaced(json: &Value) -> Vec<u8> {
    struct Spaced;
    impl Formatter for Spaced {
        fn begin_array_value<W: io::Write + ?Sized>(
            &mut self,
            out: &mut W,
            first: bool,
        ) -> io::Result<()> {
            out.write_all(if first { b"" } else { b", " })
        }

        fn begin_object_key<W: io::Write + ?Sized>(
            &mut self,
            out: &mut W,
            first: bool,
        ) -> io::Result<()> {
            out.write_all(if first { b"" } else { b", " })
        }

        fn begin_object_value<W: io::Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
            out.write_all(b": ")
        }
    }
    let mut out = Vec::new();
    json.serialize(&mut Serializer::with_formatter(&mut out, Spaced)).unwrap();
    out
}

pub(crate) fn unhex(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// `> +0.1s 56 bytes`, then `  000010  65 74 10  |text|`; in 33 the bytes follow the `<`.
fn chunks(text: &str) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::new();
    for line in text.lines() {
        let mut words = line.split('|').next().unwrap().split_whitespace();
        let direction = match words.next() {
            Some(">") => Direction::Send,
            Some("<") => Direction::Receive,
            Some("#") | None => continue,
            Some(_offset) => {
                let bytes = &mut chunks.last_mut().unwrap().bytes;
                bytes.extend(words.flat_map(unhex));
                continue;
            }
        };
        let bytes = match words.next() {
            Some(time) if time.starts_with('+') => Vec::new(),
            byte => unhex(byte.unwrap()),
        };
        chunks.push(Chunk { direction, bytes });
    }
    chunks
}

/// Names of a version's `.json` files, without the ending, sorted.
fn stems(version: &str) -> Vec<String> {
    let entries = fs::read_dir(directory(version)).unwrap();
    let mut stems: Vec<_> = entries
        .filter_map(|entry| {
            let path = entry.unwrap().path();
            let json = path.extension().is_some_and(|extension| extension == "json");
            json.then(|| path.file_stem().unwrap().to_str().unwrap().to_owned())
        })
        .collect();
    stems.sort();
    stems
}

fn read(version: &str, file: &str) -> String {
    fs::read_to_string(directory(version).join(file)).unwrap()
}

fn directory(version: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata").join(version)
}
