//! A namespace's metric is the sum over all its MiniClusters, or an error that names the one that
//! spoils it.

use system_tests::{FakeCollector, TestCa, TestGateway, client::HPC, fake_collector};

#[tokio::test]
async fn a_sum_over_a_namespace_is_never_partial() {
    let gateway = TestGateway::start(&TestCa::new(), &[]).await;
    let channel = gateway.channel().await;
    let connect = async |name: &str| {
        FakeCollector::connect(channel.clone(), fake_collector::hello(name)).await.unwrap()
    };
    let (mut first, mut second) = (connect("mc0").await, connect("mc1").await);
    second.report(&[("node_up_count", 3.0)]).await.unwrap();
    first.report(&[("node_up_count", 4.0)]).await.unwrap();
    let path = format!("{HPC}/metrics/node_up_count");
    assert_eq!(gateway.client().get(&path).await.value(), Ok(7.0));

    let mut stale = fake_collector::sample(&[("node_up_count", 3.0)]);
    stale.sources.iter_mut().for_each(|source| source.proved_age_ms = Some(61_000));
    second.send(stale).await.unwrap();
    let refusal = gateway.client().get(&path).await.refusal(404);
    assert!(refusal.contains("MiniCluster mc1: last sample is 61s old, limit 60s"), "{refusal}");

    second.leave().await;
    assert_eq!(gateway.client().get(&path).await.value(), Ok(4.0));
}
