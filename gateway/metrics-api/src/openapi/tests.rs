use std::{collections::BTreeSet, fs, path::Path};

use super::*;
use crate::{
    Quantity, Selector,
    custom::{self, MetricValue, ObjectReference},
    external,
    path::{self, Target},
};

/// Metrics that no catalogue has, so that golden files stay as they are when a catalogue grows.
fn metrics() -> Metrics {
    let metric = |name: &str| Metric {
        name: name.to_owned(),
        help: "Nodes that are up: \"online\".\nUnit: nodes.".to_owned(),
    };
    Metrics {
        of_objects: vec![metric("node_up_count"), metric("broker_up")],
        of_namespaces: vec![metric("node_up_count")],
        external: vec![metric("node_up_count"), metric("job_failed_count")],
    }
}

fn documents() -> Documents {
    Documents::new(&metrics(), &Group::ALL)
}

fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

/// The documents by the names of their golden files.
fn by_name(documents: &Documents) -> [(&'static str, &Document); 4] {
    let custom = |version| documents.v3(GroupVersion::Custom(version));
    [
        ("v2", &documents.v2),
        ("v3-custom-v1beta1", custom(Version::V1Beta1)),
        ("v3-custom-v1beta2", custom(Version::V1Beta2)),
        ("v3-external-v1beta1", documents.v3(GroupVersion::External)),
    ]
}

fn models(document: &Value) -> &serde_json::Map<String, Value> {
    let models = document.get("definitions").unwrap_or_else(|| &document["components"]["schemas"]);
    models.as_object().unwrap()
}

fn paths(document: &Value) -> impl Iterator<Item = (&String, &Value)> {
    document["paths"].as_object().unwrap().iter().map(|(path, item)| (path, &item["get"]))
}

/// Calls for every member of every object, however deep.
fn for_each_member(value: &Value, call: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                call(name, value);
                for_each_member(value, call);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| for_each_member(value, call)),
        _ => {}
    }
}

/// The JSON is made here, the protobuf of it by Kubernetes' own code.
#[test]
fn protobuf_is_what_kubernetes_makes_of_the_json() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/openapi");
    let mut changed = Vec::new();
    for (name, document) in by_name(&documents()) {
        let path = folder.join(format!("{name}.json"));
        if fs::read(&path).ok().as_deref() != Some(document.json.body.as_ref()) {
            fs::write(&path, &document.json.body).unwrap();
            changed.push(path);
            continue;
        }
        let golden = fs::read(folder.join(format!("{name}.pb"))).unwrap();
        assert!(document.protobuf == golden, "{name}");
    }
    assert!(changed.is_empty(), "rewritten: have Go make their .pb anew, and commit: {changed:#?}");
}

#[test]
fn paths_lie_under_our_group_versions_alone() {
    let documents = documents();
    let ours: Vec<_> = GroupVersion::all().map(|api| format!("/apis/{}/", api.name())).collect();
    let of_v2 = json(&documents.v2.json.body);
    assert!(paths(&of_v2).all(|(path, _)| ours.iter().any(|prefix| path.starts_with(prefix))));
    for (prefix, api) in ours.iter().zip(GroupVersion::all()) {
        assert!(paths(&of_v2).any(|(path, _)| path.starts_with(prefix)), "of {prefix}");
        let document = json(&documents.v3(api).json.body);
        assert!(paths(&document).count() > 0);
        assert!(paths(&document).all(|(path, _)| path.starts_with(prefix)), "of {prefix}");
    }
}

#[test]
fn documented_paths_are_read_by_the_server() {
    for (_, document) in by_name(&documents()) {
        for (path, _) in paths(&json(&document.json.body)) {
            let filled = path.replace(['{', '}'], "");
            let target = path::parse(&filled);
            assert!(matches!(target, Ok(Target::Metric(_) | Target::External(_))), "of {path}");
        }
    }
}

