//! Connections as kube-apiserver makes them.

use http::{Request, header::HOST};
use http_body_util::Empty;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    SupportedProtocolVersion,
    version::{TLS12, TLS13},
};
use rustls_pki_types::ServerName;
use system_tests::{
    Answer, Client, Connection, FakeCollector, TestCa, TestGateway,
    ca::SERVICE_NAME,
    client::{get, is_unsent, metric_path},
    fake_collector,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

#[tokio::test]
async fn every_protocol_is_served_under_the_services_name_whatever_host_is_asked_for() {
    let ca = TestCa::new();
    let gateway = TestGateway::start(&ca, &[]).await;
    // kube-apiserver asks for the Service's address or an endpoint's, whatever name it verifies.
    for host in ["10.0.0.7:443", "[fd00::7]:443", "odd.example.org"] {
        for tls in [&TLS12, &TLS13] {
            for alpn in ["http/1.1", "h2"] {
                let answer = ask(&ca, &gateway, (tls, alpn), host).await;
                assert_eq!(answer.status, 200, "{tls:?} {alpn} {host}");
                assert_eq!(answer.json()["kind"], "APIResourceList");
            }
        }
    }
}

/// Asks for what the availability check asks for.
async fn ask(
    ca: &TestCa,
    gateway: &TestGateway,
    (tls, alpn): (&'static SupportedProtocolVersion, &str),
    host: &str,
) -> Answer {
    let stream = TcpStream::connect(gateway.api).await.unwrap();
    let name = ServerName::try_from(SERVICE_NAME).unwrap();
    let connector = TlsConnector::from(ca.client_config_of(alpn, &[tls], None));
    let stream = connector.connect(name, stream).await.unwrap();
    let (_, session) = stream.get_ref();
    assert_eq!(session.protocol_version(), Some(tls.version));
    assert_eq!(session.alpn_protocol(), Some(alpn.as_bytes()));
    let io = TokioIo::new(stream);
    let mut connection = if alpn == "h2" {
        let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        Connection::Http2(sender)
    } else {
        let (sender, connection) = http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        Connection::Http1(sender)
    };
    let uri = format!("https://{host}/apis/external.metrics.k8s.io/v1beta1");
    let mut request = Request::get(uri);
    if alpn == "http/1.1" {
        request = request.header(HOST, host);
    }
    connection.ask(request.body(Empty::new()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_client_that_keeps_its_connection_comes_to_every_replica() {
    let ca = TestCa::new();
    let mut replicas = Vec::new();
    for value in [1.0, 2.0] {
        let gateway = TestGateway::start(&ca, &["--connection-max-age", "200ms"]).await;
        let hello = fake_collector::hello("mc0");
        let mut collector = FakeCollector::connect(gateway.channel().await, hello).await.unwrap();
        collector.report(&[("node_up_count", value)]).await.unwrap();
        replicas.push((gateway, collector, value));
    }
    // A Service gives each new connection to some replica: here to each in turn. The client opens
    // one where the last one is no longer to be used, and loses no request over it.
    for (gateway, _, value) in replicas.iter().cycle().take(6) {
        let mut connection = connect(gateway.client()).await;
        loop {
            match connection.ask(get(&metric_path("mc0", "node_up_count"))).await {
                Ok(answer) => assert_eq!(answer.value(), Ok(*value)),
                Err(error) if is_unsent(error.as_ref()) => break,
                Err(error) => panic!("a request was lost: {error:?}"),
            }
        }
    }
}

async fn connect(client: &Client) -> Connection {
    client.connect_http2().await.unwrap()
}
