//! The NetworkPolicies mean the pods and ports of the other manifests, and let nobody else in.

use fluxgauge_gateway::pods::SELECTOR;
use serde_json::{Value, json};

use super::{container, find, namespace, parse, read};

#[test]
fn readers_and_pods_of_miniclusters_reach_gateways_and_nobody_else_reports() {
    let (base, policies) = (read("base"), policies());
    let policy = find(&policies, "NetworkPolicy", "fluxgauge-gateway");
    assert_eq!(policy["metadata"]["namespace"], namespace());
    let spec = &policy["spec"];
    let labels = &find(&base, "Deployment", "fluxgauge-gateway")["spec"]["selector"];
    assert_eq!(spec["podSelector"], *labels);
    assert_eq!(spec["policyTypes"], json!(["Ingress", "Egress"]));
    assert_eq!(
        spec["ingress"],
        json!([
            {"ports": [{"port": "api"}]},
            {
                "ports": [{"port": "ingest"}],
                "from": [{"namespaceSelector": {}, "podSelector": miniclusters()}],
            },
        ])
    );
    let ports = container(&base)["ports"].as_array().unwrap();
    let names: Vec<_> = ports.iter().map(|port| &port["name"]).collect();
    assert_eq!(names, ["api", "ingest"], "each port has a rule");
}

#[test]
fn collectors_reach_gateways_where_pods_of_miniclusters_reach_nothing_else() {
    let (base, policies) = (read("base"), policies());
    let policy = find(&policies, "NetworkPolicy", "fluxgauge-collectors");
    assert_eq!(policy["metadata"]["namespace"], Value::Null, "it is for the namespaces of users");
    let spec = &policy["spec"];
    assert_eq!(spec["podSelector"], miniclusters());
    assert_eq!(spec["policyTypes"], json!(["Egress"]), "whom brokers listen to is theirs to say");
    let gateways = &find(&base, "Deployment", "fluxgauge-gateway")["spec"]["selector"];
    let there = json!({"matchLabels": {"kubernetes.io/metadata.name": namespace()}});
    let reach = json!({
        "ports": [{"port": super::gateway().ingest_listen.port()}],
        "to": [{"namespaceSelector": there, "podSelector": gateways}],
    });
    assert_eq!(spec["egress"][0], reach);
}

/// The pods of MiniClusters, as gateways tell them.
fn miniclusters() -> Value {
    json!({"matchExpressions": [{"key": SELECTOR, "operator": "Exists"}]})
}

fn policies() -> Vec<Value> {
    parse("examples/network-policies.yaml")
}
