//! Metrics that operators define, and those over a window, as readers see them.

use std::fs;

use system_tests::{
    FakeCollector, TestCa, TestGateway, client::metric_path, fake_collector, within,
};
use tempfile::TempDir;

const EXTERNAL: &str = "/apis/external.metrics.k8s.io/v1beta1/namespaces/hpc";

/// What a gateway answers: status, and body as text.
async fn read(gateway: &TestGateway, path: &str) -> (u16, String) {
    let answer = gateway.client().get(path).await;
    (answer.status, String::from_utf8(answer.body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_derived_metric_follows_its_inputs_and_its_file() {
    let (ca, folder) = (TestCa::new(), TempDir::new().unwrap());
    let file = folder.path().join("derived.yaml");
    let define = |expression: &str| {
        fs::write(&file, format!("metrics: [{{name: wanted, expression: {expression:?}}}]"))
            .unwrap();
    };
    define("ceil(pending_nodes_demand * 1.2) + 1");
    let flag = format!("--derived={}", file.display());
    let gateway = TestGateway::start(&ca, &[&flag]).await;
    let mut collectors = Vec::new();
    for (name, nodes) in [("mc0", 4.0), ("mc1", 5.0)] {
        let hello = fake_collector::hello(name);
        let mut collector = FakeCollector::connect(gateway.channel().await, hello).await.unwrap();
        collector.report(&[("pending_nodes_demand", nodes)]).await.unwrap();
        collectors.push(collector);
    }
    let value = |text: &str| format!(r#""value":"{text}""#);
    let path = metric_path("mc0", "wanted");
    let (status, body) = read(&gateway, &path).await;
    assert!(status == 200 && body.contains(&value("6")), "{body}");
    // One MiniCluster's, and never a sum.
    let (status, body) =
        read(&gateway, &format!("{EXTERNAL}/wanted?labelSelector=minicluster%3Dmc1")).await;
    assert!(status == 200 && body.contains(&value("7")), "{body}");
    let (status, body) = read(&gateway, &format!("{EXTERNAL}/wanted")).await;
    assert!(status == 400 && body.contains("has no meaning"), "{body}");
    let pods = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/hpc/pods/mc0-0/wanted";
    let (status, body) = read(&gateway, pods).await;
    assert!(status == 404 && body.contains("describes a MiniCluster"), "{body}");

    define("pending_nodes_demand * 10");
    within(system_tests::DEADLINE, "the new expression", async || {
        let (_, body) = read(&gateway, &path).await;
        if body.contains(&value("40")) { Ok(()) } else { Err(body) }
    })
    .await;
    // One that is wrong changes nothing, and one that divides by 0 has no value.
    define("pending_nodes_demand / (pending_nodes_demand - 4)");
    within(system_tests::DEADLINE, "no value", async || {
        let (status, body) = read(&gateway, &path).await;
        if status == 404 && body.contains("division by 0") { Ok(()) } else { Err(body) }
    })
    .await;

    define("node_up_count + pending_nodes_demand");
    within(system_tests::DEADLINE, "the missing input", async || {
        let (status, body) = read(&gateway, &path).await;
        let named = body.contains("node_up_count: ");
        if status == 404 && named { Ok(()) } else { Err(body) }
    })
    .await;
}

#[tokio::test]
async fn an_average_says_over_how_many_seconds_it_is_one() {
    let gateway = TestGateway::start(&TestCa::new(), &[]).await;
    let hello = fake_collector::hello("mc0");
    let mut collector = FakeCollector::connect(gateway.channel().await, hello).await.unwrap();
    let values = [("pending_nodes_demand_5m", 1.5), ("pending_nodes_demand", 3.0)];
    collector.report(&values).await.unwrap();
    let of = async |metric: &str| read(&gateway, &metric_path("mc0", metric)).await.1;
    let average = of("pending_nodes_demand_5m").await;
    assert!(average.contains(r#""windowSeconds":300,"value":"1500m""#), "{average}");
    assert!(!of("pending_nodes_demand").await.contains("windowSeconds"));
    let external = format!("{EXTERNAL}/pending_nodes_demand_5m?labelSelector=minicluster%3Dmc0");
    let (_, external) = read(&gateway, &external).await;
    assert!(external.contains(r#""window":300,"value":"1500m""#), "{external}");
}
