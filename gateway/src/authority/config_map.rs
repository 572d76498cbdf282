//! ConfigMaps: collectors trust the CA in the one of their namespace.

use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::json;

use super::carry::Verdict;

/// The name of the ConfigMap.
pub const CONFIG_MAP: &str = "fluxgauge-ca";

/// The key in it.
pub const CONFIG_MAP_KEY: &str = "ca.crt";

/// What is to be done with a ConfigMap, or where there is none.
pub(super) fn verdict(found: Option<&ConfigMap>, bundle: &str) -> Verdict {
    let data = found.and_then(|found| found.data.as_ref());
    if data.and_then(|data| data.get(CONFIG_MAP_KEY)).is_some_and(|known| known == bundle) {
        return Verdict::Right;
    }
    Verdict::Apply(json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": CONFIG_MAP,
            "labels": { "app.kubernetes.io/part-of": "fluxgauge" },
        },
        "data": { CONFIG_MAP_KEY: bundle },
    }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_config_map_that_lacks_the_ca_or_has_another_is_put_right() {
        let of = |data: &[(&str, &str)]| ConfigMap {
            data: Some(BTreeMap::from_iter(
                data.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
            )),
            ..ConfigMap::default()
        };
        for wrong in [None, Some(ConfigMap::default()), Some(of(&[("ca.crt", "OLD")]))] {
            let Verdict::Apply(patch) = verdict(wrong.as_ref(), "PEM") else { panic!("{wrong:?}") };
            assert_eq!(patch["data"], json!({ "ca.crt": "PEM" }));
        }
        let right = of(&[("ca.crt", "PEM"), ("other", "x")]);
        assert_eq!(verdict(Some(&right), "PEM"), Verdict::Right);
    }
}
