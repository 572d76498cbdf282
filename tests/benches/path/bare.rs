//! The least that a server can do: accept, TLS, hyper as the gateway drives it, a constant.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use fluxgauge_gateway::tls::Loader;
use http::{Response, header};
use http_body_util::Full;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use system_tests::TestCa;

/// Serves `body` with the same TLS as a gateway, for ever.
pub(crate) async fn start(ca: &TestCa, body: Bytes) -> SocketAddr {
    let certs = TempDir::new().expect("a directory");
    ca.write_leaf(certs.path());
    let loader = Loader::new(certs.path().join("tls.crt"), certs.path().join("tls.key"));
    let acceptor =
        TlsAcceptor::from(loader.load().expect("a certificate").current().borrow().clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, body) = (acceptor.clone(), body.clone());
            tokio::spawn(async move {
                stream.set_nodelay(true)?;
                let stream = acceptor.accept(stream).await?;
                let answer = service_fn(move |_| {
                    let body = body.clone();
                    async move { Ok::<_, Infallible>(constant(body)) }
                });
                let is_http1 = stream.get_ref().1.alpn_protocol() == Some(b"http/1.1");
                let stream = TokioIo::new(stream);
                if is_http1 {
                    http1::Builder::new().serve_connection(stream, answer).await?;
                    return Ok(());
                }
                auto::Builder::new(TokioExecutor::new()).serve_connection(stream, answer).await
            });
        }
    });
    address
}

fn constant(body: Bytes) -> Response<Full<Bytes>> {
    Response::builder()
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CACHE_CONTROL, "no-cache, private")
        .body(Full::new(body))
        .expect("a response")
}
