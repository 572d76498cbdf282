//! A client of the REST API, over TLS.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Uri};
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::{
    net::{TcpSocket, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsConnector;

use crate::{
    TestCa,
    ca::{self, ClientPair, SERVER_NAMES, SERVICE_NAME},
};

/// An error of a connection, in whatever layer.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A client of one gateway.
#[derive(Clone)]
pub struct Client {
    address: SocketAddr,
    /// The address that it comes from; `None`: as the system likes.
    from: Option<IpAddr>,
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
}

/// A connection to the gateway.
pub enum Connection {
    /// HTTP/1.1: one request at a time.
    Http1(http1::SendRequest<Empty<Bytes>>),
    /// HTTP/2.
    Http2(http2::SendRequest<Empty<Bytes>>),
}

/// What the gateway answered.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Client {
    /// A client of the server at `address`, whose certificate is the authority's.
    pub fn new(ca: &TestCa, address: SocketAddr) -> Self {
        let (http1, http2) = (ca.client_config("http/1.1"), ca.client_config("h2"));
        Self { address, from: None, http1, http2 }
    }

    /// A client that trusts the authorities of this bundle alone, and may show a certificate.
    pub fn trusting(bundle: &str, address: SocketAddr, own: Option<&ClientPair>) -> Self {
        let config = |alpn| ca::client_config(bundle, alpn, rustls::DEFAULT_VERSIONS, own);
        Self { address, from: None, http1: config("http/1.1"), http2: config("h2") }
    }

    /// A client that asks as a kubelet probes: whoever answers.
    pub fn prober(address: SocketAddr) -> Self {
        let config = ca::prober_config();
        Self { address, from: None, http1: Arc::clone(&config), http2: config }
    }

    /// The same client, with a certificate that `own` proves it by.
    pub fn with_certificate(&self, ca: &TestCa, own: &ClientPair) -> Self {
        let config = |alpn| ca.client_config_of(alpn, rustls::DEFAULT_VERSIONS, Some(own));
        Self { http1: config("http/1.1"), http2: config("h2"), ..*self }
    }

    /// The same client, of another address.
    #[must_use]
    pub fn at(&self, address: SocketAddr) -> Self {
        Self { address, ..self.clone() }
    }

    /// The same client, that comes from another address of this machine, such as 127.0.0.2.
    #[must_use]
    pub fn from(&self, from: IpAddr) -> Self {
        Self { from: Some(from), ..self.clone() }
    }

    /// A new connection on which HTTP/2 can be spoken.
    pub async fn connect_h2(&self) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        self.connect(&self.http2).await
    }

    /// Asks on a new connection, as HTTP/1.1.
    ///
    /// # Panics
    ///
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(get(path)).await.unwrap_or_else(|error| panic!("{path} is not answered: {error}"))
    }

    /// Sends a request on a new connection, as HTTP/1.1.
    pub async fn send(&self, request: Request<Empty<Bytes>>) -> Result<Answer, Error> {
        self.connect_http1().await?.ask(request).await
    }

    /// The value of an instance metric of a MiniCluster in namespace `hpc`, or why there is none.
    pub async fn metric(&self, minicluster: &str, metric: &str) -> Result<f64, String> {
        self.get(&metric_path(minicluster, metric)).await.value()
    }

    /// A new connection that speaks HTTP/1.1.
    pub async fn connect_http1(&self) -> Result<Connection, Error> {
        let io = self.connect(&self.http1).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(io)).await?;
        tokio::spawn(connection);
        Ok(Connection::Http1(sender))
    }

    /// A new connection that speaks HTTP/2.
    pub async fn connect_http2(&self) -> Result<Connection, Error> {
        Ok(self.connect_http2_driven().await?.0)
    }

    /// The same, and the task that ends with the connection.
    pub async fn connect_http2_driven(
        &self,
    ) -> Result<(Connection, JoinHandle<hyper::Result<()>>), Error> {
        let io = self.connect(&self.http2).await?;
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await?;
        let driven = tokio::spawn(connection);
        Ok((Connection::Http2(sender), driven))
    }

    /// The certificate that a new connection is shown.
    pub async fn certificate(&self) -> Vec<u8> {
        self.try_certificate().await.unwrap()
    }

    /// The same, where the client may not trust it.
    ///
    /// # Errors
    ///
    /// What it has against it.
    pub async fn try_certificate(&self) -> io::Result<Vec<u8>> {
        let stream = self.connect(&self.http1).await?;
        let chain = stream.get_ref().1.peer_certificates().expect("a certificate");
        Ok(chain[0].to_vec())
    }

    async fn connect(
        &self,
        config: &Arc<ClientConfig>,
    ) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let socket =
            if self.address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        if let Some(from) = self.from {
            socket.bind((from, 0).into())?;
        }
        let stream = socket.connect(self.address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(SERVICE_NAME).unwrap();
        TlsConnector::from(Arc::clone(config)).connect(name, stream).await
    }
}

