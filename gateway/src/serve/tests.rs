use std::{
    convert::Infallible,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use http_body_util::{BodyExt as _, Empty, Full};
use hyper::{
    client::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls_pki_types::ServerName;
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpSocket,
    sync::Notify,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use super::*;
use crate::tls::{
    Certificate, Loader,
    test_ca::{SERVER_NAME, TestCa},
};

/// Longer than anything here takes that works.
const DEADLINE: Duration = Duration::from_secs(20);

/// Long enough to see that something does not happen.
const MOMENT: Duration = Duration::from_millis(100);

const LIMITS: Limits = Limits { connections: 16, max_age: None, drain_timeout: DEADLINE };

type Empties = Empty<Bytes>;

/// A server whose `/slow` answers when told to, and whose other paths answer at once.
struct Server {
    address: SocketAddr,
    drain: CancellationToken,
    ended: JoinHandle<()>,
    /// Told when a request for `/slow` arrives.
    arrived: Arc<Notify>,
    /// Lets one request for `/slow` go on.
    release: Arc<Notify>,
}

impl Server {
    async fn start(transport: Transport, limits: Limits) -> Self {
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let drain = CancellationToken::new();
        let (arrived, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let notify = (Arc::clone(&arrived), Arc::clone(&release));
        let service = service_fn(move |request: Request<Incoming>| {
            let (arrived, release) = notify.clone();
            async move {
                if request.uri().path() == "/slow" {
                    arrived.notify_one();
                    release.notified().await;
                }
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("ok"))))
            }
        });
        let ended = tokio::spawn(serve(
            listener,
            transport,
            limits,
            move |_| service.clone(),
            drain.clone(),
        ));
        Self { address, drain, ended, arrived, release }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// An HTTP/2 connection and the task that drives it.
    async fn http2(&self) -> (http2::SendRequest<Empties>, JoinHandle<hyper::Result<()>>) {
        http2_on(self.connect().await).await
    }

    async fn end(self) {
        self.drain.cancel();
        timeout(DEADLINE, self.ended).await.unwrap().unwrap();
    }
}

/// A certificate that clients of the authority trust, and where it lies.
fn certificate(ca: &TestCa) -> (TempDir, Certificate) {
    let dir = TempDir::new().unwrap();
    ca.leaf().write(dir.path());
    let loader = Loader::new(dir.path().join("tls.crt"), dir.path().join("tls.key"));
    (dir, loader.load().unwrap())
}

async fn http2_on<I: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    io: I,
) -> (http2::SendRequest<Empties>, JoinHandle<hyper::Result<()>>) {
    let (client, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await.unwrap();
    (client, tokio::spawn(connection))
}

async fn http1_on<I: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    io: I,
) -> hyper::Result<http1::SendRequest<Empties>> {
    let (client, connection) = http1::handshake(TokioIo::new(io)).await?;
    tokio::spawn(connection);
    Ok(client)
}

fn get(path: &str) -> Request<Empties> {
    Request::get(format!("http://gateway.test{path}")).body(Empty::new()).unwrap()
}

