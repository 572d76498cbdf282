//! Real brokers of seven versions: what they sent decodes to what stands beside it, what was sent
//! to them encodes to the same bytes. `testdata/README.md` has the format.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a recording that is not as described fails the test"
)]

mod recording;

use bytes::{Bytes, BytesMut};
use flux_client::{Decoder, Frame, Idset, Kind, Message, ResourceSet, message::DecodeError, wire};
use recording::{DEVELOPMENT, Direction, RELEASES, Recording};
use serde_json::Value;

#[test]
fn everything_that_a_release_sent_decodes_to_what_stands_beside_it() {
    let mut messages = 0;
    for recording in RELEASES.into_iter().flat_map(Recording::of_release) {
        for (chunk, expected) in recording.exchanges() {
            let name = &recording.name;
            if chunk.direction == Direction::Send || expected.get("eof").is_some() {
                continue;
            }
            if let Some(byte) = expected.get("auth_byte") {
                assert_eq!(chunk.bytes, [u8::try_from(byte.as_u64().unwrap()).unwrap()], "{name}");
                wire::handshake(chunk.bytes[0]).unwrap();
                continue;
            }
            let message = decode_one(name, &chunk.bytes);
            recording::assert_same(name, &message, expected);
            assert_eq!(encode(&message), chunk.bytes, "{name}: encoding what was decoded");
            messages += 1;
        }
    }
    assert_eq!(messages, 784);
}

#[test]
fn everything_that_was_sent_to_a_release_encodes_to_the_same_bytes() {
    let mut messages = 0;
    for recording in RELEASES.into_iter().flat_map(Recording::of_release) {
        for (chunk, expected) in recording.exchanges() {
            if chunk.direction == Direction::Send && expected.get("raw").is_none() {
                let payload = expected.get("payload").map(|json| json.to_string().into());
                let sent = encode(&request(expected, expected["flags_hex"].as_str(), payload));
                assert_eq!(sent, chunk.bytes, "{}", recording.name);
                messages += 1;
            }
        }
    }
    assert_eq!(messages, 452);
}

#[test]
fn the_development_version_decodes_and_encodes_to_the_same_bytes() {
    let (mut received, mut sent) = (0, 0);
    for (name, conversation) in recording::conversations(DEVELOPMENT) {
        for expected in conversation["messages"].as_array().unwrap() {
            let bytes = recording::unhex(expected["hex"].as_str().unwrap());
            if expected.get("what").is_some() {
                assert_eq!(bytes, [0], "{name}: the handshake");
            } else if expected["dir"] == "recv" {
                let message = decode_one(&name, &bytes);
                recording::assert_same(&name, &message, expected);
                assert_eq!(encode(&message), bytes, "{name}: encoding what was decoded");
                received += 1;
            } else {
                let payload = expected.get("payload").filter(|payload| !payload.is_null());
                let payload = payload.map(|json| recording::spaced(json).into());
                let flags = format!("{:#04x}", expected["flags"].as_u64().unwrap());
                assert_eq!(encode(&request(expected, Some(&flags), payload)), bytes, "{name}");
                sent += 1;
            }
        }
    }
    assert_eq!((received, sent), (205, 51));
}

#[test]
fn three_requests_in_one_write_are_three_messages() {
    for release in RELEASES {
        let recording = Recording::read(release, "31-pipelined");
        let (write, _) = recording.exchanges().find(|(_, sent)| sent.get("raw").is_some()).unwrap();
        let tags: Vec<_> = decode_all(&write.bytes).iter().map(Message::matchtag).collect();
        assert_eq!(tags, [1, 2, 3], "{release}");
    }
}

#[test]
fn a_wrong_magic_is_refused() {
    for release in RELEASES {
        let recording = Recording::read(release, "30-bad-magic");
        let (write, _) = recording.exchanges().find(|(_, sent)| sent.get("raw").is_some()).unwrap();
        let mut decoder = Decoder::default();
        decoder.push(&write.bytes);
        let error = DecodeError::Magic { at: 0, found: [0; 4] };
        assert_eq!(decoder.next(), Err(error), "{release}");
    }
}

