use bytes::{Bytes, BytesMut};
use proptest::{collection::vec, option, prelude::*};

use super::{
    DecodeError, EncodeError, Flags, Kind, MAX_ROUTES, MAX_TOPIC, Message, NODEID_ANY, PROTO_LEN,
};
use crate::errno::Errno;

/// `attr.get {"name":"size"}`, as every recorded broker accepted it.
const ATTR_GET: &[u8] = b"\x00\x08attr.get\x10{\"name\":\"size\"}\0\
    \x14\x8e\x01\x01\x0b\xff\xff\xff\xff\0\0\0\0\xff\xff\xff\xff\0\0\0\x01";

fn encoded(message: &Message) -> Vec<u8> {
    let mut out = BytesMut::new();
    message.encode(&mut out).unwrap();
    out.to_vec()
}

fn attr_get() -> Message {
    Message::request("attr.get", NODEID_ANY, 1, Some(r#"{"name":"size"}"#.into()))
}

#[test]
fn a_request_has_the_bytes_that_brokers_accept() {
    let mut bytes = vec![0x12, 0x00, 0xee, 0xff, 0, 0, 0, 48];
    bytes.extend_from_slice(ATTR_GET);
    assert_eq!(encoded(&attr_get()), bytes);
    assert_eq!(Message::decode(Bytes::from_static(ATTR_GET)), Ok(attr_get()));
}

#[test]
fn a_request_without_matchtag_wants_no_response() {
    let cancel = Message::request("x.y-cancel", 0, 0, Some(r#"{"matchtag":7}"#.into()));
    assert_eq!(cancel.flags.bits(), 0x0f);
    assert_eq!(
        Message::streaming_request("groups.get", 0, 1, Some("{}".into())).flags.bits(),
        0x4b
    );
}

#[test]
fn an_answer_echoes_the_request() {
    let request = Message::streaming_request("a.b", 0, 7, Some("{}".into()));
    let ok = Message::response_to(&request, None);
    assert_eq!(ok.kind, Kind::Response { errnum: 0, matchtag: 7 });
    assert_eq!((ok.topic(), ok.flags.bits()), ("a.b", 0x49));
    let failed = Message::error_to(&request, Errno::ENOSYS, Some("no"));
    assert_eq!(failed.kind, Kind::Response { errnum: 38, matchtag: 7 });
    assert_eq!(failed.payload.as_deref(), Some(b"no".as_slice()));
}

#[test]
fn a_topic_with_a_nul_is_read_too() {
    let body =
        Bytes::from_static(b"\x04a.b\0\x14\x8e\x01\x04\x01\0\0\0\0\0\0\0\x05\0\0\0\x09\0\0\0\0");
    let event = Message::decode(body).unwrap();
    assert_eq!((event.topic(), event.kind), ("a.b", Kind::Event { sequence: 9 }));
}

#[test]
fn bad_bodies_say_what_is_wrong_and_where() {
    let proto = ATTR_GET.split_at(ATTR_GET.len() - PROTO_LEN).1;
    let with = |parts: &[u8], flags: u8| {
        let mut body = parts.to_vec();
        body.push(20);
        body.extend_from_slice(proto);
        let at = body.len() - PROTO_LEN + 3;
        body[at] = flags;
        body
    };
    let patched = |at: usize, byte: u8| {
        let mut body = ATTR_GET.to_vec();
        let at = body.len() - PROTO_LEN - 1 + at;
        body[at] = byte;
        body
    };
    for (name, body, message) in [
        ("empty", vec![], "the proto frame at byte 0 of the body wants 20 bytes, but 0 are left"),
        (
            "20 bytes",
            proto.to_vec(),
            "the proto frame at byte 0 of the body wants 21 bytes, but 20",
        ),
        ("length", patched(0, 19), "the length before is 0x13 in the last 20 bytes"),
        ("magic", patched(1, 0), "the magic is 0x00 in the last 20 bytes"),
        ("version", patched(2, 2), "the version is 0x02 in the last 20 bytes"),
        ("type", patched(3, 3), "the type is 0x03 in the last 20 bytes"),
        ("no topic", with(b"", 0x01), "the topic at byte 0 of the body wants 1 bytes, but 0"),
        (
            "cut topic",
            with(b"\x05abc", 0x01),
            "the topic at byte 0 of the body wants 5 bytes, but 3",
        ),
        ("cut length", with(b"\xff\0\0", 0x01), "the topic at byte 0 of the body wants 5 bytes"),
        (
            "huge length",
            with(b"\xff\xff\xff\xff\xff", 0x02),
            "the payload at byte 0 of the body wants 4294967295 bytes, but 0 are left",
        ),
        ("no delimiter", with(b"\x01r", 0x08), "a route at byte 2 of the body wants 1 bytes"),
        ("binary topic", with(b"\x01\xff", 0x01), "the topic at byte 0 of the body is not UTF-8 w"),
        (
            "NUL in topic",
            with(b"\x03a\0\0", 0x01),
            "the topic at byte 0 of the body is not UTF-8 w",
        ),
        ("too much", with(b"\x01a\x01b", 0x01), "2 bytes at byte 2 of the body belong to no part"),
        ("routes", with(&b"\x01r".repeat(65), 0x08), "a route at byte 128 of the body is over"),
    ] {
        let error = Message::decode(body.into()).unwrap_err().to_string();
        assert!(error.starts_with(message), "{name}: {error}");
    }
}

#[test]
fn what_could_not_be_read_is_not_sent() {
    let mut out = BytesMut::new();
    let with = |change: fn(&mut Message)| {
        let mut message = attr_get();
        change(&mut message);
        message
    };
    let limit = |part, len, limit| EncodeError::Limit { part, len, limit };
    for (message, error) in [
        (with(|m| m.flags = m.flags | Flags::STREAMING | Flags::NORESPONSE), EncodeError::Flags),
        (with(|m| m.topic = Some("a\0b".to_owned())), EncodeError::Topic),
        (with(|m| m.routes = vec![Bytes::new()]), EncodeError::EmptyRoute),
        (
            with(|m| m.routes = vec!["r".into(); MAX_ROUTES + 1]),
            limit("a number of routes", MAX_ROUTES + 1, MAX_ROUTES),
        ),
        (
            with(|m| m.topic = Some("t".repeat(MAX_TOPIC + 1))),
            limit("a topic", MAX_TOPIC + 1, MAX_TOPIC),
        ),
    ] {
        assert_eq!(message.encode(&mut out), Err(error));
        assert!(out.is_empty());
    }
}

pub(crate) fn any_message() -> impl Strategy<Value = Message> {
    let kind = (0..4, any::<u32>(), any::<u32>()).prop_map(|(kind, a, b)| match kind {
        0 => Kind::Request { nodeid: a, matchtag: b },
        1 => Kind::Response { errnum: a, matchtag: b },
        2 => Kind::Event { sequence: a },
        _ => Kind::Control { kind: a, status: b },
    });
    let bytes = |len| vec(any::<u8>(), len).prop_map(Bytes::from);
    let topic = option::of("[a-z.]{0,300}");
    let payload = option::of(prop_oneof![bytes(0..20), bytes(250..260), bytes(70_000..70_001)]);
    (kind, any::<[u32; 2]>(), any::<u8>(), vec(bytes(1..40), 0..4), topic, payload).prop_map(
        |(kind, [userid, rolemask], flags, routes, topic, payload)| {
            // Both together cannot be sent.
            let flags = if flags & 0x44 == 0x44 { flags & !0x04 } else { flags };
            let flags = if routes.is_empty() { flags } else { flags | 0x08 };
            let flags = Flags::from_bits(flags).for_parts(topic.as_ref(), payload.as_ref());
            Message { kind, flags, userid, rolemask, routes, topic, payload }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_encoded_decodes_to_the_same(message in any_message()) {
        let bytes = encoded(&message);
        let body = Bytes::from(bytes).slice(8..);
        prop_assert_eq!(Message::decode(body), Ok(message));
    }

    #[test]
    fn any_body_is_a_message_or_an_error(
        parts in vec(any::<u8>(), 0..200),
        flags in any::<u8>(),
        proto in any::<bool>(),
    ) {
        let mut body = parts;
        if proto {
            body.extend_from_slice(&[20, 0x8e, 1, 1, flags]);
            body.extend_from_slice(&[0; 16]);
        }
        if let Ok(message) = Message::decode(body.into()) {
            // What was read can be written, unless its flags contradict each other.
            let mut out = BytesMut::new();
            let written = message.encode(&mut out);
            prop_assert!(matches!(written, Ok(()) | Err(EncodeError::Flags)));
        }
    }
}

#[test]
fn a_topic_over_the_limit_is_refused_before_it_is_copied() {
    let mut body = vec![0xff];
    body.extend_from_slice(&u32::try_from(MAX_TOPIC + 1).unwrap().to_be_bytes());
    body.extend(vec![b't'; MAX_TOPIC + 1]);
    body.extend_from_slice(&[20, 0x8e, 1, 4, 1]);
    body.extend_from_slice(&[0; 16]);
    let error = DecodeError::Limit { part: "the topic", at: 0, limit: MAX_TOPIC };
    assert_eq!(Message::decode(body.into()), Err(error));
}
