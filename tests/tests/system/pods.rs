//! Which pods there are is what Kubernetes says, at every moment and whatever happens to the
//! watch.

use serde_json::{Value, json};
use system_tests::{
    Answer, FakeApi, FakeCollector, TestCa, TestGateway, client::HPC, eventually, fake_collector,
    is, refused,
};

/// A gateway that asks a Kubernetes for pods.
async fn gateway(api: &FakeApi) -> TestGateway {
    let flags = ["--kubeconfig", &api.kubeconfig(), "--interval", "100ms"];
    TestGateway::start(&TestCa::new(), &flags).await
}

/// A pod of a MiniCluster in namespace `hpc`, as the Job controller makes it.
fn pod(minicluster: &str, index: u32, suffix: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": "hpc",
            "name": format!("{minicluster}-{index}-{suffix}"),
            "uid": format!("uid-{minicluster}-{index}-{suffix}"),
            "creationTimestamp": "2026-11-23T22:50:10Z",
            "annotations": {"batch.kubernetes.io/job-completion-index": index.to_string()},
            "labels": {"hpa-selector": minicluster, "job-name": minicluster, "role": "compute"},
        },
        "spec": {"hostname": format!("{minicluster}-{index}"), "containers": []},
        "status": {"phase": "Running"},
    })
}

fn in_phase(phase: &str, mut pod: Value) -> Value {
    pod["status"]["phase"] = json!(phase);
    pod
}

/// A collector that knows no more of its pod than the hostname.
async fn collector(gateway: &TestGateway, minicluster: &str, rank: u32) -> FakeCollector {
    let mut hello = fake_collector::hello(minicluster);
    hello.rank = rank;
    hello.pod_name = format!("{minicluster}-{rank}");
    let mut collector = FakeCollector::connect(gateway.channel().await, hello).await.unwrap();
    report(&mut collector, rank).await;
    collector
}

async fn report(collector: &mut FakeCollector, rank: u32) {
    let lead: &[(&str, f64)] = &[("broker_up", 1.0), ("node_up_count", 4.0)];
    let values = if rank == 0 { lead } else { &lead[..1] };
    collector.report(values).await.unwrap();
}

async fn get(gateway: &TestGateway, path: &str) -> Answer {
    gateway.client().get(&format!("{HPC}/{path}")).await
}

/// The names of the pods that a selector finds; none when the answer is that there are none.
async fn pods(gateway: &TestGateway, selector: &str) -> Vec<String> {
    let answer = get(gateway, &format!("pods/%2A/broker_up?labelSelector={selector}")).await;
    let json = answer.json();
    let items = json["items"].as_array().into_iter().flatten();
    items.map(|item| item["describedObject"]["name"].as_str().unwrap().to_owned()).collect()
}

async fn pods_become(gateway: &TestGateway, want: &[&str]) {
    let what = format!("pods are {want:?}");
    eventually(&what, async || {
        let pods = pods(gateway, "role%3Dcompute").await;
        if pods == want { Ok(()) } else { Err(pods) }
    })
    .await;
}

#[tokio::test]
async fn pods_come_and_go_as_kubernetes_says() {
    let api = FakeApi::start().await;
    api.apply(pod("mc0", 0, "aaaaa"));
    let gateway = gateway(&api).await;
    let mut lead = collector(&gateway, "mc0", 0).await;
    let worker = collector(&gateway, "mc0", 1).await;
    eventually("the first pod", async || {
        report(&mut lead, 0).await;
        is(pods(&gateway, "").await == ["mc0-0-aaaaa"])
    })
    .await;

    api.apply(pod("mc0", 1, "bbbbb"));
    let mut worker = worker;
    eventually("the second pod, when its collector reports", async || {
        report(&mut worker, 1).await;
        is(pods(&gateway, "").await == ["mc0-0-aaaaa", "mc0-1-bbbbb"])
    })
    .await;
    assert!(pods(&gateway, "role%21%3Dcompute").await.is_empty(), "labels are the pods' own");
    let answer = get(&gateway, "pods/mc0-1-bbbbb/broker_up").await.json();
    let object = &answer["items"][0]["describedObject"];
    assert_eq!(object["uid"], "uid-mc0-1-bbbbb");

    let mut ending = pod("mc0", 1, "bbbbb");
    ending["metadata"]["deletionTimestamp"] = json!("2026-11-23T22:55:00Z");
    api.apply(ending);
    pods_become(&gateway, &["mc0-0-aaaaa"]).await;
    api.delete("mc0-1-bbbbb");

    api.apply(in_phase("Succeeded", pod("mc0", 0, "aaaaa")));
    let metric = async || gateway.client().metric("mc0", "node_up_count").await;
    let refusal = eventually("it has finished", async || refused(metric().await)).await;
    assert!(refusal.contains("MiniCluster mc0 has no running pods"), "{refusal}");
    assert!(pods(&gateway, "").await.is_empty());
}

