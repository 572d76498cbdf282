//! What has to hold for any input. Called by the fuzz targets, and over their corpus on stable.

use bytes::BytesMut;
use flux_client::{Decoder, EncodeError, Frame, Hostlist, Idset, ResourceSet};

/// The longest body that is held here: small, so that inputs reach past it.
const MAX_BODY: usize = 512;

/// Any bytes, in any cut, are the same frames or the same error; what was read can be written and
/// reads the same again.
pub(crate) fn wire(input: &[u8]) {
    let whole = frames(input, input.len().max(1));
    for cut in [1, 7, 64] {
        assert_eq!(frames(input, cut), whole, "cut every {cut} bytes");
    }
    for frame in whole {
        let Frame::Message(message) = frame else { continue };
        let mut out = BytesMut::new();
        match message.encode(&mut out) {
            Ok(()) => {
                let mut decoder = Decoder::default();
                decoder.push(&out);
                assert_eq!(decoder.next(), Ok(Some(Frame::Message(message))));
            }
            Err(error) => assert_eq!(error, EncodeError::Flags, "read but cannot be written"),
        }
    }
}

/// The frames before the first error, with memory within its bound.
fn frames(input: &[u8], cut: usize) -> Vec<Frame> {
    let mut decoder = Decoder::new(MAX_BODY);
    let mut frames = Vec::new();
    for bytes in input.chunks(cut) {
        decoder.push(bytes);
        loop {
            match decoder.next() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(_) => return frames,
            }
        }
        assert!(decoder.buffered() <= MAX_BODY + 8, "{} bytes are held", decoder.buffered());
    }
    frames
}

/// Any text is an idset or an error, and a hostlist or an error; what was read prints as text that
/// reads the same.
pub(crate) fn text(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    if let Ok(set) = text.parse::<Idset>() {
        assert_eq!(set.to_string().parse::<Idset>().as_ref(), Ok(&set));
        assert_eq!(set.union(&set), set);
        assert_eq!(set.intersection(&set), set);
        assert!(set.difference(&set).is_empty());
    }
    if let Ok(hosts) = text.parse::<Hostlist>() {
        let printed = hosts.to_string();
        // All of a million hosts would only make this slow.
        if hosts.len() <= 10_000 {
            assert_eq!(printed.parse::<Hostlist>().as_ref(), Ok(&hosts), "through {printed:?}");
            assert_eq!(hosts.iter().count(), hosts.len());
        }
    }
}

/// Any bytes are a resource set or an error; subtracting and keeping share out all ids.
pub(crate) fn rset(input: &[u8]) {
    let Ok(set) = ResourceSet::from_json(input) else { return };
    assert!(set.difference(&set).is_empty());
    assert_eq!(set.intersection(&set), set);
    let ranks = set.ranks();
    assert_eq!(ranks.len(), set.nodes() as u64);
    assert_eq!(ranks.max(), set.highest_rank());
    assert_eq!(set.restrict(&ranks), set);
    for property in set.properties() {
        let some = set.restrict(&set.ranks_with(property));
        let others = set.difference(&some);
        assert_eq!(some.cores() + others.cores(), set.cores());
        assert_eq!(some.gpus() + others.gpus(), set.gpus());
    }
}
