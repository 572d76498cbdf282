//! APIServices: kube-apiserver trusts what their `spec.caBundle` says.

use k8s_openapi::{ByteString, kube_aggregator::pkg::apis::apiregistration::v1::APIService};
use kube::ResourceExt as _;
use serde_json::json;

use super::carry::Verdict;

/// Begins the annotations by which cert-manager is told to write the same field.
const INJECTED: &str = "cert-manager.io/inject-ca-from";

/// What is to be done with an APIService, of which only that of the Service `ours`, by namespace and
/// name, is changed.
pub(super) fn verdict(
    found: Option<&APIService>,
    bundle: &str,
    (namespace, service): (&str, &str),
) -> Verdict {
    // Who does not register an API does not serve it.
    let Some(found) = found else { return Verdict::Right };
    let spec = found.spec.as_ref();
    let behind = spec.and_then(|spec| spec.service.as_ref());
    let behind = behind.map(|behind| {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        (text(&behind.namespace), text(&behind.name))
    });
    match behind {
        Some((of, name)) if of == namespace && name == service => {}
        Some((of, name)) => {
            return Verdict::Leave(format!(
                "it is served by Service {of}/{name}, and this gateway is {namespace}/{service}"
            ));
        }
        None => return Verdict::Leave("kube-apiserver itself serves it".to_owned()),
    }
    if found.annotations().keys().any(|key| key.starts_with(INJECTED)) {
        return Verdict::Right;
    }
    let bundle = ByteString(bundle.as_bytes().to_vec());
    let skips = spec.and_then(|spec| spec.insecure_skip_tls_verify) == Some(true);
    if !skips && spec.and_then(|spec| spec.ca_bundle.as_ref()) == Some(&bundle) {
        return Verdict::Right;
    }
    Verdict::Merge(json!({
        "metadata": { "resourceVersion": found.resource_version() },
        "spec": { "caBundle": bundle, "insecureSkipTLSVerify": null },
    }))
}

#[cfg(test)]
mod tests;
