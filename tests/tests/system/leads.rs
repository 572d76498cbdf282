//! One collector speaks for a MiniCluster: the one beside its newest lead broker.

use system_tests::{FakeCollector, TestCa, TestGateway, fake_collector};
use tonic::Code;

#[tokio::test]
async fn a_newer_lead_broker_replaces_an_older_one_whose_late_samples_are_dropped() {
    let gateway = TestGateway::start(&TestCa::new(), &[]).await;
    let channel = gateway.channel().await;
    let hello = fake_collector::hello("mc0");
    let mut old = FakeCollector::connect(channel.clone(), hello.clone()).await.unwrap();
    old.report(&[("node_up_count", 4.0)]).await.unwrap();

    let mut newer = hello.clone();
    newer.broker_start_time += 60.0;
    let mut new = FakeCollector::connect(channel.clone(), newer).await.unwrap();
    new.report(&[("node_up_count", 2.0)]).await.unwrap();

    let late = old.report(&[("node_up_count", 4.0)]).await.unwrap_err();
    assert_eq!(late.code(), Code::Aborted, "{late}");
    assert_eq!(gateway.client().metric("mc0", "node_up_count").await, Ok(2.0));

    let refused = FakeCollector::connect(channel, hello).await.unwrap_err();
    assert!(refused.message().contains("younger broker"), "{refused}");
    assert_eq!(gateway.client().metric("mc0", "node_up_count").await, Ok(2.0));
}

#[tokio::test]
async fn a_leaving_collector_ends_its_minicluster_at_once() {
    let gateway = TestGateway::start(&TestCa::new(), &[]).await;
    let hello = fake_collector::hello("mc0");
    let mut collector = FakeCollector::connect(gateway.channel().await, hello).await.unwrap();
    collector.report(&[("node_up_count", 4.0)]).await.unwrap();
    assert_eq!(gateway.client().metric("mc0", "node_up_count").await, Ok(4.0));

    collector.leave().await;
    let refusal = gateway.client().metric("mc0", "node_up_count").await.unwrap_err();
    assert!(refusal.contains("no collector of such an object reports"), "{refusal}");
}
