//! External metrics, as an autoscaler reads them.

use super::*;

const EXTERNAL: &str = "/apis/external.metrics.k8s.io/v1beta1";

/// Two MiniClusters, and one of the same name in another namespace.
fn three() -> Fixture {
    Fixture::of(&[
        Fake::default(),
        Fake { name: "mc1", nodes: 5.0, ..Fake::default() },
        Fake { namespace: "other", nodes: 100.0, ..Fake::default() },
    ])
}

fn uri(metric: &str, selector: &str) -> String {
    format!("{EXTERNAL}/namespaces/hpc/{metric}?labelSelector={selector}")
}

/// Labels and value of each item.
fn items(answer: &Answer) -> Vec<(Value, Value)> {
    let list = answer.json();
    assert_eq!(list["kind"], "ExternalMetricValueList", "{list}");
    let items = list["items"].as_array().expect("items").iter();
    items.map(|item| (item["metricLabels"].clone(), item["value"].clone())).collect()
}

#[test]
fn an_external_metric_is_written_as_kubernetes_writes_it() {
    let answer = Fixture::new().get(&format!("{EXTERNAL}/namespaces/hpc/node_up_count"));
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.body,
        "{\"kind\":\"ExternalMetricValueList\",\
         \"apiVersion\":\"external.metrics.k8s.io/v1beta1\",\"metadata\":{},\"items\":[\
         {\"metricName\":\"node_up_count\",\"metricLabels\":{\"minicluster\":\"mc0\"},\
         \"timestamp\":\"2026-11-23T19:00:00Z\",\"value\":\"3\"}]}\n"
    );
}

#[test]
fn a_selector_picks_miniclusters_and_queues_of_the_namespace_alone() {
    let fixture = three();
    let whole = |name: &str, value: &str| (json!({"minicluster": name}), json!(value));
    let both = vec![whole("mc0", "3"), whole("mc1", "5")];
    let batch = |name: &str| (json!({"minicluster": name, "queue": "batch"}), json!("1500m"));
    let table = [
        ("", both.clone()),
        ("minicluster%3Dmc1", vec![whole("mc1", "5")]),
        ("minicluster!%3Dmc1", vec![whole("mc0", "3")]),
        ("minicluster+in+(mc0,mc1)", both.clone()),
        ("!queue", both),
        ("queue%3Dbatch", vec![batch("mc0"), batch("mc1")]),
        ("queue,minicluster%3Dmc0", vec![batch("mc0")]),
    ];
    for (selector, want) in table {
        assert_eq!(items(&fixture.get(&uri("node_up_count", selector))), want, "of {selector}");
    }
    let zero = fixture.get(&uri("node_free_count", "minicluster%3Dmc0"));
    assert_eq!(items(&zero), [whole("mc0", "0")], "zero is a value");
}

#[test]
fn a_missing_external_metric_says_why() {
    let fixture = three();
    let start = "the server could not find the metric";
    let table = [
        (
            uri("broker_up", ""),
            format!(
                "{start} broker_up for namespaces: broker_up describes a broker: ask \
                 custom.metrics.k8s.io for pods"
            ),
        ),
        (
            uri("nonsense", ""),
            format!("{start} nonsense for namespaces: no collector reports nonsense"),
        ),
        (
            uri("node_up_count", "queue%3Dnone"),
            format!(
                "{start} node_up_count for namespaces hpc with selector queue=none: no MiniCluster \
                 of namespace hpc has a series that matches"
            ),
        ),
        (
            format!("{EXTERNAL}/namespaces/empty/node_up_count"),
            format!("{start} node_up_count for namespaces empty: no collector "),
        ),
    ];
    for (uri, want) in table {
        let message = fixture.failure(404, &uri);
        assert!(message.starts_with(&want), "{uri}: {message}");
    }
    let bad = fixture.failure(400, &uri("cluster_size_min_safe", ""));
    assert_eq!(
        bad,
        "a sum of cluster_size_min_safe over MiniClusters has no meaning: select one by \
         minicluster=NAME"
    );
    let bad = fixture.failure(400, &uri("node_up_count", "a+b"));
    assert!(bad.starts_with("unable to parse requirement: "), "{bad}");
}

#[test]
fn one_stale_minicluster_spoils_the_answer_and_is_named() {
    let stale = Duration::from_secs(93);
    let fixture =
        Fixture::of(&[Fake::default(), Fake { name: "mc1", age: stale, ..Fake::default() }]);
    for selector in ["", "queue%3Dbatch", "queue%3Dnone"] {
        let message = fixture.failure(404, &uri("node_up_count", selector));
        let want = ": MiniCluster mc1: last sample is 93s old, limit 60s";
        assert!(message.ends_with(want), "{selector}: {message}");
    }
    let without = fixture.get(&uri("node_up_count", "minicluster!%3Dmc1"));
    assert_eq!(items(&without), [(json!({"minicluster": "mc0"}), json!("3"))]);
}

#[test]
fn an_external_metric_has_no_other_paths_and_cannot_be_watched() {
    let fixture = three();
    let metric = format!("{EXTERNAL}/namespaces/hpc/node_up_count");
    for uri in [
        format!("{metric}/mc0"),
        format!("{EXTERNAL}/node_up_count"),
        format!("{EXTERNAL}/namespaces/hpc"),
        format!("{EXTERNAL}/namespaces/hpc/status"),
    ] {
        let text = "the server could not find the requested resource";
        assert_eq!(fixture.failure(404, &uri), text, "{uri}");
    }
    let watch = fixture.get(&format!("{metric}?watch=true"));
    assert_eq!(
        (watch.status, &watch.headers[ALLOW]),
        (405, &HeaderValue::from_static("GET, HEAD"))
    );
    assert_eq!(
        watch.message(),
        "watch is not supported on resources of kind \"*.external.metrics.k8s.io\""
    );
    assert_eq!(fixture.answer(Request::post(&metric), fixture.now).status, 405);
}
