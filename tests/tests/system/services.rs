//! Services stand for MiniClusters: by name, by their headless service, or as the names that HPAs
//! for the Python program have.

use system_tests::{FakeCollector, TestCa, TestGateway, client::HPC, fake_collector};

#[tokio::test]
async fn an_alias_means_the_only_minicluster_and_names_the_candidates_when_there_are_several() {
    let gateway = TestGateway::start(&TestCa::new(), &[]).await;
    let channel = gateway.channel().await;
    let mut collectors = Vec::new();
    let mut join = async |name: &str, nodes: f64| {
        let mut hello = fake_collector::hello(name);
        hello.headless_service = format!("{name}-service");
        let mut collector = FakeCollector::connect(channel.clone(), hello).await.unwrap();
        collector.report(&[("node_up_count", nodes)]).await.unwrap();
        collectors.push(collector);
    };
    let service = async |name: &str| {
        let path = format!("{HPC}/services/{name}/node_up_count");
        gateway.client().get(&path).await.value()
    };
    let aliases = ["custom-metrics-apiserver", "custom-metrics-service", "flux-service"];

    join("mc0", 4.0).await;
    for name in aliases.into_iter().chain(["mc0", "mc0-service"]) {
        assert_eq!(service(name).await, Ok(4.0), "{name}");
    }
    assert!(service("unknown").await.is_err());

    join("mc1", 3.0).await;
    for name in aliases {
        let refusal = service(name).await.unwrap_err();
        assert!(refusal.contains("mc0, mc1"), "{refusal}");
    }
    assert_eq!(service("mc0").await, Ok(4.0));
    assert_eq!(service("mc1-service").await, Ok(3.0));
}
