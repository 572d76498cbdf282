//! The objects by which kube-apiserver's aggregator finds gateways.

use std::net::Ipv4Addr;

use k8s_openapi::ByteString;
use serde_json::{Value, json};

use crate::ca::SERVICE_NAME;

/// The groups and versions that gateways serve, and their preference.
pub const VERSIONS: [(&str, &str, u32); 3] = [
    ("custom.metrics.k8s.io", "v1beta2", 200),
    ("custom.metrics.k8s.io", "v1beta1", 100),
    ("external.metrics.k8s.io", "v1beta1", 100),
];

/// The Service and its namespace, of [`SERVICE_NAME`].
const SERVICE: (&str, &str) = ("fluxgauge-api", "fluxgauge");

/// The names of the APIServices.
pub fn names() -> impl Iterator<Item = String> {
    VERSIONS.into_iter().map(|(group, version, _)| format!("{version}.{group}"))
}

/// A gateway on a port of this machine, by a Service of type ExternalName.
pub fn by_external_name(ca_pem: &str, port: u16) -> String {
    let service = json!({ "type": "ExternalName", "externalName": "localhost" });
    list(ca_pem, port, &service)
}

/// Gateways on addresses that [`endpoints`] name, by a Service without a selector.
pub fn by_endpoints(ca_pem: &str, port: u16) -> String {
    let service = json!({ "ports": [{ "name": "api", "port": port }] });
    list(ca_pem, port, &service)
}

/// The EndpointSlice of the Service: addresses, and which of them are ready.
pub fn endpoints(port: u16, replicas: &[(Ipv4Addr, bool)]) -> String {
    let (service, namespace) = SERVICE;
    let endpoint = |(address, ready): &(Ipv4Addr, bool)| json!({ "addresses": [address], "conditions": { "ready": ready } });
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": service,
            "namespace": namespace,
            "labels": { "kubernetes.io/service-name": service },
        },
        "addressType": "IPv4",
        "ports": [{ "name": "api", "port": port, "protocol": "TCP" }],
        "endpoints": replicas.iter().map(endpoint).collect::<Vec<_>>(),
    })
    .to_string()
}

/// The namespace, the Service and an APIService for each version, which trusts the authority.
fn list(ca_pem: &str, port: u16, service: &Value) -> String {
    let (name, namespace) = SERVICE;
    assert_eq!(SERVICE_NAME, format!("{name}.{namespace}.svc"));
    let mut items = vec![
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } }),
        json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": { "name": name, "namespace": namespace },
            "spec": service,
        }),
    ];
    let ca_bundle = ByteString(ca_pem.as_bytes().to_vec());
    items.extend(VERSIONS.map(|(group, version, priority)| {
        json!({
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": { "name": format!("{version}.{group}") },
            "spec": {
                "group": group,
                "version": version,
                "groupPriorityMinimum": 100,
                "versionPriority": priority,
                "service": { "name": name, "namespace": namespace, "port": port },
                "caBundle": ca_bundle,
            },
        })
    }));
    json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string()
}