#[test]
fn parameters_of_a_path_are_those_in_its_braces() {
    for (_, document) in by_name(&documents()) {
        for (path, operation) in paths(&json(&document.json.body)) {
            let in_path = |parameter: &&Value| parameter["in"] == "path";
            let parameters = operation["parameters"].as_array().unwrap();
            let described: Vec<_> = parameters
                .iter()
                .filter(in_path)
                .map(|parameter| {
                    assert_eq!(parameter["required"], true);
                    format!("{{{}}}", parameter["name"].as_str().unwrap())
                })
                .collect();
            let braces: Vec<_> = path.split('/').filter(|part| part.starts_with('{')).collect();
            assert_eq!(described, braces, "of {path}");
        }
    }
}

#[test]
fn operations_have_names_of_their_own() {
    for (_, document) in by_name(&documents()) {
        let document = json(&document.json.body);
        let ids: BTreeSet<_> =
            paths(&document).map(|(_, get)| get["operationId"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), paths(&document).count(), "{ids:?}");
    }
    let of_v2 = json(&documents().v2.json.body);
    let ids: BTreeSet<_> =
        paths(&of_v2).map(|(_, get)| get["operationId"].as_str().unwrap()).collect();
    for name in [
        "listCustomMetricsV1beta2MetricValue",
        "listCustomMetricsV1beta2NamespacedMetricValue",
        "readCustomMetricsV1beta1MetricValueForNamespace",
        "listExternalMetricsV1beta1ExternalMetricValue",
    ] {
        assert!(ids.contains(name), "{name} of {ids:?}");
    }
}

#[test]
fn every_reference_leads_to_a_model_and_every_model_is_referred_to() {
    for (name, document) in by_name(&documents()) {
        let document = json(&document.json.body);
        let mut referred = BTreeSet::new();
        for_each_member(&document, &mut |name, value| {
            if name == "$ref" {
                let (_, model) = value.as_str().unwrap().rsplit_once('/').unwrap();
                referred.insert(model.to_owned());
            }
        });
        let there: BTreeSet<_> = models(&document).keys().cloned().collect();
        assert_eq!(referred, there, "in {name}");
    }
}

#[test]
fn everything_has_a_description() {
    for (_, document) in by_name(&documents()) {
        let document = json(&document.json.body);
        let described = |value: &Value| value["description"].as_str().is_some_and(|t| t.len() > 1);
        for (name, model) in models(&document) {
            assert!(described(model), "{name}");
            for (member, value) in model["properties"].as_object().into_iter().flatten() {
                assert!(described(value), "{member} of {name}");
            }
        }
        for (path, operation) in paths(&document) {
            assert!(described(operation), "{path}");
            assert!(operation["parameters"].as_array().unwrap().iter().all(described), "{path}");
            assert!(operation["responses"].as_object().unwrap().values().all(described), "{path}");
        }
    }
}

/// As kubectl looks a kind up, in version 2.
#[test]
fn the_kinds_of_lists_lead_to_their_models() {
    for (_, document) in by_name(&documents()) {
        let document = json(&document.json.body);
        for (path, operation) in paths(&document) {
            let kind = &operation[KIND];
            let found: Vec<_> = models(&document)
                .iter()
                .filter(|(_, model)| {
                    model[KIND].as_array().is_some_and(|kinds| kinds.contains(kind))
                })
                .collect();
            let [(name, _)] = found.as_slice() else { panic!("{kind} of {path}: {found:?}") };
            assert!(name.ends_with(kind["kind"].as_str().unwrap()), "{name}");
            let answer = &operation["responses"]["200"];
            let schema = answer.get("schema");
            let schema = schema.unwrap_or_else(|| &answer["content"]["application/json"]["schema"]);
            assert!(schema["$ref"].as_str().unwrap().ends_with(name.as_str()));
        }
    }
}

