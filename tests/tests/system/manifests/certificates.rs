//! Who makes certificates, and who is told what to trust.

use fluxgauge_gateway::{args::Tls, authority::CONFIG_MAP};
use serde_json::{Value, json};

use super::{find, gateway, kustomization, namespace, parse, read, read_text, text};

#[test]
fn the_gateway_keeps_one_secret_and_one_config_map_of_its_namespace_and_the_latter_where_it_is_let()
{
    let base = read("base");
    let Tls::Secret(served) = gateway().tls else { panic!("no Secret") };
    assert!(served.own, "nobody else makes it");
    let of = |resource: &str, name: &str| may_keep("", resource, &[name.to_owned()], &["create"]);
    let (secrets, config_maps) = (of("secrets", &served.secret), of("configmaps", CONFIG_MAP));
    let role = &find(&base, "Role", "fluxgauge-gateway")["rules"];
    assert_eq!(*role, json!([secrets, config_maps]));
    for (flag, service) in [(&served.api_service, "api"), (&served.ingest_service, "ingest")] {
        assert_eq!(find(&base, "Service", flag)["spec"]["ports"][0]["name"], service);
    }

    // All in the cluster may read what is no secret.
    let readers = find(&base, "RoleBinding", CONFIG_MAP);
    assert_eq!(readers["subjects"][0]["name"], "system:authenticated");
    let rule = &find(&base, "Role", CONFIG_MAP)["rules"];
    let read = json!({"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [CONFIG_MAP], "verbs": ["get"]});
    assert_eq!(*rule, json!([read]));

    let elsewhere = parse("examples/publish-ca.yaml");
    assert_eq!(find(&elsewhere, "Role", CONFIG_MAP)["rules"], json!([config_maps]));
    let subject = &find(&elsewhere, "RoleBinding", CONFIG_MAP)["subjects"][0];
    assert_eq!(*subject, find(&base, "RoleBinding", "fluxgauge-gateway")["subjects"][0]);

    // Who is given a certificate may not write it.
    let component = kustomization("components/given-certificate");
    let [deployment, role] = component["patches"].as_array().unwrap().as_slice() else {
        panic!("two patches")
    };
    let patch = |patch: &Value| -> Value { serde_saphyr::from_str(text(&patch["patch"])).unwrap() };
    let env = &patch(deployment)["spec"]["template"]["spec"]["containers"][0]["env"];
    assert_eq!(*env, json!([{"name": "FLUXGAUGE_OWN_CA", "value": "false"}]));
    let mut read_only = secrets;
    read_only["verbs"] = json!(["list", "watch"]);
    assert_eq!(patch(role)["rules"], json!([read_only, config_maps]));
}

#[test]
fn certificates_of_others_name_both_services() {
    let base = read("base");
    let instructions = read_text("README.md");
    let certificates = read("components/cert-manager");
    let serving = &find(&certificates, "Certificate", "fluxgauge-serving")["spec"];
    for (index, service) in ["fluxgauge-api", "fluxgauge-ingest"].into_iter().enumerate() {
        find(&base, "Service", service);
        let name = format!("{service}.{}.svc", namespace());
        assert!(instructions.contains(&name), "no {name} in deploy/README.md");
        assert_eq!(serving["dnsNames"][index], name);
    }
    let Tls::Secret(served) = gateway().tls else { panic!("no Secret") };
    assert_eq!(serving["secretName"], served.secret);
    let command = format!("create secret generic {} ", served.secret);
    assert!(instructions.contains(&command), "{command}");
}

/// The rule by which the gateway keeps objects of these names.
pub(super) fn may_keep(group: &str, resource: &str, names: &[String], more: &[&str]) -> Value {
    let mut names = names.to_vec();
    names.sort_unstable();
    let verbs = [&["list", "watch"], more, &["patch"]].concat();
    json!({"apiGroups": [group], "resources": [resource], "resourceNames": names, "verbs": verbs})
}

/// The names of the APIServices in a folder.
pub(super) fn registered(folder: &str) -> Vec<String> {
    let documents = read(folder);
    let all = documents.iter().filter(|document| document["kind"] == "APIService");
    all.map(|document| text(&document["metadata"]["name"]).to_owned()).collect()
}
