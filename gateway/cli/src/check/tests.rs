use super::*;

fn files(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

const DERIVED: &str =
    "metrics:\n- name: nodes_wanted\n  expression: ceil(pending_nodes_demand * 1.2)\n";

fn autoscaler(metrics: &str) -> String {
    format!(
        "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{name: a, namespace: hpc}}\n\
         spec:\n  maxReplicas: 4\n  scaleTargetRef: {{apiVersion: flux-framework.org/v1alpha2, kind: MiniCluster, name: mc0}}\n\
         \x20 metrics:\n{metrics}"
    )
}

fn object(kind: &str, metric: &str) -> String {
    format!(
        "  - type: Object\n    object:\n      describedObject: {{{kind}, name: mc0}}\n      \
         metric: {metric}\n      target: {{type: AverageValue, averageValue: \"1\"}}\n"
    )
}

const MINICLUSTER: &str = "apiVersion: flux-framework.org/v1alpha2, kind: MiniCluster";

#[test]
fn definitions_are_tried_on_the_values_that_are_given() {
    let values = [("pending_nodes_demand".to_owned(), 4.0)];
    let report = check(&files(&[("d.yaml", DERIVED)]), &values);
    assert_eq!(
        report.text,
        "d.yaml: 1 derived metric\n  nodes_wanted = ceil(pending_nodes_demand * 1.2)\n    \
         made of pending_nodes_demand (nodes), here: 5\nnothing is wrong\n"
    );
    let constant = "metrics: [{name: one, expression: '1'}]";
    assert_eq!(check(&files(&[("d.yaml", constant)]), &[]).problems, 1);
    let report = check(&files(&[("d.yaml", "metrics: [{name: n, expression: nodes +}]")]), &[]);
    assert!(report.problems == 1 && report.text.contains('^'), "{}", report.text);
}

#[test]
fn the_requests_are_those_that_an_autoscaler_makes() {
    let of_queue = "{name: pending_nodes_demand, selector: {matchLabels: {queue: batch}}}";
    let external = "  - type: External\n    external:\n      metric: {name: node_up_count, selector: {matchLabels: {minicluster: mc0}}}\n      \
                    target: {type: AverageValue, averageValue: \"1\"}\n";
    let pods = "  - type: Pods\n    pods:\n      metric: {name: broker_rpc_rtt_seconds}\n      \
                target: {type: AverageValue, averageValue: 50m}\n";
    let metrics = [
        object(MINICLUSTER, "{name: cluster_size_min_safe}"),
        object(MINICLUSTER, of_queue),
        object("apiVersion: batch/v1, kind: Job", "{name: nodes_wanted}"),
        object("apiVersion: v1, kind: Namespace", "{name: node_up_count}"),
        external.to_owned(),
        pods.to_owned(),
    ];
    let report =
        check(&files(&[("h.yaml", &autoscaler(&metrics.concat())), ("d.yaml", DERIVED)]), &[]);
    let requests: Vec<_> =
        report.text.lines().filter_map(|line| line.strip_prefix("  GET ")).collect();
    let custom = "/apis/custom.metrics.k8s.io/v1beta2/namespaces";
    let minicluster = format!("{custom}/hpc/miniclusters.flux-framework.org/mc0");
    assert_eq!(
        requests,
        [
            format!("{minicluster}/cluster_size_min_safe"),
            format!("{minicluster}/pending_nodes_demand?metricLabelSelector=queue%3Dbatch"),
            format!("{custom}/hpc/jobs.batch/mc0/nodes_wanted"),
            format!("{custom}/mc0/metrics/node_up_count"),
            "/apis/external.metrics.k8s.io/v1beta1/namespaces/hpc/node_up_count?labelSelector=minicluster%3Dmc0"
                .to_owned(),
            format!("{custom}/hpc/pods/%2A/broker_rpc_rtt_seconds?labelSelector=hpa-selector%3Dmc0"),
        ]
    );
    assert_eq!(report.problems, 0, "{}", report.text);
}

#[test]
fn each_mistake_is_a_problem_that_says_what_to_write() {
    for (metric, problem) in [
        (object(MINICLUSTER, "{name: pending_node_demand}"), "is it pending_nodes_demand?"),
        (object(MINICLUSTER, "{name: broker_up}"), "use type Pods"),
        (object("apiVersion: v1, kind: Pod", "{name: node_up_count}"), "use type Object"),
        (object("apiVersion: v1, kind: Namespace", "{name: cluster_size_desired}"), "no meaning"),
        (object("apiVersion: v1, kind: Namespace", "{name: nodes_wanted}"), "no meaning"),
        (
            object("apiVersion: apps/v1, kind: Deployment", "{name: node_up_count}"),
            "no metrics here",
        ),
        (
            object(
                MINICLUSTER,
                "{name: cluster_size_desired, selector: {matchLabels: {queue: a}}}",
            ),
            "no series of queues",
        ),
        ("  - type: Object\n".to_owned(), "needs `object`"),
        (
            "  - type: Resource\n    resource: {name: cpu, target: {type: Utilization}}\n"
                .to_owned(),
            "reads no metric",
        ),
    ] {
        let both = files(&[("d.yaml", DERIVED), ("h.yaml", &autoscaler(&metric))]);
        let report = check(&both, &[]);
        assert!(
            report.problems >= 1 && report.text.contains(problem),
            "{problem}: {}",
            report.text
        );
    }
    let hint = check(
        &files(&[("h.yaml", &autoscaler(&object(MINICLUSTER, "{name: node_up_count}")))]),
        &[],
    );
    assert!(hint.problems == 0 && hint.text.contains("add cluster_size_min_safe"), "{}", hint.text);
}

#[test]
fn every_example_has_nothing_wrong() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/examples");
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        all.push((path.display().to_string(), fs::read_to_string(path).unwrap()));
    }
    let report = check(&all, &[]);
    assert_eq!(report.problems, 0, "{}", report.text);
    assert!(report.text.contains("derived metric") && report.text.contains("GET /apis/external"));
}

#[test]
fn what_is_something_else_is_passed_over_and_what_is_nothing_is_a_problem() {
    let text = "apiVersion: v1\nkind: Pod\n---\n---\nkind: HorizontalPodAutoscaler\napiVersion: autoscaling/v1\n---\n{a: 1}\n---\n[";
    let report = check(&files(&[("x.yaml", text)]), &[]);
    assert!(report.text.contains("x.yaml: Pod, passed over"), "{}", report.text);
    assert!(report.text.contains("write autoscaling/v2"));
    assert!(report.text.contains("neither `kind`"));
    assert_eq!(report.problems, 3, "{}", report.text);
}
