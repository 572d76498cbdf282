//! The flags of each part.

use std::path::{Path, PathBuf};

use crate::{
    options::{Aggregation, Options},
    pki::{PROXY_NAME, Pki},
};

/// The address of the Service `kubernetes`: the first of [`SERVICE_RANGE`].
pub(crate) const FIRST_SERVICE_ADDRESS: &str = "10.0.0.1";

const SERVICE_RANGE: &str = "10.0.0.0/24";

/// Addresses of pods; nothing answers there.
const POD_RANGE: &str = "10.1.0.0/16";

/// Who tokens are from and for.
const ISSUER: &str = "https://kubernetes.default.svc";

/// A documentation address: the API server wants one that is not loopback, and nothing uses it.
const ADVERTISED: &str = "198.51.100.1";

/// The controllers that tests and the demo need. The others cost memory.
const CONTROLLERS: [&str; 11] = [
    "clusterrole-aggregation-controller",
    "deployment-controller",
    "disruption-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "horizontal-pod-autoscaler-controller",
    "job-controller",
    "namespace-controller",
    "replicaset-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
];

/// Where the parts find one another.
#[derive(Debug)]
pub(crate) struct Places {
    pub(crate) etcd_socket: PathBuf,
    pub(crate) etcd_data: PathBuf,
    pub(crate) audit_policy: PathBuf,
    pub(crate) audit_log: PathBuf,
    pub(crate) stages: PathBuf,
    pub(crate) apiserver_port: u16,
}

pub(crate) fn etcd(places: &Places) -> Vec<String> {
    vec![
        format!("--data-dir={}", places.etcd_data.display()),
        format!("--listen-client-socket={}", places.etcd_socket.display()),
    ]
}

pub(crate) fn apiserver(places: &Places, pki: &Pki, options: &Options) -> Vec<String> {
    let pki = |name: &str| pki.file(name).display().to_string();
    let by_endpoints = options.aggregation == Aggregation::Endpoints;
    vec![
        format!("--etcd-servers=unix://{}", places.etcd_socket.display()),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={}", places.apiserver_port),
        format!("--advertise-address={ADVERTISED}"),
        "--endpoint-reconciler-type=none".to_owned(),
        format!("--service-cluster-ip-range={SERVICE_RANGE}"),
        format!("--tls-cert-file={}", pki("apiserver.crt")),
        format!("--tls-private-key-file={}", pki("apiserver.key")),
        format!("--client-ca-file={}", pki("ca.crt")),
        format!("--service-account-key-file={}", pki("service-accounts.pub")),
        format!("--service-account-signing-key-file={}", pki("service-accounts.key")),
        format!("--service-account-issuer={ISSUER}"),
        format!("--api-audiences={ISSUER}"),
        format!("--requestheader-client-ca-file={}", pki("front-proxy-ca.crt")),
        format!("--requestheader-allowed-names={PROXY_NAME}"),
        "--requestheader-username-headers=X-Remote-User".to_owned(),
        "--requestheader-uid-headers=X-Remote-Uid".to_owned(),
        "--requestheader-group-headers=X-Remote-Group".to_owned(),
        "--requestheader-extra-headers-prefix=X-Remote-Extra-".to_owned(),
        format!("--proxy-client-cert-file={}", pki("front-proxy-client.crt")),
        format!("--proxy-client-key-file={}", pki("front-proxy-client.key")),
        format!("--enable-aggregator-routing={by_endpoints}"),
        "--authorization-mode=Node,RBAC".to_owned(),
        "--allow-privileged=true".to_owned(),
        // It marks new nodes as not ready, and no controller here would take the mark away.
        "--disable-admission-plugins=TaintNodesByCondition".to_owned(),
        format!("--audit-policy-file={}", places.audit_policy.display()),
        format!("--audit-log-path={}", places.audit_log.display()),
    ]
}

pub(crate) fn controller_manager(
    pki: &Pki,
    kubeconfig: &Path,
    port: u16,
    options: &Options,
) -> Vec<String> {
    let pki = |name: &str| pki.file(name).display().to_string();
    let milliseconds = |duration: std::time::Duration| format!("{}ms", duration.as_millis());
    let mut flags = delegating(kubeconfig, port);
    flags.extend([
        format!("--controllers={}", CONTROLLERS.join(",")),
        "--use-service-account-credentials=true".to_owned(),
        format!("--service-account-private-key-file={}", pki("service-accounts.key")),
        format!("--root-ca-file={}", pki("ca.crt")),
        format!(
            "--horizontal-pod-autoscaler-sync-period={}",
            milliseconds(options.autoscaler_sync_period)
        ),
        format!(
            "--horizontal-pod-autoscaler-downscale-stabilization={}",
            milliseconds(options.autoscaler_downscale_stabilization)
        ),
    ]);
    flags
}

pub(crate) fn scheduler(kubeconfig: &Path, port: u16) -> Vec<String> {
    delegating(kubeconfig, port)
}

pub(crate) fn kwok(places: &Places, kubeconfig: &Path, port: u16) -> Vec<String> {
    vec![
        format!("--kubeconfig={}", kubeconfig.display()),
        format!("--config={}", places.stages.display()),
        "--manage-all-nodes=true".to_owned(),
        format!("--cidr={POD_RANGE}"),
        "--node-ip=127.0.0.1".to_owned(),
        "--node-lease-duration-seconds=40".to_owned(),
        format!("--server-address=127.0.0.1:{port}"),
    ]
}

/// What two programs have in common: who they are, and that they let the API server judge who
/// asks them.
fn delegating(kubeconfig: &Path, port: u16) -> Vec<String> {
    let kubeconfig = kubeconfig.display();
    vec![
        format!("--kubeconfig={kubeconfig}"),
        format!("--authentication-kubeconfig={kubeconfig}"),
        format!("--authorization-kubeconfig={kubeconfig}"),
        "--leader-elect=false".to_owned(),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
    ]
}
