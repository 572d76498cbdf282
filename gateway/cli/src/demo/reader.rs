//! Reads metrics as kube-apiserver does: HTTP/2 over TLS, trusting the demo's authority alone.
//!
//! One connection carries all readings of a second side by side. When it breaks, the next reading
//! makes another.

use std::{fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::join_all;
use http::{
    HeaderValue, Request, StatusCode, Uri,
    header::{ACCEPT, AUTHORIZATION},
    uri,
};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use metrics_api::Quantity;
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use serde::Deserialize;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

/// The name by which the gateway is asked for, as in the lines for curl.
pub const HOST: &str = "localhost";

/// How long all readings of a second may take.
pub const TIMEOUT: Duration = Duration::from_secs(2);

/// Bytes of a body that are read: far more than one value or one `Status` has.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// What one reading gave.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// A value.
    Value(f64),
    /// The gateway says that there is none, and why.
    Refused {
        /// The HTTP status code.
        code: u16,
        /// The message of the `Status`.
        message: String,
    },
    /// The gateway did not say anything that can be understood.
    Failed(String),
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => write!(f, "{value}"),
            Self::Refused { code, message } => write!(f, "{code} {message}"),
            Self::Failed(problem) => f.write_str(problem),
        }
    }
}

/// Why an authority cannot be trusted, or a token not sent.
#[derive(Debug, Error)]
pub enum TrustError {
    /// The text holds no certificate.
    #[error("the authority is no certificate in PEM form")]
    Pem(#[from] rustls_pki_types::pem::Error),
    /// The certificate cannot be used.
    #[error("the authority cannot be trusted")]
    Tls(#[from] rustls::Error),
    /// The token cannot be sent.
    #[error("the token is no word that can be sent")]
    Token(#[from] http::header::InvalidHeaderValue),
}

#[derive(Debug, Error)]
pub(super) enum ReadError {
    #[error("no connection to {0}: {1}")]
    Connect(SocketAddr, #[source] io::Error),
    #[error("the connection broke: {0}")]
    Http(#[from] hyper::Error),
    #[error("the request cannot be written: {0}")]
    Request(#[from] http::Error),
    #[error("the answer cannot be read: {0}")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the answer {0} is no document of Kubernetes: {1}")]
    Json(StatusCode, #[source] serde_json::Error),
    #[error("the answer holds {0} values, not 1")]
    Count(usize),
}

/// A client of one gateway.
pub struct Reader {
    address: SocketAddr,
    authorization: HeaderValue,
    connector: TlsConnector,
    connection: Option<Connection>,
}

type Sender = SendRequest<Empty<Bytes>>;

struct Connection {
    sender: Sender,
    /// Drives the connection until it is dropped.
    _driver: AbortOnDropHandle<Result<(), hyper::Error>>,
}

impl Reader {
    /// A client of the gateway at `address`, trusting `authority`, in PEM form, and nobody else. It
    /// sends `token` with each reading.
    ///
    /// # Errors
    ///
    /// When the authority or the token is none.
    pub fn new(authority: &str, token: &str, address: SocketAddr) -> Result<Self, TrustError> {
        let mut authorization = HeaderValue::try_from(format!("Bearer {token}"))?;
        authorization.set_sensitive(true);
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.as_bytes())?)?;
        let provider = Arc::new(ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let connector = TlsConnector::from(Arc::new(config));
        Ok(Self { address, authorization, connector, connection: None })
    }

    /// Where a path of the gateway is, for other clients.
    pub fn url(&self, path: &str) -> String {
        format!("https://{HOST}:{}{path}", self.address.port())
    }

    /// Reads one value from each path, all at once and in at most [`TIMEOUT`].
    pub async fn read(&mut self, paths: &[String]) -> Vec<Reading> {
        let readings = tokio::time::timeout(TIMEOUT, async {
            let sender = self.sender().await?;
            let read = |path: &String| read_one(sender.clone(), self.request(path));
            Ok(join_all(paths.iter().map(read)).await)
        });
        let problem = match readings.await {
            Ok(Ok(readings)) => return readings,
            Ok(Err(error)) => ReadError::to_string(&error),
            Err(_) => {
                self.connection = None;
                format!("no answer from {} within {} s", self.address, TIMEOUT.as_secs())
            }
        };
        paths.iter().map(|_| Reading::Failed(problem.clone())).collect()
    }

    fn request(&self, path: &str) -> Result<Request<Empty<Bytes>>, http::Error> {
        let uri = Uri::builder()
            .scheme(uri::Scheme::HTTPS)
            .authority(format!("{HOST}:{}", self.address.port()))
            .path_and_query(path)
            .build()?;
        Request::get(uri)
            .header(ACCEPT, "application/json")
            .header(AUTHORIZATION, self.authorization.clone())
            .body(Empty::new())
    }

    /// The connection that there is, or another.
    async fn sender(&mut self) -> Result<Sender, ReadError> {
        if let Some(connection) = &mut self.connection
            && connection.sender.ready().await.is_ok()
        {
            return Ok(connection.sender.clone());
        }
        let at = |error| ReadError::Connect(self.address, error);
        let stream = TcpStream::connect(self.address).await.map_err(at)?;
        let name = ServerName::try_from(HOST).map_err(|error| at(io::Error::other(error)))?;
        let stream = self.connector.connect(name, stream).await.map_err(at)?;
        let (sender, driver) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        let driver = AbortOnDropHandle::new(tokio::spawn(driver));
        self.connection = Some(Connection { sender: sender.clone(), _driver: driver });
        Ok(sender)
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("address", &self.address).finish_non_exhaustive()
    }
}

async fn read_one(sender: Sender, request: Result<Request<Empty<Bytes>>, http::Error>) -> Reading {
    match get(sender, request).await {
        Ok((status, body)) => {
            interpret(status, &body).unwrap_or_else(|error| Reading::Failed(error.to_string()))
        }
        Err(error) => Reading::Failed(error.to_string()),
    }
}

async fn get(
    mut sender: Sender,
    request: Result<Request<Empty<Bytes>>, http::Error>,
) -> Result<(StatusCode, Bytes), ReadError> {
    let response = sender.send_request(request?).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MAX_BODY_BYTES);
    Ok((status, body.collect().await.map_err(ReadError::Body)?.to_bytes()))
}

/// What an answer says.
pub(super) fn interpret(status: StatusCode, body: &[u8]) -> Result<Reading, ReadError> {
    let json = |error| ReadError::Json(status, error);
    if !status.is_success() {
        let Status { message } = serde_json::from_slice(body).map_err(json)?;
        return Ok(Reading::Refused { code: status.as_u16(), message });
    }
    let List { items } = serde_json::from_slice(body).map_err(json)?;
    let [Item { value }] = items.as_slice() else {
        return Err(ReadError::Count(items.len()));
    };
    let quantity: Quantity =
        value.parse().map_err(|error| json(serde::de::Error::custom(error)))?;
    Ok(Reading::Value(quantity.to_f64()))
}

/// A `Status`, as far as people are concerned.
#[derive(Deserialize)]
struct Status {
    message: String,
}

/// A `MetricValueList`, as far as numbers are concerned.
#[derive(Deserialize)]
struct List {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    value: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_value_a_status_or_a_failure() {
        let refused = |code, message: &str| Reading::Refused { code, message: message.to_owned() };
        let table = [
            (
                200,
                r#"{"kind":"MetricValueList","items":[{"value":"16"}]}"#,
                Ok(Reading::Value(16.0)),
            ),
            (200, r#"{"items":[{"value":"12k"}]}"#, Ok(Reading::Value(12_000.0))),
            (200, r#"{"items":[{"value":"1500m"}]}"#, Ok(Reading::Value(1.5))),
            (404, r#"{"kind":"Status","message":"too old"}"#, Ok(refused(404, "too old"))),
            (200, r#"{"items":[]}"#, Err("the answer holds 0 values, not 1")),
            (200, r#"{"items":[{"value":"x"}]}"#, Err("is no document of Kubernetes")),
            (502, "<html>", Err("the answer 502 Bad Gateway is no document of Kubernetes")),
        ];
        for (code, body, wanted) in table {
            let read = interpret(StatusCode::from_u16(code).unwrap(), body.as_bytes());
            match (read, wanted) {
                (Ok(read), Ok(wanted)) => assert_eq!(read, wanted, "{body}"),
                (Err(error), Err(text)) => assert!(error.to_string().contains(text), "{error}"),
                (read, wanted) => panic!("{body}: {read:?}, not {wanted:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_gateway_that_is_not_there_is_a_failure_that_names_the_address() {
        let authority = super::super::certificates::Certificates::create().unwrap().authority;
        // A port that was free a moment ago; binding it again needs luck.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let mut reader = Reader::new(&authority, "token", address).unwrap();
        let readings = reader.read(&["/a".to_owned(), "/b".to_owned()]).await;
        assert_eq!(readings.len(), 2);
        for reading in readings {
            let Reading::Failed(problem) = reading else { panic!("{reading:?}") };
            assert!(problem.starts_with(&format!("no connection to {address}: ")), "{problem}");
        }
    }
}
