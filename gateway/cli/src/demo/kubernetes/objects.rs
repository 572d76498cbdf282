//! The objects of `deploy/`, as this machine wants them.

use anyhow::Context as _;
use k8s_openapi::ByteString;
use serde_json::{Value, json};

use super::NAMESPACE;

macro_rules! deploy {
    ($file:literal) => {
        include_str!(concat!("../../../../../deploy/", $file))
    };
}

/// The namespace of gateways, and the account that they run under.
pub(super) const ACCOUNT: [&str; 2] = [deploy!("base/namespace.yaml"), deploy!("base/rbac.yaml")];

/// APIServices, in several documents.
const APIS: [&str; 2] =
    [deploy!("base/apiservices.yaml"), deploy!("components/external-metrics/apiservice.yaml")];

const MINICLUSTER_FILE: &str = deploy!("examples/minicluster.yaml");

/// The autoscaler that is shown.
pub(super) const AUTOSCALER_NAME: &str = "hpa-object.yaml";
const AUTOSCALER_FILE: &str = deploy!("examples/hpa-object.yaml");

/// Seconds before the autoscaler shrinks, of 300 there: what takes people five minutes to see is
/// not seen.
pub(super) const DOWNSCALE_WINDOW: u32 = 15;

/// The APIs that the gateway serves on a port of this machine. There is no kube-proxy: the Service
/// is another name for the machine, and the port is the gateway's own.
pub(super) fn apis(ca: &str, port: u16) -> anyhow::Result<String> {
    let mut items = Vec::new();
    for text in APIS {
        items.append(&mut read(text)?);
    }
    let ca = ByteString(ca.as_bytes().to_vec());
    for api in &mut items {
        merge(
            api,
            json!({
                "metadata": { "labels": { "app.kubernetes.io/part-of": "fluxgauge" } },
                "spec": { "caBundle": ca, "service": { "port": port } },
            }),
        );
    }
    items.push(json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": "fluxgauge-api", "namespace": "fluxgauge" },
        "spec": { "type": "ExternalName", "externalName": "localhost" },
    }));
    Ok(list(&items))
}

/// The MiniCluster of the examples, and what its collectors trust.
pub(super) fn minicluster(ca: &str) -> anyhow::Result<String> {
    let mut items = read(MINICLUSTER_FILE)?;
    items.push(json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": "fluxgauge-ca", "namespace": NAMESPACE },
        "data": { "ca.crt": ca },
    }));
    Ok(list(&items))
}

/// The autoscaler of the examples, with less patience.
pub(super) fn autoscaler() -> anyhow::Result<String> {
    let mut items = read(AUTOSCALER_FILE)?;
    let down = json!({ "stabilizationWindowSeconds": DOWNSCALE_WINDOW });
    for autoscaler in &mut items {
        merge(autoscaler, json!({ "spec": { "behavior": { "scaleDown": down } } }));
    }
    Ok(list(&items))
}

fn read(text: &str) -> anyhow::Result<Vec<Value>> {
    serde_saphyr::from_multiple(text).context("a manifest of deploy/ is no YAML")
}

/// Changes the members that `change` has, as a merge patch does.
fn merge(object: &mut Value, change: Value) {
    match (object, change) {
        (Value::Object(object), Value::Object(change)) => {
            for (name, value) in change {
                merge(object.entry(name).or_insert(Value::Null), value);
            }
        }
        (object, change) => *object = change,
    }
}

fn list(items: &[Value]) -> String {
    json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::MINICLUSTER;

    #[test]
    fn objects_are_those_of_the_examples_with_what_this_machine_wants() {
        let parsed = |text: String| serde_json::from_str::<Value>(&text).unwrap();
        let apis = parsed(apis("PEM", 12_345).unwrap());
        let kinds: Vec<_> = apis["items"].as_array().unwrap().iter().map(|o| &o["kind"]).collect();
        assert_eq!(kinds, ["APIService", "APIService", "APIService", "Service"]);
        for api in &apis["items"].as_array().unwrap()[..3] {
            assert_eq!(api["spec"]["service"]["name"], apis["items"][3]["metadata"]["name"]);
            assert_eq!(api["spec"]["service"]["port"], 12_345);
            assert_eq!(api["spec"]["caBundle"], "UEVN");
        }
        let minicluster = parsed(minicluster("PEM").unwrap());
        assert_eq!(minicluster["items"][0]["metadata"]["name"], MINICLUSTER);
        let autoscaler = parsed(autoscaler().unwrap());
        let spec = &autoscaler["items"][0]["spec"];
        assert_eq!(spec["scaleTargetRef"]["name"], MINICLUSTER);
        assert_eq!(
            spec["behavior"]["scaleDown"],
            json!({ "stabilizationWindowSeconds": DOWNSCALE_WINDOW })
        );
    }
}
