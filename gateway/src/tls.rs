//! The certificate that the gateway serves with: checked, and exchanged while it serves.
//!
//! ```text
//!  tls.crt, tls.key ──read every 2 s──▶ files ──┐
//!  Secret ──watched──▶ authority ───────────────┴─▶ parsed, matched ──▶ Arc<ServerConfig> ──▶ serve
//!                                                     └─ bad: logged once, the old one stays
//! ```
//!
//! This is the one place that names the cryptography provider. A configuration is replaced as a
//! whole, so a connection sees either the old one or the new one and never a mixture.

use std::{io, sync::Arc};

use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    server::{ParsedCertificate, danger::ClientCertVerifier},
    version::{TLS12, TLS13},
};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject as _},
};
use thiserror::Error;

mod clients;
mod expiry;
mod files;

pub use clients::AnyClient;
pub use expiry::{Expiry, WARN_BEFORE};
pub use files::{Certificate, Loader, MAX_PEM_BYTES, RELOAD_INTERVAL};

/// The protocols that a client may choose from, best first.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The cryptography that all TLS of the gateway rests on.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Why a certificate and its key cannot be served with. Names are those of [`Names`].
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file could not be read.
    #[error("cannot read {of}")]
    Read {
        /// The file.
        of: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file is larger than [`MAX_PEM_BYTES`].
    #[error("{of} is larger than {MAX_PEM_BYTES} bytes: is it the right file?")]
    TooLarge {
        /// The file.
        of: String,
    },
    /// What is given is not PEM, or holds nothing of use.
    #[error("{of} holds no {wanted} in PEM form")]
    Pem {
        /// Its name.
        of: String,
        /// What it was to hold.
        wanted: &'static str,
        /// What the parser said.
        source: pem::Error,
    },
    /// A certificate in the chain does not parse.
    #[error("certificate {} in {of} is not a valid X.509 certificate", index + 1)]
    Certificate {
        /// The chain's name.
        of: String,
        /// Its place in the chain, from 0.
        index: usize,
        /// What the parser said.
        source: rustls::Error,
    },
    /// The key is not one that can be served with, or is not the certificate's.
    #[error("the key in {key} does not fit the first certificate in {cert}")]
    Pair {
        /// The chain's name.
        cert: String,
        /// The key's name.
        key: String,
        /// What the TLS library said.
        source: rustls::Error,
    },
    /// The TLS library refused the protocol versions.
    #[error("the TLS library refused its configuration")]
    Refused(#[source] rustls::Error),
}

/// A chain of certificates, the server's own first, and its key, in PEM form.
#[derive(Clone, PartialEq, Eq)]
pub struct Pair {
    /// The chain.
    pub cert: Vec<u8>,
    /// The key.
    pub key: Vec<u8>,
}

// Not derived: the key is not for logs.
impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pair").finish_non_exhaustive()
    }
}

/// What errors call the two of a [`Pair`]: files, or keys of a Secret.
#[derive(Clone, Debug)]
pub struct Names {
    /// The chain.
    pub cert: String,
    /// The key.
    pub key: String,
}

/// What to serve with by this pair, with `clients` checking the certificates of clients.
///
/// # Errors
///
/// When either does not parse, or they do not belong together.
pub fn configure(
    pair: &Pair,
    names: &Names,
    clients: &Arc<dyn ClientCertVerifier>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = chain(&pair.cert, &names.cert)?;
    let key = PrivateKeyDer::from_pem_slice(&pair.key).map_err(|source| TlsError::Pem {
        of: names.key.clone(),
        wanted: "private key",
        source,
    })?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(TlsError::Refused)?
        .with_client_cert_verifier(Arc::clone(clients))
        .with_single_cert(chain, key)
        .map_err(|source| TlsError::Pair {
            cert: names.cert.clone(),
            key: names.key.clone(),
            source,
        })?;
    config.alpn_protocols = ALPN.map(Vec::from).to_vec();
    Ok(Arc::new(config))
}

fn chain(pem: &[u8], of: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unusable = |source| TlsError::Pem { of: of.to_owned(), wanted: "certificate", source };
    let chain =
        CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(unusable)?;
    if chain.is_empty() {
        return Err(unusable(pem::Error::NoItemsFound));
    }
    for (index, certificate) in chain.iter().enumerate() {
        ParsedCertificate::try_from(certificate).map_err(|source| TlsError::Certificate {
            of: of.to_owned(),
            index,
            source,
        })?;
    }
    Ok(chain)
}

#[cfg(test)]
pub(crate) mod test_ca;
#[cfg(test)]
mod tests;
