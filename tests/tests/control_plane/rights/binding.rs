//! The rights of gateways, as `deploy/` and the roles that it binds say them.

use std::{collections::BTreeMap, fs, path::Path};

use control_plane::ControlPlane;
use serde_json::{Value, json};
use system_tests::process;

use super::cluster::ACCOUNT;

/// A binding of a role to gateways.
pub(super) struct Binding {
    /// The same to a role of its own, which has the same rules.
    pub(super) object: Value,
    /// Each right with the rule that gives it alone.
    pub(super) rights: BTreeMap<String, Value>,
}

impl Binding {
    pub(super) async fn of(plane: &ControlPlane, manifest: &Value) -> Self {
        let everywhere = manifest["kind"] == "ClusterRoleBinding";
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (kind, name) = (text(&manifest["roleRef"]["kind"]), text(&manifest["roleRef"]["name"]));
        let namespace = text(&manifest["metadata"]["namespace"]);
        let role = ["get", &kind, &name, "--namespace", &namespace, "--output=json"];
        let role: Value = serde_json::from_str(&plane.kubectl(&role).await.unwrap()).unwrap();
        let mut rights = BTreeMap::new();
        let rules = role["rules"].as_array().unwrap().iter();
        for rule in rules.filter(|rule| !is_of_certificates(rule)) {
            let words = |key: &str| rule[key].as_array().unwrap().iter().map(text);
            for (group, resource) in words("apiGroups")
                .flat_map(|group| words("resources").map(move |own| (group.clone(), own)))
            {
                for verb in words("verbs") {
                    let right = right(&verb, &resource, &group, &namespace);
                    let mut rule = rule.clone();
                    rule["verbs"] = json!([verb]);
                    rule["resources"] = json!([resource]);
                    rule["apiGroups"] = json!([group]);
                    rights.insert(right, rule);
                }
            }
        }
        let mut object = manifest.clone();
        object["roleRef"]["kind"] = if everywhere { "ClusterRole" } else { "Role" }.into();
        object["roleRef"]["name"] = format!("{}:rights", text(&object["metadata"]["name"])).into();
        Self { object, rights }
    }

    /// The role, without one of the rights.
    pub(super) fn role(&self, without: Option<&str>) -> Value {
        let kept = self.rights.iter().filter(|(right, _)| Some(right.as_str()) != without);
        let mut metadata = self.object["metadata"].clone();
        metadata["name"] = self.object["roleRef"]["name"].clone();
        json!({
            "apiVersion": self.object["apiVersion"],
            "kind": self.object["roleRef"]["kind"],
            "metadata": metadata,
            "rules": kept.map(|(_, rule)| rule).collect::<Vec<_>>(),
        })
    }
}

/// Whether a rule is for a certificate in a Secret and its CA. Gateways have theirs in files here; without
/// these rights `authority/missing.rs` runs them.
fn is_of_certificates(rule: &Value) -> bool {
    let names = rule["resourceNames"].as_array().into_iter().flatten();
    let mut names = names.filter_map(Value::as_str);
    names.any(|name| name.starts_with("fluxgauge-") || name.ends_with(".metrics.k8s.io"))
}

/// A right in words: verb, resource, and where it is not everywhere the namespace.
pub(super) fn right(verb: &str, resource: &str, group: &str, namespace: &str) -> String {
    let part = |before: &str, text: &str| match text {
        "" => String::new(),
        text => format!("{before}{text}"),
    };
    format!("{verb} {resource}{}{}", part(".", group), part(" of ", namespace))
}

/// Gateways, as bindings name them.
pub(super) fn gateways() -> Value {
    let (namespace, name) = ACCOUNT;
    json!({"kind": "ServiceAccount", "name": name, "namespace": namespace})
}

/// The objects of `deploy/` that say who may what, and those that they need.
pub(super) async fn manifests(plane: &ControlPlane) -> Vec<Value> {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("deploy");
    let all = plane.kubectl(&["kustomize", process::text(&deploy.join("all"))]).await.unwrap();
    let examples = fs::read_dir(deploy.join("examples")).unwrap();
    let examples = examples.map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
    let objects = [all].into_iter().chain(examples);
    let objects = objects.flat_map(|text| serde_saphyr::from_multiple::<Value>(&text).unwrap());
    const KINDS: [&str; 6] =
        ["Namespace", "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"];
    objects.filter(|object| KINDS.contains(&object["kind"].as_str().unwrap())).collect()
}