/// As kubectl explain looks a resource up, in version 3: by its path, which must be there by name.
#[test]
fn an_external_metric_is_explained_by_its_name() {
    let document = json(&documents().v3(GroupVersion::External).json.body);
    let path = "/apis/external.metrics.k8s.io/v1beta1/namespaces/{namespace}/job_failed_count";
    let operation = &document["paths"][path]["get"];
    assert_eq!(operation[KIND]["kind"], "ExternalMetricValueList");
    assert_eq!(operation["description"], metrics().external[1].help);
}

#[test]
fn models_have_the_members_of_answers() {
    let selector = Selector::parse("queue=batch").unwrap();
    let item = MetricValue {
        object: ObjectReference {
            kind: "Pod",
            namespace: "a",
            name: "b",
            uid: "c",
            api_version: "v1",
        },
        metric: "broker_up",
        selector: &selector,
        timestamp: jiff::Timestamp::UNIX_EPOCH,
        window_seconds: Some(30),
        value: Quantity::try_from(1.0).unwrap(),
    };
    for version in Version::ALL {
        let list = custom::List { version, items: &[item] };
        answer_conforms(GroupVersion::Custom(version), &Encoding::Json.encode(&list));
    }
    let item = external::MetricValue {
        metric: "node_up_count",
        labels: [("minicluster", "mc0")].into(),
        timestamp: jiff::Timestamp::UNIX_EPOCH,
        window_seconds: Some(30),
        value: Quantity::try_from(1.0).unwrap(),
    };
    let list = external::List { items: &[item] };
    answer_conforms(GroupVersion::External, &Encoding::Json.encode(&list));
}

fn answer_conforms(api: GroupVersion, answer: &[u8]) {
    let document = json(&documents().v3(api).json.body);
    conforms(&document, &model::list(Dialect::V3, api), &json(answer));
}

/// Checks that a value has only members that its model names, and all that it requires.
fn conforms(document: &Value, schema: &Value, value: &Value) {
    let reference = schema.get("$ref").or_else(|| schema["allOf"][0].get("$ref"));
    let schema = reference.map_or(schema, |reference| {
        let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
        document.pointer(pointer).unwrap()
    });
    match value {
        Value::Object(members) => {
            for required in schema["required"].as_array().into_iter().flatten() {
                assert!(members.contains_key(required.as_str().unwrap()), "{required} in {value}");
            }
            for (name, member) in members {
                let known =
                    schema["properties"].get(name).or_else(|| schema.get("additionalProperties"));
                conforms(document, known.unwrap_or_else(|| panic!("{name} in {schema}")), member);
            }
        }
        Value::Array(items) => {
            assert_eq!(schema["type"], "array");
            items.iter().for_each(|item| conforms(document, &schema["items"], item));
        }
        Value::String(_) => assert!(schema["type"] == "string" || schema.get("oneOf").is_some()),
        Value::Number(_) => assert_eq!(schema["type"], "integer"),
        Value::Null | Value::Bool(_) => panic!("{value} of {schema}"),
    }
}

#[test]
fn the_index_lists_our_group_versions_with_the_hashes_of_their_documents() {
    let documents = documents();
    let index = json(&documents.index.body);
    let listed = index["paths"].as_object().unwrap();
    assert_eq!(listed.len(), GroupVersion::all().count());
    for api in GroupVersion::all() {
        let hash = documents.v3(api).hash();
        let url = format!("/openapi/v3/apis/{}?hash={hash}", api.name());
        assert_eq!(listed[&format!("apis/{}", api.name())]["serverRelativeURL"], url);
    }
}

#[test]
fn hashes_follow_the_content_alone() {
    assert_eq!(documents(), documents());
    let mut metrics = metrics();
    metrics.external.pop();
    let (one, other) = (documents(), Documents::new(&metrics, &Group::ALL));
    assert_ne!(one.v2.hash(), other.v2.hash());
    assert_ne!(one.index.etag, other.index.etag);
    for api in GroupVersion::all() {
        let is_same = one.v3(api) == other.v3(api);
        assert_eq!(is_same, api != GroupVersion::External);
        assert_eq!(one.v3(api).hash() == other.v3(api).hash(), is_same);
    }
}
