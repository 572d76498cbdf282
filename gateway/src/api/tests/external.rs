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

#[test]
fn external_metrics_are_nowhere_when_another_product_owns_them() {
    let mut fixture = three();
    fixture.api = fixture.api.with_groups(&[Group::Custom]);
    let aggregated = |version| {
        format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList")
    };
    let everything = [
        fixture.get("/"),
        fixture.get("/apis"),
        fixture.get_as("/apis", &aggregated("v2")),
        fixture.get_as("/apis", &aggregated("v2beta1")),
        fixture.get("/openapi/v2"),
        fixture.get("/openapi/v3"),
    ];
    for answer in everything {
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains("custom.metrics.k8s.io"), "{}", answer.body);
        assert!(!answer.body.contains("external"), "{}", answer.body);
    }
    for uri in [
        "/apis/external.metrics.k8s.io".to_owned(),
        EXTERNAL.to_owned(),
        format!("/openapi/v3{EXTERNAL}"),
        uri("node_up_count", ""),
    ] {
        let text = "the server could not find the requested resource";
        assert_eq!(fixture.failure(404, &uri), text, "{uri}");
        assert_eq!(fixture.answer(Request::post(uri), fixture.now).status, 404);
    }
    assert_eq!(fixture.get(&format!("{HPC}/services/mc0/node_up_count")).status, 200);
}

#[test]
fn a_read_is_long_by_collectors_or_pods_unless_it_names_its_minicluster() {
    let many = u32::try_from(MANY_REPORTERS).expect("few") + 1;
    let reporting = Fixture::of(&[Fake { brokers: many, ..Fake::default() }]);
    let watched = Fixture::new();
    let pods: Vec<_> = (0..many).map(pod).collect();
    let known = pods::Known::default();
    watched.pods.publish(Pods::Known(known.next(pods.iter(), Instant::now(), Duration::ZERO)));
    let is_long = |fixture: &Fixture, uri: &str| {
        fixture.api.may_be_long(&Asked::by(&Request::get(uri).body(()).expect("a request")))
    };
    for fixture in [&reporting, &watched] {
        for long in ["", "minicluster!%3Dmc0", "minicluster+in+(mc0,mc1)", "queue%3Dbatch", "%zz"] {
            assert!(is_long(fixture, &uri("node_up_count", long)), "{long}");
        }
        assert!(is_long(fixture, &format!("{HPC}/pods/*/broker_up")));
        for short in ["minicluster%3Dmc0", "queue,minicluster+in+(mc0)"] {
            assert!(!is_long(fixture, &uri("node_up_count", short)), "{short}");
        }
    }
    assert!(!is_long(&Fixture::new(), &uri("node_up_count", "")));
}

fn pod(index: u32) -> Arc<pods::Pod> {
    let labels = json!({"hpa-selector": "mc0", "job-index": index.to_string()});
    let name = format!("mc0-{index}-abcde");
    let metadata = json!({"namespace": "hpc", "name": name, "uid": name, "labels": labels});
    let pod = serde_json::from_value(json!({"metadata": metadata})).expect("a pod");
    Arc::new(pods::Pod::of(pod).expect("counts"))
}