async fn body(response: Response<Incoming>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

/// Anything that bytes go through.
trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<I: AsyncRead + AsyncWrite + Unpin> Stream for I {}

/// A server and a client that speak HTTP/1.1: by TLS, where the handshake says so, or without it, where
/// the first bytes do.
async fn speaking_http1(by_tls: bool) -> (Server, Box<dyn Stream>) {
    if !by_tls {
        let server = Server::start(Transport::Plain, LIMITS).await;
        let stream = server.connect().await;
        return (server, Box::new(stream));
    }
    let ca = TestCa::new();
    let (_dir, certificate) = certificate(&ca);
    let server = Server::start(Transport::Tls(certificate.current()), LIMITS).await;
    let name = ServerName::try_from(SERVER_NAME).unwrap();
    let stream = server.connect().await;
    let stream = ca.connector(&["http/1.1"]).connect(name, stream).await.unwrap();
    (server, Box::new(stream))
}

/// Reads until the server ends the connection.
async fn wait_for_end(mut stream: impl AsyncRead + Unpin) {
    let mut bytes = Vec::new();
    let read = timeout(DEADLINE * 10, stream.read_to_end(&mut bytes)).await;
    // A reset ends a connection just as well as an end.
    drop(read.expect("the server ends the connection"));
}

#[tokio::test]
async fn both_versions_of_http_are_served_with_and_without_tls() {
    let ca = TestCa::new();
    let (_dir, certificate) = certificate(&ca);
    let name = ServerName::try_from(SERVER_NAME).unwrap();

    let plain = Server::start(Transport::Plain, LIMITS).await;
    let (mut client, _) = plain.http2().await;
    assert_eq!(body(client.send_request(get("/")).await.unwrap()).await, "ok");
    let mut client = http1_on(plain.connect().await).await.unwrap();
    assert_eq!(body(client.send_request(get("/")).await.unwrap()).await, "ok");
    plain.end().await;

    let tls = Server::start(Transport::Tls(certificate.current()), LIMITS).await;
    let io = ca.connector(&["h2"]).connect(name.clone(), tls.connect().await).await.unwrap();
    assert_eq!(io.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut client, _) = http2_on(io).await;
    assert_eq!(body(client.send_request(get("/")).await.unwrap()).await, "ok");
    let io = ca.connector(&["http/1.1"]).connect(name, tls.connect().await).await.unwrap();
    let mut client = http1_on(io).await.unwrap();
    assert_eq!(body(client.send_request(get("/")).await.unwrap()).await, "ok");
    tls.end().await;
}

#[tokio::test]
async fn a_certificate_is_exchanged_under_load_without_a_failed_request() {
    let ca = Arc::new(TestCa::new());
    let (dir, mut certificate) = certificate(&ca);
    let server = Server::start(Transport::Tls(certificate.current()), LIMITS).await;
    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let name = ServerName::try_from(SERVER_NAME).unwrap();
    let address = server.address;
    let connect = |alpn: &str| {
        let (connector, name) = (ca.connector(&[alpn]), name.clone());
        async move { connector.connect(name, TcpStream::connect(address).await?).await }
    };

    // One client keeps its connection, two open one for each request.
    let (mut kept, _) = http2_on(connect("h2").await.unwrap()).await;
    let mut clients = vec![tokio::spawn({
        let (stop, sent) = (Arc::clone(&stop), Arc::clone(&sent));
        async move {
            while !stop.load(SeqCst) {
                body(kept.send_request(get("/")).await.unwrap()).await;
                sent.fetch_add(1, SeqCst);
            }
        }
    })];
    for _ in 0..2 {
        let (stop, sent) = (Arc::clone(&stop), Arc::clone(&sent));
        let connector = ca.connector(&["http/1.1"]);
        let name = name.clone();
        clients.push(tokio::spawn(async move {
            while !stop.load(SeqCst) {
                let stream = TcpStream::connect(address).await.unwrap();
                let io = connector.connect(name.clone(), stream).await.unwrap();
                let mut client = http1_on(io).await.unwrap();
                body(client.send_request(get("/")).await.unwrap()).await;
                sent.fetch_add(1, SeqCst);
            }
        }));
    }
    for _ in 0..5 {
        let before = connect("h2").await.unwrap();
        ca.leaf().write(dir.path());
        certificate.reload().await;
        let after = connect("h2").await.unwrap();
        let shown = |io: &tokio_rustls::client::TlsStream<TcpStream>| {
            io.get_ref().1.peer_certificates().unwrap().to_vec()
        };
        assert_ne!(shown(&before), shown(&after));
        let until = sent.load(SeqCst) + 10;
        while sent.load(SeqCst) < until {
            assert!(clients.iter().all(|client| !client.is_finished()), "a request failed");
            tokio::task::yield_now().await;
        }
    }
    stop.store(true, SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    server.end().await;
}

#[tokio::test]
async fn a_drain_refuses_new_connections_and_finishes_what_is_in_flight() {
    let server = Server::start(Transport::Plain, LIMITS).await;
    let (mut http2, connection) = server.http2().await;
    let on_http2 = tokio::spawn(http2.send_request(get("/slow")));
    server.arrived.notified().await;
    let mut http1 = http1_on(server.connect().await).await.unwrap();
    let on_http1 = tokio::spawn(async move { http1.send_request(get("/slow")).await });
    server.arrived.notified().await;

    server.drain.cancel();
    let refused = async {
        while TcpStream::connect(server.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, refused).await.unwrap();
    assert!(!server.ended.is_finished());
    server.release.notify_waiters();

    assert_eq!(body(on_http2.await.unwrap().unwrap()).await, "ok");
    assert_eq!(body(on_http1.await.unwrap().unwrap()).await, "ok");
    timeout(DEADLINE, connection).await.unwrap().unwrap().unwrap();
    server.end().await;
}

#[tokio::test]
async fn a_drain_does_not_wait_longer_than_it_may() {
    let limits = Limits { drain_timeout: MOMENT, ..LIMITS };
    let server = Server::start(Transport::Plain, limits).await;
    let (mut client, _) = server.http2().await;
    let stuck = tokio::spawn(client.send_request(get("/slow")));
    server.arrived.notified().await;
    let began = Instant::now();
    server.end().await;
    assert!(began.elapsed() >= MOMENT);
    assert!(timeout(DEADLINE, stuck).await.unwrap().unwrap().is_err());
}

#[tokio::test]
async fn an_old_connection_is_told_to_go_and_finishes_its_request() {
    let limits = Limits { max_age: Some(MOMENT), ..LIMITS };
    let server = Server::start(Transport::Plain, limits).await;
    let (mut client, connection) = server.http2().await;
    let slow = tokio::spawn(client.send_request(get("/slow")));
    server.arrived.notified().await;
    // GOAWAY has come once the connection takes no more requests.
    let goaway = async { while client.send_request(get("/")).await.is_ok() {} };
    timeout(DEADLINE, goaway).await.unwrap();
    assert!(!slow.is_finished());
    server.release.notify_one();
    assert_eq!(body(slow.await.unwrap().unwrap()).await, "ok");
    timeout(DEADLINE, connection).await.unwrap().unwrap().expect("it ends without an error");

    let (mut client, _) = server.http2().await;
    assert_eq!(body(client.send_request(get("/")).await.unwrap()).await, "ok");
    server.end().await;
}

#[tokio::test]
async fn connections_over_the_cap_wait_until_one_ends() {
    let server = Server::start(Transport::Plain, Limits { connections: 1, ..LIMITS }).await;
    let mut first = http1_on(server.connect().await).await.unwrap();
    assert_eq!(body(first.send_request(get("/")).await.unwrap()).await, "ok");
    let mut second = http1_on(server.connect().await).await.unwrap();
    let mut answer = tokio::spawn(async move { second.send_request(get("/")).await });
    assert!(timeout(MOMENT, &mut answer).await.is_err(), "it waits");
    drop(first);
    let answer = timeout(DEADLINE, answer).await.unwrap().unwrap().unwrap();
    assert_eq!(body(answer).await, "ok");
    server.end().await;
}

#[tokio::test]
async fn an_address_with_its_share_of_connections_leaves_room_for_others() {
    let limits = Limits { connections: LEAST_OF_PEER + 1, ..LIMITS };
    let server = Server::start(Transport::Plain, limits).await;
    let mut held = Vec::new();
    for _ in 0..LEAST_OF_PEER {
        let mut client = http1_on(server.connect().await).await.unwrap();
        assert_eq!(body(client.send_request(get("/")).await.unwrap()).await, "ok");
        held.push(client);
    }
    let refused = match http1_on(server.connect().await).await {
        Ok(mut client) => client.send_request(get("/")).await.map(drop),
        Err(error) => Err(error),
    };
    refused.expect_err("one more of the same address");
    let elsewhere = TcpSocket::new_v4().unwrap();
    elsewhere.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let other = elsewhere.connect(server.address).await.unwrap();
    let mut other = http1_on(other).await.unwrap();
    assert_eq!(body(other.send_request(get("/")).await.unwrap()).await, "ok");
    drop(held);
    server.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_finish_its_handshake_is_cut_off() {
    let ca = TestCa::new();
    let (_dir, certificate) = certificate(&ca);
    let server = Server::start(Transport::Tls(certificate.current()), LIMITS).await;
    let mut stream = server.connect().await;
    // The head of a TLS record whose rest never comes.
    stream.write_all(&[0x16, 0x03, 0x01, 0x01, 0x00]).await.unwrap();
    let began = Instant::now();
    wait_for_end(stream).await;
    assert!(began.elapsed() >= HANDSHAKE_TIMEOUT, "{:?}", began.elapsed());
    server.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_request_is_cut_off() {
    let starts: [&[u8]; 4] =
        [b"", b"PRI * HTTP/2.0\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HT"];
    for start in starts {
        let server = Server::start(Transport::Plain, LIMITS).await;
        let mut stream = server.connect().await;
        stream.write_all(start).await.unwrap();
        let began = Instant::now();
        wait_for_end(stream).await;
        assert!(began.elapsed() <= FIRST_REQUEST_TIMEOUT * 2, "{start:?}: {:?}", began.elapsed());
        server.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_http1_connection_is_ended_when_no_more_requests_come() {
    // Nothing more, and a head whose end never comes.
    for then in ["", "GET / HTTP/1.1\r\nx: "] {
        for by_tls in [false, true] {
            let (server, mut stream) = speaking_http1(by_tls).await;
            let began = Instant::now();
            let mut last = began;
            // Longer than a silence may be.
            while began.elapsed() < IDLE_TIMEOUT * 4 {
                last = Instant::now();
                stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
                let mut answer = [0; 256];
                let read = stream.read(&mut answer).await.unwrap();
                assert!(answer[..read].ends_with(b"ok"), "after {:?}", began.elapsed());
                sleep(IDLE_TIMEOUT - MOMENT).await;
            }
            stream.write_all(then.as_bytes()).await.unwrap();
            let silent = Instant::now();
            wait_for_end(stream).await;
            let took = silent.elapsed();
            assert!(took <= IDLE_TIMEOUT * 2 + LIMITS.drain_timeout, "{then:?}: {took:?}");
            assert!(last.elapsed() >= IDLE_TIMEOUT, "{then:?}: {:?}", last.elapsed());
            server.end().await;
        }
    }
}

#[tokio::test]
async fn headers_over_the_limit_are_refused() {
    // What has come is counted after each read, which by TLS may bring as much again.
    for (by_tls, reads) in [(false, 1), (true, 2)] {
        let long = "x".repeat(MAX_HEADER_BYTES as usize * reads);
        for headers in [format!("x: {long}\r\n"), "x: y\r\n".repeat(MAX_HEADERS + 1)] {
            let (server, mut stream) = speaking_http1(by_tls).await;
            let request = format!("GET / HTTP/1.1\r\n{headers}\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut start = [0; 12];
            stream.read_exact(&mut start).await.unwrap();
            assert_eq!(&start, b"HTTP/1.1 431", "by TLS {by_tls}: {} bytes", request.len());
            server.end().await;
        }
    }
}

#[tokio::test]
async fn as_many_headers_as_may_be_are_taken() {
    let headers = "x: y\r\n".repeat(MAX_HEADERS);
    for by_tls in [false, true] {
        let (server, mut stream) = speaking_http1(by_tls).await;
        let request = format!("GET / HTTP/1.1\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut start = [0; 12];
        stream.read_exact(&mut start).await.unwrap();
        assert_eq!(&start, b"HTTP/1.1 200");
        server.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn accept_errors_are_waited_out() {
    const EMFILE: i32 = 24;
    let calls = AtomicUsize::new(0);
    let failing = accept(|| {
        calls.fetch_add(1, SeqCst);
        std::future::ready(Err(io::Error::from_raw_os_error(EMFILE)))
    });
    assert!(timeout(Duration::from_secs(60), failing).await.is_err());
    let calls = calls.into_inner();
    assert!((50..=70).contains(&calls), "tried {calls} times in a minute");
}
