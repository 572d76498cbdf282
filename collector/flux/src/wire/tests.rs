use bytes::BytesMut;
use proptest::{collection::vec, prelude::*};

use super::{Decoder, Frame, HEADER_LEN, MAX_BODY, MIN_READ, READ_CHUNK, handshake};
use crate::{
    errno::Errno,
    message::{DecodeError, Kind, Message, tests::any_message},
};

fn response(payload: usize) -> Message {
    let request = Message::request("a.b", 0, 7, None);
    Message::response_to(&request, Some(vec![b'x'; payload].into()))
}

fn encoded(messages: &[Message]) -> BytesMut {
    let mut out = BytesMut::new();
    for message in messages {
        message.encode(&mut out).unwrap();
    }
    out
}

fn drain(decoder: &mut Decoder) -> Vec<Frame> {
    std::iter::from_fn(|| decoder.next().unwrap()).collect()
}

/// Reads as a socket does: into the room that is offered.
fn read_in_chunks(
    decoder: &mut Decoder,
    bytes: &[u8],
    mut look: impl FnMut(&Decoder),
) -> Vec<Frame> {
    let mut rest = bytes;
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let room = decoder.fill();
        let (now, later) = rest.split_at((room.capacity() - room.len()).min(rest.len()));
        assert!(!now.is_empty(), "no room to read into");
        room.extend_from_slice(now);
        look(decoder);
        rest = later;
        frames.extend(drain(decoder));
    }
    frames
}

#[test]
fn the_handshake_is_zero_or_an_errno() {
    assert_eq!(handshake(0), Ok(()));
    assert_eq!(handshake(1), Err(Errno::EPERM));
}

#[test]
fn magic_is_read_in_either_byte_order() {
    let mut bytes = encoded(&[response(1)]);
    bytes[..4].reverse();
    let mut decoder = Decoder::default();
    decoder.push(&bytes);
    assert_eq!(drain(&mut decoder), [Frame::Message(response(1))]);
}

#[test]
fn an_error_names_its_place_in_the_stream_and_is_final() {
    let mut decoder = Decoder::default();
    let good = encoded(&[response(1)]);
    decoder.push(&good);
    decoder.push(b"HTTP/1.1");
    assert_eq!(decoder.next(), Ok(Some(Frame::Message(response(1)))));
    let error = DecodeError::Magic { at: good.len() as u64, found: *b"HTTP" };
    assert_eq!(decoder.next(), Err(error.clone()));
    decoder.push(&good);
    assert_eq!(decoder.next(), Err(error));
}

#[test]
fn a_body_over_the_limit_is_skipped_and_names_its_rpc() {
    let limit = 1000;
    let bytes = encoded(&[response(5000), response(10)]);
    for chunk in [1, 7, 100, 6000] {
        let mut decoder = Decoder::new(limit);
        let mut frames = Vec::new();
        for bytes in bytes.chunks(chunk) {
            decoder.push(bytes);
            frames.extend(drain(&mut decoder));
        }
        let [Frame::Oversized { len, limit: 1000, proto: Some(proto) }, Frame::Message(next)] =
            frames.as_slice()
        else {
            panic!("{frames:?}");
        };
        assert!(*len > 5000);
        assert_eq!(proto.kind, Kind::Response { errnum: 0, matchtag: 7 });
        assert_eq!(*next, response(10));
    }
}

#[test]
fn a_skipped_body_is_never_held() {
    let body = 3 * 1024 * 1024;
    let mut bytes = vec![0x12, 0, 0xee, 0xff];
    bytes.extend_from_slice(&u32::try_from(body).unwrap().to_be_bytes());
    bytes.resize(HEADER_LEN + body, 0xaa);
    let mut decoder = Decoder::new(100_000);
    let frames = read_in_chunks(&mut decoder, &bytes, |decoder| {
        assert!(decoder.capacity() <= READ_CHUNK, "{} bytes are held", decoder.capacity());
    });
    assert_eq!(frames, [Frame::Oversized { len: body, limit: 100_000, proto: None }]);
}

#[test]
fn a_header_alone_reserves_next_to_nothing() {
    let mut decoder = Decoder::new(MAX_BODY);
    decoder.push(&[0x12, 0, 0xee, 0xff, 0x0f, 0xff, 0xff, 0xff]);
    assert_eq!(decoder.next(), Ok(None));
    let room = decoder.fill();
    assert!(room.capacity() <= READ_CHUNK);
}

#[test]
fn memory_stays_within_the_limit_and_is_given_back() {
    let limit = 1024 * 1024;
    let bytes = encoded(&[response(limit - 100), response(1)]);
    let mut decoder = Decoder::new(limit);
    let frames = read_in_chunks(&mut decoder, &bytes, |decoder| {
        assert!(decoder.capacity() <= limit + HEADER_LEN + MIN_READ);
    });
    assert_eq!(frames.len(), 2);
    assert!(decoder.capacity() <= READ_CHUNK, "a long frame keeps {}", decoder.capacity());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_cut_gives_the_same_frames(
        messages in vec(any_message(), 1..4),
        cuts in vec(1_usize..3000, 1..50),
        limit in prop_oneof![Just(300_usize), Just(100_000)],
    ) {
        let bytes = encoded(&messages);
        let mut whole = Decoder::new(limit);
        whole.push(&bytes);
        let expected = drain(&mut whole);
        prop_assert_eq!(expected.len(), messages.len());

        let mut decoder = Decoder::new(limit);
        let mut frames = Vec::new();
        let mut rest = &bytes[..];
        for cut in cuts.iter().cycle() {
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            decoder.push(now);
            frames.extend(drain(&mut decoder));
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(frames, expected);
        prop_assert_eq!(decoder.buffered(), 0);
    }

    #[test]
    fn any_bytes_are_frames_or_an_error(
        header in any::<bool>(),
        bytes in vec(any::<u8>(), 0..300),
        limit in 0_usize..200,
    ) {
        let mut decoder = Decoder::new(limit);
        if header {
            decoder.push(&[0x12, 0, 0xee, 0xff, 0, 0, 0]);
        }
        for byte in &bytes {
            decoder.push(&[*byte]);
            if !matches!(decoder.next(), Ok(Some(_) | None)) {
                prop_assert_eq!(decoder.capacity(), 0);
                break;
            }
            prop_assert!(decoder.buffered() <= HEADER_LEN + limit);
            prop_assert!(decoder.capacity() <= READ_CHUNK);
        }
    }
}
