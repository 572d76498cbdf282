//! The connection to one address of the gateway, proved by the gateway's name.

use std::{io, net::SocketAddr, path::PathBuf, time::Duration};

use tonic::{
    metadata::errors::InvalidMetadataValue,
    transport::{self, Certificate, Channel, ClientTlsConfig, Endpoint, Uri},
};

use super::credentials::Credentials;
use crate::{args::Gateway, chain};

/// How long TCP and TLS may take.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// HTTP/2 pings on an idle connection, and how long their answers may take: a replica that
/// vanished without a word is noticed within 20 s.
const PING_PERIOD: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes that a gateway may send ahead; acks have some ten bytes.
const WINDOW: u32 = 64 * 1024;

/// Bytes of a file with certificates, a key or a token: a bundle of all public authorities has 200 kB.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// What each certificate in a PEM file begins with.
const PEM_HEADER: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// No connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChannelError {
    #[error("cannot read {}: {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("{} holds no certificate in PEM form", .0.display())]
    NoCertificate(PathBuf),
    #[error("the token in {} is empty or has characters that no HTTP header takes", .0.display())]
    Token(PathBuf),
    #[error("the token has characters that no HTTP header takes")]
    TokenText(#[from] InvalidMetadataValue),
    #[error("{error}{}", chain::causes(.error))]
    Transport {
        #[from]
        error: transport::Error,
    },
    #[error("the gateway's URL: {0}")]
    Url(String),
    #[error("no connection within {}", humantime::format_duration(CONNECT_TIMEOUT))]
    Timeout,
}

/// Connects as whom the credentials say. The authorities are read anew each time, so that they may
/// rotate.
pub(super) async fn connect(
    gateway: &Gateway,
    address: SocketAddr,
    credentials: &Credentials,
) -> Result<Channel, ChannelError> {
    let scheme = if gateway.ca.is_some() { "https" } else { "http" };
    let host = match gateway.host.contains(':') {
        true => format!("[{}]", gateway.host),
        false => gateway.host.clone(),
    };
    let origin: Uri = format!("{scheme}://{host}:{}", gateway.port)
        .parse()
        .map_err(|error| ChannelError::Url(format!("{error}")))?;
    let mut endpoint = Endpoint::from_shared(format!("{scheme}://{address}"))?
        .origin(origin)
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(PING_PERIOD)
        .keep_alive_timeout(PING_TIMEOUT)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW);
    if let Some(path) = &gateway.ca {
        let pem = read(path.clone()).await?;
        if !pem.windows(PEM_HEADER.len()).any(|window| window == PEM_HEADER) {
            return Err(ChannelError::NoCertificate(path.clone()));
        }
        // The name is checked, not the address: every replica has the Service's certificate.
        let mut tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(pem))
            .domain_name(&gateway.host);
        if let Some(identity) = credentials.identity() {
            tls = tls.identity(identity);
        }
        endpoint = endpoint.tls_config(tls)?;
    }
    match tokio::time::timeout(CONNECT_TIMEOUT, endpoint.connect()).await {
        Ok(channel) => Ok(channel?),
        Err(_) => Err(ChannelError::Timeout),
    }
}

/// The beginning of a file.
pub(super) async fn read(path: PathBuf) -> Result<Vec<u8>, ChannelError> {
    use tokio::io::AsyncReadExt;
    let bytes = async {
        let mut bytes = Vec::new();
        let file = tokio::fs::File::open(&path).await?;
        file.take(MAX_FILE_BYTES).read_to_end(&mut bytes).await?;
        Ok(bytes)
    };
    bytes.await.map_err(|error| ChannelError::Read { path, error })
}
