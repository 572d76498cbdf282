//! Certificates are exchanged while the gateway serves, and nobody notices.

use std::{
    fs,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use system_tests::{
    Connection, FakeCollector, TestCa, TestGateway,
    client::{get, metric_path},
    eventually, fake_collector, is,
};
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn a_certificate_is_swapped_under_load_without_a_failed_request() {
    let ca = TestCa::new();
    let gateway = TestGateway::start(&ca, &[]).await;
    let hello = fake_collector::hello("mc0");
    let mut collector = FakeCollector::connect(gateway.channel().await, hello).await.unwrap();
    collector.report(&[("node_up_count", 4.0)]).await.unwrap();

    let (stop, answered) = (CancellationToken::new(), AtomicUsize::new(0));
    let client = gateway.client();
    let mut kept = [client.connect_http1().await.unwrap(), client.connect_http2().await.unwrap()];
    let [http1, http2] = &mut kept;
    let load = async |mut connection: Option<&mut Connection>| {
        while !stop.is_cancelled() {
            let request = get(&metric_path("mc0", "node_up_count"));
            let answer = match &mut connection {
                Some(connection) => connection.ask(request).await,
                None => client.send(request).await,
            };
            assert_eq!(answer.expect("an answer").value(), Ok(4.0));
            answered.fetch_add(1, Relaxed);
        }
    };
    let swap = async {
        for _ in 0..2 {
            let before = client.certificate().await;
            // As the kubelet does: at some moment the two files do not fit each other.
            ca.write_leaf(gateway.certs.path());
            eventually("the new certificate is served", async || {
                is(client.certificate().await != before)
            })
            .await;
        }
        // A pair that does not parse is not served with.
        let before = client.certificate().await;
        fs::write(gateway.certs.path().join("tls.crt"), "half a certif").unwrap();
        let sent = answered.load(Relaxed);
        eventually("the load goes on", async || is(answered.load(Relaxed) > sent + 100)).await;
        assert_eq!(client.certificate().await, before);
        stop.cancel();
    };
    tokio::join!(load(None), load(Some(http1)), load(Some(http2)), swap);
    drop(collector);
}