#[tokio::test]
async fn a_pod_that_is_made_anew_has_no_value_until_its_own_collector_reports() {
    let api = FakeApi::start().await;
    api.apply(pod("mc0", 0, "aaaaa"));
    let gateway = gateway(&api).await;
    let mut old = collector(&gateway, "mc0", 0).await;
    let path = "pods/%2A/broker_up";
    eventually("the pod has a value", async || {
        report(&mut old, 0).await;
        get(&gateway, path).await.value()
    })
    .await;

    let mut ending = pod("mc0", 0, "aaaaa");
    ending["metadata"]["deletionTimestamp"] = json!("2026-11-23T22:55:00Z");
    api.apply(ending);
    api.apply(pod("mc0", 0, "bbbbb"));
    let refusal = eventually("the successor is seen", async || {
        report(&mut old, 0).await;
        let refusal = refused(get(&gateway, path).await.value())?;
        Ok::<_, f64>(refusal)
    })
    .await;
    assert!(!refusal.contains("aaaaa"), "{refusal}");
    eventually("the successor is named", async || {
        report(&mut old, 0).await;
        let refusal = refused(get(&gateway, path).await.value()).map_err(|v| v.to_string())?;
        if refusal.contains("pod mc0-0-bbbbb") { Ok(()) } else { Err(refusal) }
    })
    .await;
    // The old one goes on for a while: its values are nobody's.
    report(&mut old, 0).await;
    get(&gateway, path).await.refusal(404);
    let refusal = gateway.client().metric("mc0", "node_up_count").await.unwrap_err();
    assert!(refusal.contains("is mc0-0-bbbbb now"), "{refusal}");

    let _new = collector(&gateway, "mc0", 0).await;
    assert_eq!(gateway.client().metric("mc0", "node_up_count").await, Ok(4.0));
    assert_eq!(pods(&gateway, "").await, ["mc0-0-bbbbb"]);
}

#[tokio::test]
async fn a_watch_that_is_cut_goes_on_and_one_that_lost_its_place_begins_anew() {
    let api = FakeApi::start().await;
    for index in 0..3 {
        api.apply(pod("mc0", index, "aaaaa"));
    }
    let gateway = gateway(&api).await;
    let mut collectors = Vec::new();
    for rank in 0..3 {
        collectors.push(collector(&gateway, "mc0", rank).await);
    }
    eventually("all pods have values", async || {
        for (rank, collector) in (0..).zip(&mut collectors) {
            report(collector, rank).await;
        }
        is(pods(&gateway, "").await.len() == 3)
    })
    .await;
    let watches = async || is(api.watches() == 1);
    eventually("the watch is open", watches).await;

    api.cut();
    api.delete("mc0-2-aaaaa");
    pods_become(&gateway, &["mc0-0-aaaaa", "mc0-1-aaaaa"]).await;
    assert_eq!(api.lists(), 1, "it went on where it was");

    eventually("the watch is open again", watches).await;
    api.cut();
    api.delete("mc0-1-aaaaa");
    api.compact();
    pods_become(&gateway, &["mc0-0-aaaaa"]).await;
    assert_eq!(api.lists(), 2);
}

#[tokio::test]
async fn a_gateway_starts_without_its_api_server_and_catches_up() {
    let mut api = FakeApi::down().await;
    api.apply(pod("mc0", 0, "aaaaa"));
    let gateway = gateway(&api).await;
    let mut collector = collector(&gateway, "mc0", 0).await;
    for path in ["metrics/node_up_count", "pods/%2A/broker_up"] {
        let refusal = get(&gateway, path).await.refusal(404);
        assert!(refusal.contains("has not read the pods"), "{refusal}");
    }
    assert_eq!(gateway.client().metric("mc0", "node_up_count").await, Ok(4.0));
    let ready = async || gateway.client().get("/readyz/pods").await.status;
    assert_eq!(ready().await, 500);

    api.serve().await;
    eventually("it is ready", async || is(ready().await == 200)).await;
    report(&mut collector, 0).await;
    assert_eq!(pods(&gateway, "").await, ["mc0-0-aaaaa"]);
    assert_eq!(get(&gateway, "metrics/node_up_count").await.value(), Ok(4.0));
}

#[tokio::test]
async fn what_is_known_stays_while_the_api_server_is_away() {
    let mut api = FakeApi::start().await;
    api.apply(pod("mc0", 0, "aaaaa"));
    let gateway = gateway(&api).await;
    let mut mc0 = collector(&gateway, "mc0", 0).await;
    eventually("the pod has a value", async || {
        report(&mut mc0, 0).await;
        is(!pods(&gateway, "").await.is_empty())
    })
    .await;
    api.stop().await;

    report(&mut mc0, 0).await;
    assert_eq!(pods(&gateway, "").await, ["mc0-0-aaaaa"]);
    let sum = async || get(&gateway, "metrics/node_up_count").await.value();
    assert_eq!(sum().await, Ok(4.0));
    // A MiniCluster that comes now counts as well, for sums are never partial.
    let _mc1 = collector(&gateway, "mc1", 0).await;
    assert_eq!(sum().await, Ok(8.0));

    api.delete("mc0-0-aaaaa");
    api.serve().await;
    pods_become(&gateway, &[]).await;
    assert_eq!(sum().await, Ok(4.0));
}

#[tokio::test]
async fn a_minicluster_that_died_without_a_goodbye_frees_the_aliases_of_its_namespace() {
    let api = FakeApi::start().await;
    for minicluster in ["mc0", "mc1"] {
        api.apply(pod(minicluster, 0, "aaaaa"));
    }
    let gateway = gateway(&api).await;
    let (_mc0, mut mc1) =
        (collector(&gateway, "mc0", 0).await, collector(&gateway, "mc1", 0).await);
    let alias = async || get(&gateway, "services/flux-service/node_up_count").await.value();
    let refusal = alias().await.unwrap_err();
    assert!(refusal.contains("mc0, mc1"), "{refusal}");

    // Its stream is still open, as after the loss of a node.
    api.delete("mc0-0-aaaaa");
    let value = eventually("mc1 is the only one", async || {
        report(&mut mc1, 0).await;
        alias().await
    })
    .await;
    assert_eq!(value, 4.0);
    assert_eq!(get(&gateway, "metrics/node_up_count").await.value(), Ok(4.0));
}