impl Connection {
    /// Sends a request and reads the whole answer.
    pub async fn ask(&mut self, mut request: Request<Empty<Bytes>>) -> Result<Answer, Error> {
        let response: Response<Incoming> = match self {
            Self::Http1(sender) => {
                // HTTP/1.1 names the server in a header alone.
                let path = request.uri().path_and_query().cloned();
                *request.uri_mut() = path.map(Uri::from).unwrap_or_default();
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Self::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
        };
        let (parts, body) = response.into_parts();
        let (status, headers) = (parts.status.as_u16(), parts.headers);
        Ok(Answer { status, headers, body: body.collect().await?.to_bytes() })
    }
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {:?}", self.body))
    }

    /// The one value of a list, or the message of a `Status`.
    pub fn value(&self) -> Result<f64, String> {
        let json = self.json();
        if self.status != 200 {
            return Err(json["message"].as_str().expect("a message").to_owned());
        }
        let items = json["items"].as_array().expect("a list");
        assert_eq!(items.len(), 1, "{json}");
        Ok(quantity(items[0]["value"].as_str().expect("a quantity")))
    }

    /// The message of a `Status` that has this code.
    pub fn refusal(&self, status: u16) -> String {
        let json = self.json();
        assert_eq!(self.status, status, "{json}");
        assert_eq!(json["kind"], "Status", "{json}");
        json["message"].as_str().expect("a message").to_owned()
    }
}

/// Whether the server never saw the request, so that any client sends it again elsewhere.
pub fn is_unsent(error: &(dyn std::error::Error + 'static)) -> bool {
    error
        .downcast_ref::<hyper::Error>()
        .is_some_and(|error| error.is_canceled() || error.is_closed())
}

/// A GET request.
pub fn get(path: &str) -> Request<Empty<Bytes>> {
    let uri = format!("https://{}{path}", SERVER_NAMES[0]);
    Request::get(uri).header("host", SERVER_NAMES[0]).body(Empty::new()).unwrap()
}

/// The path of the metrics of namespace `hpc`.
pub const HPC: &str = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/hpc";

/// The path of an instance metric of a MiniCluster in namespace `hpc`.
pub fn metric_path(minicluster: &str, metric: &str) -> String {
    format!("{HPC}/miniclusters.flux-framework.org/{minicluster}/{metric}")
}

/// Reads a Kubernetes quantity, in the suffixes that answers have.
fn quantity(text: &str) -> f64 {
    let scales =
        [("n", 1e-9), ("u", 1e-6), ("m", 1e-3), ("k", 1e3), ("M", 1e6), ("G", 1e9), ("T", 1e12)];
    let (digits, scale) = scales
        .into_iter()
        .find_map(|(suffix, scale)| Some((text.strip_suffix(suffix)?, scale)))
        .unwrap_or((text, 1.0));
    let number: f64 = digits.parse().unwrap_or_else(|error| panic!("{error} in {text:?}"));
    number * scale
}
