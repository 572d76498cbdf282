//! Percent-decoding, borrowing where nothing is escaped.

use std::borrow::Cow;

/// Decodes one path segment; `None` for a broken escape or bytes that are no UTF-8.
pub fn segment(text: &str) -> Option<Cow<'_, str>> {
    decode(text, false)
}

/// Decodes a name or value of a query, where `+` is a space.
pub(crate) fn parameter(text: &str) -> Option<Cow<'_, str>> {
    decode(text, true)
}

fn decode(text: &str, plus_is_space: bool) -> Option<Cow<'_, str>> {
    let escaped = |byte: &u8| *byte == b'%' || plus_is_space && *byte == b'+';
    if !text.as_bytes().iter().any(escaped) {
        return Some(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => (hex(bytes.next()?)? << 4) | hex(bytes.next()?)?,
            b'+' if plus_is_space => b' ',
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
