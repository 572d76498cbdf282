//! The certificate that the gateway serves with: read, checked, and exchanged while it serves.
//!
//! ```text
//!  tls.crt, tls.key ──read every 2 s──▶ changed? ──▶ parsed, matched ──▶ Arc<ServerConfig> ──▶ serve
//!                                                       └─ bad: logged once, the old one stays
//! ```
//!
//! This is the one place that names the cryptography provider. A configuration is replaced as a
//! whole, so a connection sees either the old one or the new one and never a mixture.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    server::{ParsedCertificate, WebPkiClientVerifier, danger::ClientCertVerifier},
    version::{TLS12, TLS13},
};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject as _},
};
use thiserror::Error;
use tokio::{sync::watch, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

mod clients;

pub use clients::AnyClient;

/// How often the files are read again. The kubelet exchanges them by a symbolic link, which no
/// watch on the files would notice.
pub const RELOAD_INTERVAL: Duration = Duration::from_secs(2);

/// The largest file that is read. A chain of ten certificates is about 20 KiB.
pub const MAX_PEM_BYTES: u64 = 1024 * 1024;

/// The protocols that a client may choose from, best first.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The cryptography that all TLS of the gateway rests on.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Why a certificate and its key cannot be served with.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is larger than [`MAX_PEM_BYTES`].
    #[error("{} is larger than {MAX_PEM_BYTES} bytes: is it the right file?", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A file is not PEM, or holds nothing of use.
    #[error("{} holds no {wanted} in PEM form", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What it was to hold.
        wanted: &'static str,
        /// What the parser said.
        source: pem::Error,
    },
    /// A certificate in the chain does not parse.
    #[error("certificate {} in {} is not a valid X.509 certificate", index + 1, path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Its place in the file, from 0.
        index: usize,
        /// What the parser said.
        source: rustls::Error,
    },
    /// The key is not one that can be served with, or is not the certificate's.
    #[error("the key in {} does not fit the first certificate in {}", key.display(), cert.display())]
    Pair {
        /// The file with the certificates.
        cert: PathBuf,
        /// The file with the key.
        key: PathBuf,
        /// What the TLS library said.
        source: rustls::Error,
    },
    /// The TLS library refused the protocol versions.
    #[error("the TLS library refused its configuration")]
    Refused(#[source] rustls::Error),
}

/// Makes server configurations from two files.
#[derive(Clone, Debug)]
pub struct Loader {
    cert: PathBuf,
    key: PathBuf,
    /// Who checks the certificates of clients.
    clients: Arc<dyn ClientCertVerifier>,
}

impl Loader {
    /// A loader for the certificate chain in `cert`, the server's own first, and its key in `key`.
    /// Clients are not asked for certificates.
    pub fn new(cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        let clients = WebPkiClientVerifier::no_client_auth();
        Self { cert: cert.into(), key: key.into(), clients }
    }

    /// The same loader, with `clients` checking the certificates of clients.
    #[must_use]
    pub fn with_client_verifier(self, clients: Arc<dyn ClientCertVerifier>) -> Self {
        Self { clients, ..self }
    }

    /// Reads the files for the first time.
    ///
    /// # Errors
    ///
    /// When the files cannot be read, do not parse or do not belong together.
    pub fn load(self) -> Result<Certificate, TlsError> {
        let pair = self.read()?;
        let current = watch::Sender::new(self.configure(&pair)?);
        Ok(Certificate { loader: self, pair, unreadable: false, current })
    }

    fn read(&self) -> Result<Pair, TlsError> {
        loop {
            let cert = read(&self.cert)?;
            let key = read(&self.key)?;
            // The directory may have been exchanged between the two.
            if read(&self.cert)? == cert {
                return Ok(Pair { cert, key });
            }
        }
    }

    fn configure(&self, pair: &Pair) -> Result<Arc<ServerConfig>, TlsError> {
        let chain = self.chain(&pair.cert)?;
        let key = PrivateKeyDer::from_pem_slice(&pair.key).map_err(|source| TlsError::Pem {
            path: self.key.clone(),
            wanted: "private key",
            source,
        })?;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(TlsError::Refused)?
            .with_client_cert_verifier(Arc::clone(&self.clients))
            .with_single_cert(chain, key)
            .map_err(|source| TlsError::Pair {
                cert: self.cert.clone(),
                key: self.key.clone(),
                source,
            })?;
        config.alpn_protocols = ALPN.map(Vec::from).to_vec();
        Ok(Arc::new(config))
    }

    fn chain(&self, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let unusable =
            |source| TlsError::Pem { path: self.cert.clone(), wanted: "certificate", source };
        let chain =
            CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(unusable)?;
        if chain.is_empty() {
            return Err(unusable(pem::Error::NoItemsFound));
        }
        for (index, certificate) in chain.iter().enumerate() {
            ParsedCertificate::try_from(certificate).map_err(|source| TlsError::Certificate {
                path: self.cert.clone(),
                index,
                source,
            })?;
        }
        Ok(chain)
    }
}

/// The contents of the two files.
#[derive(PartialEq, Eq)]
struct Pair {
    cert: Vec<u8>,
    key: Vec<u8>,
}

/// A certificate that is served with, and follows its files.
pub struct Certificate {
    loader: Loader,
    /// What was last read, whether it was good or not.
    pair: Pair,
    /// Whether the files could not be read the last time.
    unreadable: bool,
    current: watch::Sender<Arc<ServerConfig>>,
}

// Not derived: the key is not for logs.
impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate").field("loader", &self.loader).finish_non_exhaustive()
    }
}

impl Certificate {
    /// The configuration for the next handshake, now and after each exchange.
    pub fn current(&self) -> watch::Receiver<Arc<ServerConfig>> {
        self.current.subscribe()
    }

    /// Reads the files again and again until `stop`, and exchanges the configuration when they
    /// hold a new and good pair.
    pub async fn follow(mut self, stop: CancellationToken) {
        let mut tick = tokio::time::interval(RELOAD_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(tick.tick()).await.is_some() {
            // A volume that hangs must not hold up the end.
            let _: Option<()> = stop.run_until_cancelled(self.reload()).await;
        }
    }

    /// Reads the files once, and exchanges the configuration if they hold a new and good pair.
    pub async fn reload(&mut self) {
        let loader = self.loader.clone();
        // The files may lie on a slow volume, and reading blocks.
        let Ok(read) = tokio::task::spawn_blocking(move || loader.read()).await else {
            return;
        };
        match read {
            Ok(pair) => {
                self.unreadable = false;
                self.adopt(pair);
            }
            Err(error) => {
                if !std::mem::replace(&mut self.unreadable, true) {
                    kept(&error);
                }
            }
        }
    }

    /// Serves with `pair` from now on if it is new and good.
    fn adopt(&mut self, pair: Pair) {
        if pair == self.pair {
            return;
        }
        match self.loader.configure(&pair) {
            Ok(config) => {
                self.current.send_replace(config);
                tracing::info!(cert = %self.loader.cert.display(), "serving with a new certificate");
            }
            Err(error) => kept(&error),
        }
        self.pair = pair;
    }
}

fn kept(error: &TlsError) {
    let error = error as &dyn std::error::Error;
    tracing::warn!(error, "the new certificate cannot be used; serving with the old one");
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_PEM_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|source| TlsError::Read { path: path.to_path_buf(), source })?;
    if bytes.len() as u64 > MAX_PEM_BYTES {
        return Err(TlsError::TooLarge { path: path.to_path_buf() });
    }
    Ok(bytes)
}

#[cfg(test)]
pub(crate) mod test_ca;
#[cfg(test)]
mod tests;
