//! The least that a server can do: accept, TLS, hyper, a constant.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use fluxgauge_gateway::tls::Loader;
use http::{Response, header};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
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
                let http = Builder::new(TokioExecutor::new());
                http.serve_connection(TokioIo::new(stream), answer).await
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
