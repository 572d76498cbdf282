//! What a hello must be like. Pure.

use fluxgauge_proto::{CONTRACT_VERSION, limits, v1::Hello};
use tokio::time::Instant;
use tonic::Status;

use super::apply::text;
use crate::{
    auth::collectors::Claim,
    model::{ClusterKey, Reporter, Standing},
    pods::Pod,
};

/// What a hello claims.
pub(super) fn claim(hello: &Hello) -> Claim {
    let (namespace, name) = (hello.namespace.as_str(), hello.minicluster.as_str());
    Claim {
        cluster: ClusterKey { namespace: namespace.into(), name: name.into() },
        rank: hello.rank,
    }
}

/// Checks that a hello is one of the contract.
pub(super) fn check(hello: &Hello) -> Result<(), Status> {
    let version = hello.contract_version;
    if version == 0 || version.abs_diff(CONTRACT_VERSION) > 1 {
        return Err(Status::failed_precondition(format!(
            "this gateway speaks contract version {CONTRACT_VERSION} and serves the one before \
             and after; the collector speaks {version}: upgrade the older of the two"
        )));
    }
    for (field, name) in [
        ("namespace", &hello.namespace),
        ("minicluster", &hello.minicluster),
        ("pod_name", &hello.pod_name),
    ] {
        if !is_object_name(name) {
            return Err(Status::invalid_argument(format!(
                "{field} of the hello is {:?}, not the name of a Kubernetes object (a-z, 0-9, - \
                 and ., at most {} bytes)",
                text(name),
                limits::MAX_NAME_BYTES
            )));
        }
    }
    if hello.rank >= hello.size {
        return Err(Status::invalid_argument(format!(
            "rank {} of the hello is not below its size {}",
            hello.rank, hello.size
        )));
    }
    Ok(())
}

/// Who reports, by a hello that was checked and what is proved beside it: where the pod is known, it
/// counts and not what the collector says of it.
pub(super) fn reporter(
    hello: Hello,
    standing: Standing,
    pod: Option<&Pod>,
    connected: Instant,
) -> Reporter {
    let start = hello.broker_start_time;
    let headless_service = match pod {
        Some(pod) => pod.subdomain.clone(),
        None => is_object_name(&hello.headless_service).then(|| hello.headless_service.into()),
    };
    Reporter {
        cluster: ClusterKey { namespace: hello.namespace.into(), name: hello.minicluster.into() },
        rank: hello.rank,
        index: hello.rank.to_string().into(),
        pod: pod.map_or_else(|| hello.pod_name.into(), |pod| pod.name.clone()),
        broker_start: if start.is_finite() && start > 0.0 { start } else { 0.0 },
        headless_service,
        flux_version: text(&hello.flux_version).into(),
        connected,
        standing,
    }
}

/// RFC 1123 subdomain, as Kubernetes asks of the names of objects.
fn is_object_name(name: &str) -> bool {
    let ends_well = |c: Option<u8>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    name.len() <= limits::MAX_NAME_BYTES
        && name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-.".contains(&c))
        && ends_well(name.bytes().next())
        && ends_well(name.bytes().last())
}
