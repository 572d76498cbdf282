//! One connection, from the accept to its end.

use std::{
    convert::Infallible, error::Error, net::SocketAddr, pin::pin, sync::Arc, time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::{body::Incoming, server::conn::http1, service::Service};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulConnection},
};
use rustls::ServerConnection;
use rustls_pki_types::CertificateDer;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    CONNECTION_WINDOW, HANDSHAKE_TIMEOUT, KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT, Limits,
    MAX_HEADER_BYTES, MAX_HEADERS, MAX_STREAMS, Peer, SHORT_LIVED, STREAM_WINDOW, Transport,
    activity::{Activity, Silence},
    again::Again,
    at_once::AtOnce,
};

/// What a connection needs beside its socket and its service.
pub(super) struct Connection {
    pub(super) peer: SocketAddr,
    pub(super) transport: Transport,
    pub(super) limits: Limits,
    pub(super) drain: CancellationToken,
}

/// How a connection ended: an error is the fault of one client, or of the network.
type Ended = Result<(), Box<dyn Error + Send + Sync>>;

/// Why a connection is to end.
enum End {
    /// The gateway drains, the connection is old or idle, or its service has had enough: what is in
    /// flight finishes.
    Gracefully,
    /// No request ever came.
    Unused,
}

impl Connection {
    /// Serves `stream` until either side ends it.
    pub(super) async fn serve<F, S, B>(self, stream: TcpStream, service: F)
    where
        F: Fn(Peer) -> S,
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
        S: Send + 'static,
        S::Future: Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let peer = self.peer;
        // Answers are small and complete: waiting for more to send only delays them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "the connection ended before it began");
            return;
        }
        let ended = match &self.transport {
            Transport::Plain => self.answer(stream, Agreed::default(), service).await,
            Transport::Tls(current) => {
                let config = Arc::clone(&current.borrow());
                let handshake =
                    timeout(HANDSHAKE_TIMEOUT, TlsAcceptor::from(config).accept(stream));
                match self.drain.run_until_cancelled(handshake).await {
                    Some(Ok(Ok(stream))) => {
                        let agreed = Agreed::by(stream.get_ref().1);
                        self.answer(stream, agreed, service).await
                    }
                    Some(Ok(Err(error))) => Err(error.into()),
                    Some(Err(elapsed)) => Err(elapsed.into()),
                    None => Ok(()),
                }
            }
        };
        if let Err(error) = ended {
            // Nothing for the operator to do.
            tracing::debug!(%peer, %error, "a connection failed");
        }
    }

    /// Answers what comes on a stream of either protocol.
    async fn answer<I, F, S, B>(&self, io: I, agreed: Agreed, service: F) -> Ended
    where
        I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        F: Fn(Peer) -> S,
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
        S: Send + 'static,
        S::Future: Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let activity = Arc::new(Activity::default());
        let leave = CancellationToken::new();
        let Agreed { certificates, is_http1 } = agreed;
        let service = service(Peer { address: self.peer, certificates, leave: leave.clone() });
        let service = Noticing { service, activity: Arc::clone(&activity) };
        // In a task of its own: the connection is polled for every packet, and what may end it
        // costs a lock and two timers each time it is looked at.
        let end = tokio::spawn(end(self.drain.clone(), leave, self.limits.max_age, activity));
        let end = AbortOnDropHandle::new(end);
        let io = TokioIo::new(io);
        if is_http1 {
            // Without looking for the protocol, which goes on to stand between hyper and the stream.
            self.drive(http1().serve_connection(io, service), end).await
        } else {
            self.drive(http(self.limits.max_age).serve_connection(io, service), end).await
        }
    }

    async fn drive<C>(&self, connection: C, end: AbortOnDropHandle<End>) -> Ended
    where
        C: GracefulConnection<Error: Into<Box<dyn Error + Send + Sync>>>,
    {
        let mut connection = pin!(connection);
        let end = tokio::select! {
            biased;
            ended = Again::new(connection.as_mut()) => return ended.map_err(Into::into),
            end = end => end,
        };
        if matches!(end, Ok(End::Unused)) {
            return Ok(());
        }
        connection.as_mut().graceful_shutdown();
        timeout(self.limits.drain_timeout, connection).await?.map_err(Into::into)
    }
}

/// What a handshake has agreed upon.
#[derive(Default)]
struct Agreed {
    certificates: Vec<CertificateDer<'static>>,
    /// Whether it is known that the protocol is HTTP/1.1.
    is_http1: bool,
}

impl Agreed {
    fn by(tls: &ServerConnection) -> Self {
        let shown = tls.peer_certificates().unwrap_or_default();
        Self {
            certificates: shown.iter().map(|one| one.clone().into_owned()).collect(),
            is_http1: tls.alpn_protocol() == Some(b"http/1.1"),
        }
    }
}

/// Waits until a connection is to end.
async fn end(
    drain: CancellationToken,
    leave: CancellationToken,
    max_age: Option<Duration>,
    activity: Arc<Activity>,
) -> End {
    let old_age = async {
        match max_age {
            Some(age) => sleep(jittered(age)).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = drain.cancelled() => End::Gracefully,
        () = leave.cancelled() => End::Gracefully,
        () = old_age => End::Gracefully,
        silence = activity.silence() => match silence {
            Silence::FromTheStart => End::Unused,
            Silence::AfterRequests => End::Gracefully,
        },
    }
}

/// The settings of HTTP/1.1. hyper sets few bounds itself; [`Activity`] bounds how long the head of a
/// request may take.
fn http1() -> http1::Builder {
    let mut http1 = http1::Builder::new();
    http1
        .header_read_timeout(None)
        .max_buf_size(MAX_HEADER_BYTES as usize)
        .max_headers(MAX_HEADERS);
    http1
}

/// The settings of both protocols, where the first bytes say which it is. HTTP/2 has no bounds without a
/// timer; those of HTTP/1.1 are the same as in [`http1`].
fn http(max_age: Option<Duration>) -> auto::Builder<AtOnce> {
    let mut http = auto::Builder::new(AtOnce);
    http.http1()
        .header_read_timeout(None)
        .max_buf_size(MAX_HEADER_BYTES as usize)
        .max_headers(MAX_HEADERS);
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(
            max_age.is_none_or(|age| age > SHORT_LIVED).then_some(KEEPALIVE_INTERVAL),
        )
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_BYTES)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    http
}

/// Between ⅔ and 4⁄3 of `age`, so that connections opened together do not end together.
fn jittered(age: Duration) -> Duration {
    age.mul_f64((2.0 + 2.0 * fastrand::f64()) / 3.0)
}

/// A service that notices when it is called.
struct Noticing<S> {
    service: S,
    activity: Arc<Activity>,
}

impl<S: Service<Request<Incoming>>> Service<Request<Incoming>> for Noticing<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.activity.note(request.version());
        self.service.call(request)
    }
}
