//! One token for all readers, where there is no Kubernetes to ask.

use std::{fs::File, io::Read as _, path::Path};

use ring::hmac;

use super::token::Token;

/// The largest file with a token that is read.
const MAX_FILE_BYTES: u64 = 4096;

/// The shortest token: a shorter one can be guessed.
const MIN_TOKEN_BYTES: usize = 16;

/// What is known of the token: enough to tell it from others, and no more.
#[derive(Debug)]
pub(super) struct SharedToken {
    key: hmac::Key,
    tag: hmac::Tag,
}

impl SharedToken {
    /// Reads it from a file.
    ///
    /// # Errors
    ///
    /// In words that follow the name of the file, when it holds no token.
    pub(super) fn read(path: &Path, key: hmac::Key) -> Result<Self, String> {
        let token = read(path)?;
        Ok(Self { tag: hmac::sign(&key, token.as_bytes()), key })
    }

    /// Whether a token is this one. Takes as long whatever they have in common.
    pub(super) fn is(&self, token: &Token) -> bool {
        hmac::verify(&self.key, token.as_bytes(), self.tag.as_ref()).is_ok()
    }
}

/// Reads a token from a file.
///
/// # Errors
///
/// In words that follow the name of the file, when it holds no token.
pub(super) fn read(path: &Path) -> Result<Token, String> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text))
        .map_err(|error| format!("cannot be read: {error}"))?;
    let token = text.trim();
    let is_visible = token.bytes().all(|byte| byte.is_ascii_graphic());
    if text.len() as u64 > MAX_FILE_BYTES || !is_visible || token.len() < MIN_TOKEN_BYTES {
        return Err(format!(
            "holds no token: one word of {MIN_TOKEN_BYTES} to {MAX_FILE_BYTES} visible ASCII \
             characters, such as `openssl rand -hex 32` makes"
        ));
    }
    Ok(Token::new(token))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use http::{HeaderValue, header::AUTHORIZATION};
    use tempfile::TempDir;

    use super::*;
    use crate::auth::token::random_key;

    struct File(TempDir);

    impl File {
        fn new(text: &str) -> Self {
            let this = Self(TempDir::new().unwrap());
            fs::write(this.0.path().join("token"), text).unwrap();
            this
        }

        fn read(&self) -> Result<SharedToken, String> {
            SharedToken::read(&self.0.path().join("token"), key())
        }
    }

    fn key() -> hmac::Key {
        random_key().unwrap()
    }

    fn sent(token: &str) -> Token {
        let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        Token::of(&[(AUTHORIZATION, value)].into_iter().collect()).unwrap()
    }

    #[test]
    fn the_token_of_the_file_is_told_from_all_others() {
        let token = File::new("0123456789abcdef\n").read().unwrap();
        assert!(token.is(&sent("0123456789abcdef")));
        for other in ["0123456789abcde", "0123456789abcdeff", "0123456789abcdeF", "x"] {
            assert!(!token.is(&sent(other)), "{other}");
        }
    }

    #[test]
    fn a_file_without_a_token_is_refused_with_what_it_should_hold() {
        for text in ["", "\n", "short", "two words that are long", &"x".repeat(4097)] {
            let error = File::new(text).read().unwrap_err();
            assert!(error.contains("holds no token: one word of 16 to 4096"), "{error}");
        }
        let absent = SharedToken::read(Path::new("/nonexistent"), key());
        assert!(absent.unwrap_err().starts_with("cannot be read: "));
    }
}
