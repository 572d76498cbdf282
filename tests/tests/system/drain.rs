//! A gateway that is told to end answers all that it was asked.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use rustix::process::Signal;
use system_tests::{
    FakeCollector, Process, TestCa, TestGateway,
    client::{get, is_unsent, metric_path},
    eventually, fake_collector, is,
};
use tempfile::TempDir;
use tonic::Code;

/// Requests that are in flight when the gateway is told to end.
const READERS: usize = 8;

#[tokio::test]
async fn a_draining_gateway_is_not_ready_and_loses_no_request() {
    let gateway = TestGateway::start(&TestCa::new(), &["--drain-delay", "1h"]).await;
    let hello = fake_collector::hello("mc0");
    let mut collector = FakeCollector::connect(gateway.channel().await, hello).await.unwrap();
    collector.report(&[("node_up_count", 4.0)]).await.unwrap();
    let client = gateway.client().clone();
    let answered = AtomicUsize::new(0);

    // Clients that open a new connection where the old one was closed, and never lose a request:
    // after a GOAWAY, or between two requests of HTTP/1.1, hyper says so before it sends anything.
    let read = async || {
        let mut connection = client.connect_http2().await.unwrap();
        loop {
            match connection.ask(get(&metric_path("mc0", "node_up_count"))).await {
                Ok(answer) => assert_eq!(answer.value(), Ok(4.0)),
                Err(error) => {
                    assert!(is_unsent(error.as_ref()), "a request was lost: {error:?}");
                    return;
                }
            }
            answered.fetch_add(1, Relaxed);
        }
    };
    let readers = async {
        let one = || read();
        tokio::join!(one(), one(), one(), one(), one(), one(), one(), one());
    };
    let end = async {
        eventually("all read", async || is(answered.load(Relaxed) > 10 * READERS)).await;
        assert_eq!(client.get("/readyz").await.status, 200);
        gateway.shutdown.begin.cancel();
        eventually("not ready", async || is(client.get("/readyz").await.status == 500)).await;
        // Still serving, and still taking samples.
        assert_eq!(client.get("/livez").await.status, 200);
        collector.report(&[("node_up_count", 4.0)]).await.unwrap();
        assert_eq!(client.metric("mc0", "node_up_count").await, Ok(4.0));
        gateway.shutdown.hurry.cancel();
        gateway.stop().await;
        let ended = collector.report(&[("node_up_count", 4.0)]).await.unwrap_err();
        assert_eq!(ended.code(), Code::Unavailable, "{ended}");
    };
    tokio::join!(readers, end);
}

#[tokio::test]
async fn a_signal_ends_a_gateway_with_status_0() {
    let (ca, dir) = (TestCa::new(), TempDir::new().unwrap());
    ca.write_leaf(dir.path());
    let file = |name: &str| dir.path().join(name).display().to_string();
    let mut gateway = Process::start(
        env!("CARGO_BIN_EXE_child"),
        [
            "gateway",
            "--listen=127.0.0.1:0",
            "--ingest-listen=127.0.0.1:0",
            "--insecure-readers",
            "--insecure-collectors",
            "--drain-delay=0s",
            "--tls-cert",
            &file("tls.crt"),
            "--tls-key",
            &file("tls.key"),
        ],
        &[],
    );
    assert!(gateway.line().await.starts_with("listening api=127.0.0.1:"));
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.status().await, Some(0));
}
