//! Reads of one metric, as Kubernetes spells them.

use super::*;

#[test]
fn a_read_is_written_as_kubernetes_writes_it() {
    let answer =
        Fixture::new().get(&format!("{HPC}/miniclusters.flux-framework.org/mc0/node_up_count"));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers[CONTENT_TYPE], "application/json");
    assert_eq!(
        answer.body,
        "{\"kind\":\"MetricValueList\",\"apiVersion\":\"custom.metrics.k8s.io/v1beta2\",\
         \"metadata\":{},\"items\":[{\"describedObject\":{\"kind\":\"MiniCluster\",\
         \"namespace\":\"hpc\",\"name\":\"mc0\",\"apiVersion\":\"flux-framework.org/v1alpha2\"},\
         \"metric\":{\"name\":\"node_up_count\",\"selector\":null},\
         \"timestamp\":\"2026-11-23T19:00:00Z\",\"value\":\"3\"}]}\n"
    );
}

#[test]
fn v1beta1_is_answered_in_its_own_spelling() {
    let uri = "/apis/custom.metrics.k8s.io/v1beta1/namespaces/hpc/jobs.batch/mc0/node_up_count";
    let list = Fixture::new().get(uri).json();
    assert_eq!(list["apiVersion"], "custom.metrics.k8s.io/v1beta1");
    assert_eq!(list["items"][0]["metricName"], "node_up_count");
    assert_eq!(list["items"][0]["selector"], Value::Null);
}

#[test]
fn every_form_describes_its_own_object() {
    let fixture = Fixture::new();
    let reference = |kind: &str, name: &str, version: &str| json!({"kind": kind, "namespace": "hpc", "name": name, "apiVersion": version});
    let table = [
        (
            "miniclusters.flux-framework.org/%2A/node_up_count",
            reference("MiniCluster", "mc0", "flux-framework.org/v1alpha2"),
        ),
        ("services/mc0/node_up_count", reference("Service", "mc0", "v1")),
        ("services/flux-service/node_up_count", reference("Service", "flux-service", "v1")),
        (
            "services/custom-metrics-apiserver/node_up_count",
            reference("Service", "custom-metrics-apiserver", "v1"),
        ),
        ("jobs.batch/mc0/node_up_count", reference("Job", "mc0", "batch/v1")),
        ("pods/mc0-1-abcde/broker_up", reference("Pod", "mc0-1-abcde", "v1")),
        ("metrics/node_up_count", json!({"kind": "Namespace", "name": "hpc", "apiVersion": "v1"})),
    ];
    for (path, want) in table {
        let list = fixture.get(&format!("{HPC}/{path}")).json();
        assert_eq!(list["items"][0]["describedObject"], want, "{path}: {list}");
        assert_eq!(list["items"].as_array().map(Vec::len), Some(1), "{path}");
    }
}

#[test]
fn an_asterisk_means_all_escaped_or_not_and_a_label_selector_picks() {
    let fixture = Fixture::new();
    let pods = |query: &str| {
        let list = fixture.get(&format!("{HPC}/pods/{query}")).json();
        let items = list["items"].as_array().expect("items").iter();
        items.map(|item| item["describedObject"]["name"].to_string()).collect::<Vec<_>>()
    };
    let both = ["\"mc0-0-abcde\"", "\"mc0-1-abcde\""];
    assert_eq!(pods("*/broker_up"), both);
    assert_eq!(pods("%2A/broker_up?labelSelector=hpa-selector%3Dmc0"), both);
    assert_eq!(pods("%2A/broker_up?labelSelector=job-index+in+(1,2)&limit=5"), both[1..]);
}

#[test]
fn a_metric_selector_picks_a_series_and_is_echoed() {
    let uri = format!("{HPC}/services/mc0/node_up_count?metricLabelSelector=queue%3Dbatch");
    let list = Fixture::new().get(&uri).json();
    assert_eq!(list["items"][0]["value"], "1500m");
    assert_eq!(
        list["items"][0]["metric"],
        json!({"name": "node_up_count", "selector": {"matchLabels": {"queue": "batch"}}})
    );
}

#[test]
fn a_missing_value_has_kubernetes_text_and_the_cause() {
    let fixture = Fixture::new();
    let table = [
        (
            "jobs.batch/mc0/broker_up",
            "the server could not find the metric broker_up for jobs.batch: broker_up describes a \
             broker: ask for pods",
        ),
        (
            "jobs.batch/other/node_up_count",
            "the server could not find the metric node_up_count for jobs.batch other: no collector \
             of such an object reports from namespace hpc",
        ),
        (
            "jobs.batch/mc0/node_up_count?metricLabelSelector=queue%3D%3Dother",
            "the server could not find the metric node_up_count for jobs.batch mc0 with selector \
             queue=other: ",
        ),
        (
            "pods/*/broker_up?labelSelector=job-index%3D7",
            "the server could not find the metric broker_up for pods * with selector job-index=7: ",
        ),
        (
            "miniclusters/mc0/node_up_count",
            "the server could not find the metric node_up_count for miniclusters mc0: only \
             miniclusters.flux-framework.org, services, jobs.batch, pods and namespaces have \
             metrics here",
        ),
        (
            "nodes/n1/node_up_count",
            "the server could not find the metric node_up_count for nodes n1: only ",
        ),
        (
            "namespaces/hpc/node_up_count",
            "the server could not find the metric node_up_count for namespaces hpc: ask for ",
        ),
        (
            "metrics/cluster_size_min_safe",
            "the server could not find the metric cluster_size_min_safe for namespaces: a sum of \
             cluster_size_min_safe over MiniClusters has no meaning",
        ),
    ];
    for (path, want) in table {
        let message = fixture.failure(404, &format!("{HPC}/{path}"));
        assert!(message.starts_with(want), "{path}: {message}");
    }
    let root = "/apis/custom.metrics.k8s.io/v1beta2/pods/p0/broker_up";
    assert!(fixture.failure(404, root).ends_with("ask below namespaces/NAMESPACE"));
}

#[test]
fn a_value_is_served_up_to_its_max_age_and_not_beyond() {
    let fixture = Fixture::new();
    let uri = format!("{HPC}/miniclusters.flux-framework.org/mc0/node_up_count");
    let after = |seconds| {
        let later = Duration::from_secs(seconds);
        let Moment { instant, wall } = fixture.now;
        fixture.answer(Request::get(&uri), Moment { instant: instant + later, wall: wall + later })
    };
    assert_eq!(after(59).status, 200);
    let stale = after(92);
    assert_eq!(stale.status, 404);
    assert_eq!(
        stale.message(),
        "the server could not find the metric node_up_count for miniclusters.flux-framework.org \
         mc0: last sample is 93s old, limit 60s"
    );
}

#[test]
fn a_number_that_kubernetes_cannot_read_never_leaves() {
    for value in [f64::NAN, f64::INFINITY, 1e16] {
        let fixture = Fixture::with_value(value);
        fixture.failure(404, &format!("{HPC}/services/mc0/node_up_count"));
    }
}
