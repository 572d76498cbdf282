use serde_json::{Value, json};

use super::*;

const OURS: (&str, &str) = ("fluxgauge", "fluxgauge-api");

fn api_service(change: &Value) -> APIService {
    let mut object = json!({
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": { "name": "v1beta2.custom.metrics.k8s.io", "resourceVersion": "7" },
        "spec": {
            "groupPriorityMinimum": 100,
            "versionPriority": 200,
            "service": { "namespace": "fluxgauge", "name": "fluxgauge-api" },
        },
    });
    for (pointer, value) in change.as_object().unwrap() {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        object.pointer_mut(parent).unwrap()[key] = value.clone();
    }
    serde_json::from_value(object).unwrap()
}

fn ca_of(change: &Value) -> Verdict {
    verdict(Some(&api_service(change)), "PEM", OURS)
}

#[test]
fn another_ca_or_none_is_put_right() {
    let right = Verdict::Merge(json!({
        "metadata": { "resourceVersion": "7" },
        "spec": { "caBundle": "UEVN", "insecureSkipTLSVerify": null },
    }));
    assert_eq!(ca_of(&json!({})), right);
    assert_eq!(ca_of(&json!({ "/spec/caBundle": "eA==" })), right);
    assert_eq!(ca_of(&json!({ "/spec/insecureSkipTLSVerify": true })), right);
    assert_eq!(ca_of(&json!({ "/spec/caBundle": "UEVN" })), Verdict::Right);
    assert_eq!(verdict(None, "PEM", OURS), Verdict::Right);
}

#[test]
fn what_is_of_another_service_is_left_alone_and_its_owner_is_named() {
    let keda = json!({ "namespace": "keda", "name": "keda-operator-metrics-apiserver" });
    let Verdict::Leave(why) = ca_of(&json!({ "/spec/service": keda })) else { panic!("changed") };
    assert!(why.contains("keda/keda-operator-metrics-apiserver"), "{why}");
    let same_name = json!({ "namespace": "other", "name": "fluxgauge-api" });
    assert!(matches!(ca_of(&json!({ "/spec/service": same_name })), Verdict::Leave(_)));
    assert!(matches!(ca_of(&json!({ "/spec/service": null })), Verdict::Leave(_)));
}

#[test]
fn what_cert_manager_injects_is_not_written_too() {
    let annotations = json!({ "cert-manager.io/inject-ca-from": "fluxgauge/fluxgauge-serving" });
    assert_eq!(ca_of(&json!({ "/metadata/annotations": annotations })), Verdict::Right);
}