#[test]
fn a_guest_is_refused_with_eperm() {
    for release in RELEASES {
        let recording = Recording::read(release, "33-guest-rejected");
        assert_eq!(recording.json["auth_byte"], "01");
        let refused = wire::handshake(recording.chunks[0].bytes[0]).unwrap_err();
        assert_eq!(refused.to_string(), "EPERM (1)", "{release}");
    }
}

#[test]
fn what_the_flux_command_says_and_hears_decodes() {
    for (name, sent, received) in
        [("34-libflux-ping", 3, 3), ("35-libflux-jobs", 1, 5), ("36-libflux-resource-list", 2, 2)]
    {
        let (to_broker, from_broker) = recording::socat("v0.88.0", name);
        let (handshake, from_broker) = from_broker.split_first().unwrap();
        assert_eq!(*handshake, 0);
        for (bytes, count) in [(to_broker.as_slice(), sent), (from_broker, received)] {
            let messages = decode_all(bytes);
            assert_eq!(messages.len(), count, "{name}");
            let again: Vec<u8> = messages.iter().flat_map(encode).collect();
            assert_eq!(again, bytes, "{name}");
        }
    }
}

#[test]
fn every_resource_set_of_every_version_reads() {
    let mut sets = 0;
    for (name, json) in RELEASES
        .into_iter()
        .chain([DEVELOPMENT])
        .flat_map(recording::conversations)
        .filter(|(name, _)| name.contains("resource-status") || name.contains("sched-status"))
    {
        for payload in json["messages"].as_array().into_iter().flatten() {
            for key in ["all", "down", "allocated", "R"] {
                let Some(r) = payload.get("payload").and_then(|payload| payload.get(key)) else {
                    continue;
                };
                let set = ResourceSet::from_json(r.to_string().as_bytes()).unwrap();
                let ranks =
                    r["execution"]["R_lite"].as_array().unwrap().iter().map(|entry| {
                        entry["rank"].as_str().unwrap().parse::<Idset>().unwrap().len()
                    });
                assert_eq!(set.nodes() as u64, ranks.sum::<u64>(), "{name} {key}");
                sets += 1;
            }
        }
    }
    assert_eq!(sets, 127);
}

/// What a client builds from the decoded JSON; both file formats have these keys.
fn request(expected: &Value, flags: Option<&str>, payload: Option<Bytes>) -> Message {
    let number = |key: &str| u32::try_from(expected[key].as_u64().unwrap()).unwrap();
    let topic = expected["topic"].as_str().unwrap();
    let (nodeid, matchtag) = (number("nodeid"), number("matchtag"));
    let flags = u8::from_str_radix(flags.unwrap().strip_prefix("0x").unwrap(), 16).unwrap();
    let message = if flags & 0x40 == 0 {
        Message::request(topic, nodeid, matchtag, payload)
    } else {
        Message::streaming_request(topic, nodeid, matchtag, payload)
    };
    assert_eq!(message.flags.bits(), flags, "{topic}");
    assert_eq!(message.kind, Kind::Request { nodeid, matchtag });
    message
}

fn decode_one(name: &str, bytes: &[u8]) -> Message {
    let mut messages = decode_all(bytes);
    assert_eq!(messages.len(), 1, "{name}");
    messages.remove(0)
}

fn decode_all(bytes: &[u8]) -> Vec<Message> {
    let mut decoder = Decoder::default();
    decoder.push(bytes);
    let mut messages = Vec::new();
    while let Some(frame) = decoder.next().unwrap() {
        let Frame::Message(message) = frame else { panic!("too long: {frame:?}") };
        messages.push(message);
    }
    assert_eq!(decoder.buffered(), 0, "bytes left over");
    messages
}

fn encode(message: &Message) -> BytesMut {
    let mut out = BytesMut::new();
    message.encode(&mut out).unwrap();
    out
}
