//! What a stream proves itself by, as the files said when it was opened.

use tonic::{
    metadata::{Ascii, MetadataValue},
    transport::Identity,
};

use super::channel::{ChannelError, read};
use crate::args::{Gateway, Token};

/// A token, a certificate with its key, both, or neither.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    token: Option<String>,
    /// Both in PEM form.
    pair: Option<(Vec<u8>, Vec<u8>)>,
}

// Not derived: these are secrets.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(..)")
    }
}

impl Credentials {
    /// Reads the files anew.
    pub(super) async fn read(gateway: &Gateway) -> Result<Self, ChannelError> {
        let token = match &gateway.token {
            None => None,
            Some(Token::Text(text)) => Some(text.clone()),
            Some(Token::File(path)) => {
                let bytes = read(path.clone()).await?;
                let text = String::from_utf8_lossy(&bytes).trim().to_owned();
                if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
                    return Err(ChannelError::Token(path.clone()));
                }
                Some(text)
            }
        };
        let pair = match &gateway.pair {
            None => None,
            Some(pair) => Some((read(pair.cert.clone()).await?, read(pair.key.clone()).await?)),
        };
        Ok(Self { token, pair })
    }

    /// What `authorization` says.
    pub(super) fn bearer(&self) -> Result<Option<MetadataValue<Ascii>>, ChannelError> {
        let Some(token) = &self.token else { return Ok(None) };
        let mut value = MetadataValue::try_from(format!("Bearer {token}"))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    /// What is shown in the handshake.
    pub(super) fn identity(&self) -> Option<Identity> {
        let (cert, key) = self.pair.as_ref()?;
        Some(Identity::from_pem(cert, key))
    }
}
