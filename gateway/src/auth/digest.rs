//! Digests of texts, by which what is known is found again without the texts being kept.

use ring::digest::{SHA256, digest};

/// What no two lists of texts have in common.
pub(super) type Digest = [u8; 32];

/// About the bytes of what is asked about.
const USUAL_BYTES: usize = 256;

/// Texts of which a digest is made, each with its length, so that no two lists have the same.
pub(super) struct Texts(Vec<u8>);

impl Texts {
    pub(super) fn new() -> Self {
        Self(Vec::with_capacity(USUAL_BYTES))
    }

    pub(super) fn number(&mut self, number: usize) {
        self.0.extend((number as u64).to_le_bytes());
    }

    pub(super) fn text(&mut self, text: &str) {
        self.number(text.len());
        self.0.extend(text.as_bytes());
    }

    pub(super) fn list(&mut self, texts: &[String]) {
        self.number(texts.len());
        for text in texts {
            self.text(text);
        }
    }

    /// Takes a digest of other texts in.
    pub(super) fn digested(&mut self, digest: &Digest) {
        self.0.extend(digest);
    }

    pub(super) fn digest(self) -> Digest {
        sized(digest(&SHA256, &self.0).as_ref())
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// The bytes of a digest of SHA-256, of which there are 32.
pub(super) fn sized(bytes: &[u8]) -> Digest {
    let mut sized = Digest::default();
    for (to, from) in sized.iter_mut().zip(bytes) {
        *to = *from;
    }
    sized
}
