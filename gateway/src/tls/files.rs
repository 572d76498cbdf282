//! A certificate and its key in two files, read again and again.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustls::{
    ServerConfig,
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use tokio::{sync::watch, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{Expiry, Names, Pair, TlsError, configure};

/// How often the files are read again. The kubelet exchanges them by a symbolic link, which no
/// watch on the files would notice.
pub const RELOAD_INTERVAL: Duration = Duration::from_secs(2);

/// The largest file that is read. A chain of ten certificates is about 20 KiB.
pub const MAX_PEM_BYTES: u64 = 1024 * 1024;

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
        let expiry = Expiry::default();
        expiry.note(&pair);
        Ok(Certificate { loader: self, pair, unreadable: false, current, expiry })
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
        let names = Names { cert: name(&self.cert), key: name(&self.key) };
        configure(pair, &names, &self.clients)
    }
}

/// A certificate that is served with, and follows its files.
#[derive(Debug)]
pub struct Certificate {
    loader: Loader,
    /// What was last read, whether it was good or not.
    pair: Pair,
    /// Whether the files could not be read the last time.
    unreadable: bool,
    current: watch::Sender<Arc<ServerConfig>>,
    expiry: Expiry,
}

impl Certificate {
    /// The configuration for the next handshake, now and after each exchange.
    pub fn current(&self) -> watch::Receiver<Arc<ServerConfig>> {
        self.current.subscribe()
    }

    /// When what is served with ends, now and after each exchange.
    pub fn expiry(&self) -> Expiry {
        self.expiry.clone()
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
                self.expiry.note(&pair);
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
        .map_err(|source| TlsError::Read { of: name(path), source })?;
    if bytes.len() as u64 > MAX_PEM_BYTES {
        return Err(TlsError::TooLarge { of: name(path) });
    }
    Ok(bytes)
}

fn name(path: &Path) -> String {
    path.display().to_string()
}
