//! Brokers, gateways and collectors come and go, and come back.

use flux_client::Idset;
use flux_simulator::instance::Need;
use system_tests::{Path, TestGateway, eventually, path::SHORT, refused};

#[tokio::test]
async fn a_broker_that_is_gone_is_a_404_with_the_reason_and_is_served_again_when_it_is_back() {
    let path = Path::start(&SHORT).await;
    path.broker.go_away();
    for metric in ["node_up_count", "job_queue_state_run_count"] {
        let refusal =
            eventually("the value is refused", async || refused(path.metric(metric).await)).await;
        assert!(refusal.contains("the broker"), "{refusal}");
    }

    path.broker.drain(&Idset::range(1, 1), "while nobody looked");
    path.broker.come_back().await;
    path.agrees().await;
    path.broker.submit(Need::Nodes(2), None).unwrap();
    path.agrees().await;
}

#[tokio::test]
async fn a_gateway_that_is_gone_is_told_everything_when_it_is_back() {
    let mut path = Path::start(&[]).await;
    let (api, ingest) = (path.gateway.api.to_string(), path.gateway.ingest.to_string());
    let flags = ["--listen", &api, "--ingest-listen", &ingest];
    let empty = TestGateway::start(&path.ca, &[]).await;
    std::mem::replace(&mut path.gateway, empty).stop().await;

    path.broker.drain(&Idset::range(1, 1), "while nobody listened");
    path.gateway = TestGateway::start(&path.ca, &flags).await;
    path.agrees().await;
}

#[tokio::test]
async fn a_collector_that_ends_takes_its_minicluster_along() {
    let path = Path::start(&[]).await;
    path.collector.stop().await;
    let refusal = eventually("the value is refused", async || {
        refused(path.gateway.client().metric("mc0", "node_up_count").await)
    })
    .await;
    assert!(refusal.contains("no collector of such an object reports"), "{refusal}");
}
