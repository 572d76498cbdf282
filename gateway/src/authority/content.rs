//! What is in the Secret: a pair to serve with, and what clients trust.

use std::collections::BTreeMap;

use k8s_openapi::{ByteString, api::core::v1::Secret};
use rcgen::{KeyPair, PublicKeyData as _};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};

use super::{certificate::Certificate, issue::Issued};
use crate::tls::Pair;

/// The chain that is served with, as kubernetes.io/tls has it.
pub(super) const TLS_CERT: &str = "tls.crt";
/// Its key.
pub(super) const TLS_KEY: &str = "tls.key";
/// All authorities that clients should trust.
pub(super) const CA_CERT: &str = "ca.crt";
/// The key of the newest of them. Who has none of ours does not write the Secret.
pub(super) const CA_KEY: &str = "ca.key";

/// What is in the Secret.
pub(super) enum Content {
    /// The gateway made it, and renews it.
    Own(Box<Own>),
    /// Somebody else did: it is served with as it is.
    Given {
        /// What is served with.
        pair: Pair,
        /// What clients should trust, where the Secret says so.
        bundle: Option<String>,
    },
}

/// A CA of the gateway's own, and a pair that it, or the one before it, has signed.
#[derive(Clone)]
pub(super) struct Own {
    /// Authorities that have signed, or might have, what is still served with.
    pub(super) older: Vec<Certificate>,
    /// The only authority that ever signs again.
    pub(super) newest: Certificate,
    /// Its key, in PEM form.
    pub(super) newest_key: String,
    /// What is served with.
    pub(super) serving: Certificate,
    /// Its key, in PEM form.
    pub(super) serving_key: String,
}

impl Own {
    pub(super) fn new(authority: Issued, serving: Issued) -> Self {
        Self {
            older: Vec::new(),
            newest: authority.certificate,
            newest_key: authority.key,
            serving: serving.certificate,
            serving_key: serving.key,
        }
    }

    /// Whether the newest authority signs already.
    pub(super) fn is_of_newest(&self) -> bool {
        self.newest.has_signed(&self.serving)
    }

    /// All authorities that clients should trust.
    pub(super) fn bundle(&self) -> String {
        self.older.iter().chain([&self.newest]).map(|authority| &*authority.pem).collect()
    }

    /// What the Secret has to hold.
    pub(super) fn data(&self) -> BTreeMap<String, ByteString> {
        let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
        BTreeMap::from([
            (TLS_CERT.to_owned(), bytes(&self.serving.pem)),
            (TLS_KEY.to_owned(), bytes(&self.serving_key)),
            (CA_CERT.to_owned(), bytes(&self.bundle())),
            (CA_KEY.to_owned(), bytes(&self.newest_key)),
        ])
    }
}

impl Content {
    /// Reads it. Whether the pair can be served with is not looked at.
    ///
    /// # Errors
    ///
    /// What is wrong with which key.
    pub(super) fn read(secret: &Secret) -> Result<Self, String> {
        let data = secret.data.as_ref();
        let bytes = |key: &str| {
            let value = data.and_then(|data| data.get(key)).filter(|value| !value.0.is_empty());
            value.map(|value| value.0.as_slice())
        };
        let text = |key: &str| {
            bytes(key)
                .map(|value| {
                    String::from_utf8(value.to_vec()).map_err(|_| format!("{key} is no text"))
                })
                .transpose()
        };
        let needed = |key: &str| bytes(key).ok_or_else(|| format!("{key} is missing or empty"));
        let pair = Pair { cert: needed(TLS_CERT)?.to_vec(), key: needed(TLS_KEY)?.to_vec() };
        let bundle = text(CA_CERT)?;
        if let Some(bundle) = &bundle
            && !holds_certificates(bundle)
        {
            return Err(format!("{CA_CERT} holds no certificates in PEM form"));
        }
        let Some(newest_key) = text(CA_KEY)? else {
            return Ok(Self::Given { pair, bundle });
        };
        let known = bundle.ok_or_else(|| format!("{CA_KEY} is there and {CA_CERT} is not"))?;
        let known = Certificate::read_all(&known).map_err(|error| format!("{CA_CERT}: {error}"))?;
        let key = KeyPair::from_pem(&newest_key).map_err(|error| format!("{CA_KEY}: {error}"))?;
        let public_key = key.subject_public_key_info();
        let (mut newest, older): (Vec<_>, Vec<_>) =
            known.into_iter().partition(|known| known.public_key == public_key);
        let newest =
            newest.pop().ok_or_else(|| format!("{CA_KEY} is of no certificate in {CA_CERT}"))?;
        let serving = text(TLS_CERT)?.unwrap_or_default();
        let serving =
            Certificate::read(&serving).map_err(|error| format!("{TLS_CERT}: {error}"))?;
        let serving_key = text(TLS_KEY)?.unwrap_or_default();
        Ok(Self::Own(Box::new(Own { older, newest, newest_key, serving, serving_key })))
    }

    /// What is served with.
    pub(super) fn pair(&self) -> Pair {
        match self {
            Self::Own(own) => Pair {
                cert: own.serving.pem.clone().into_bytes(),
                key: own.serving_key.clone().into_bytes(),
            },
            Self::Given { pair, .. } => pair.clone(),
        }
    }

    /// What clients should trust, where that is known.
    pub(super) fn bundle(&self) -> Option<String> {
        match self {
            Self::Own(own) => Some(own.bundle()),
            Self::Given { bundle, .. } => bundle.clone(),
        }
    }
}

/// Whether a bundle can be given to clients. That old authorities have odd certificates is no reason to
/// refuse the others.
fn holds_certificates(bundle: &str) -> bool {
    let mut certificates = CertificateDer::pem_slice_iter(bundle.as_bytes()).peekable();
    certificates.peek().is_some() && certificates.all(|certificate| certificate.is_ok())
}

#[cfg(test)]
mod tests;
