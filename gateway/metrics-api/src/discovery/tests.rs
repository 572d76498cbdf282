use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::Encoding;

fn documents() -> Documents {
    let metrics = |names: &[&str]| names.iter().copied().map(str::to_owned).collect();
    let resource = |name: &str, namespaced, names: &[&str]| Resource {
        name: name.to_owned(),
        namespaced,
        metrics: metrics(names),
    };
    let catalogue = Catalogue {
        custom: vec![
            resource("pods", true, &["a", "b"]),
            resource("namespaces", false, &["a"]),
            resource("services", true, &[]),
        ],
        external: metrics(&["a", "c"]),
    };
    Documents::new(&catalogue, &Group::ALL)
}

const V1BETA2: GroupVersion = GroupVersion::Custom(custom::Version::V1Beta2);

fn text(document: &Prepared) -> &str {
    std::str::from_utf8(document.body(Encoding::Json)).unwrap()
}

fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

#[test]
fn groups_are_listed_with_the_preferred_version() {
    let documents = documents();
    assert_eq!(text(&documents.groups), include_str!("../../testdata/groups.json"));
    let custom = documents.group(Group::Custom);
    assert_eq!(text(custom), include_str!("../../testdata/group.json"));
    let external = json(documents.group(Group::External).body(Encoding::Json));
    assert_eq!(external["preferredVersion"]["groupVersion"], "external.metrics.k8s.io/v1beta1");
}

#[test]
fn resources_are_listed_in_every_version() {
    let documents = documents();
    let golden = include_str!("../../testdata/resources.json");
    assert_eq!(text(documents.resources(V1BETA2)), golden);
    let v1beta1 = GroupVersion::Custom(custom::Version::V1Beta1);
    assert_eq!(text(documents.resources(v1beta1)), golden.replace("v1beta2", "v1beta1"));
    let external = include_str!("../../testdata/external-resources.json");
    assert_eq!(text(documents.resources(GroupVersion::External)), external);
}

#[test]
fn protobuf_has_the_bytes_of_kubernetes() {
    let documents = documents();
    let table: [(&Prepared, &[u8]); 4] = [
        (&documents.groups, include_bytes!("../../testdata/groups.pb")),
        (documents.group(Group::Custom), include_bytes!("../../testdata/group.pb")),
        (documents.resources(V1BETA2), include_bytes!("../../testdata/resources.pb")),
        (
            documents.resources(GroupVersion::External),
            include_bytes!("../../testdata/external-resources.pb"),
        ),
    ];
    for (document, golden) in table {
        assert_eq!(document.body(Encoding::Protobuf), golden, "{}", text(document));
    }
}

#[test]
fn the_aggregated_document_holds_all_versions() {
    let documents = documents();
    let golden = include_str!("../../testdata/aggregated.json");
    let v2 = &documents.aggregated(Aggregated::V2).body;
    assert_eq!(std::str::from_utf8(v2), Ok(golden));
    let v2beta1 = &documents.aggregated(Aggregated::V2Beta1).body;
    let older = golden.replacen("k8s.io/v2", "k8s.io/v2beta1", 1);
    assert_eq!(std::str::from_utf8(v2beta1), Ok(older.as_str()));
}

/// The resources of a group-version as the aggregated document has them, in the spelling of the
/// older one.
fn aggregated(document: &Value, wanted: GroupVersion) -> BTreeSet<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let name = |value: &Value| value.as_str().unwrap().to_owned();
    let groups = list(&document["items"]);
    let group = groups.iter().find(|group| group["metadata"]["name"] == wanted.group().name());
    let versions = list(&group.unwrap()["versions"]);
    let version = versions.iter().find(|version| version["version"] == wanted.version());
    let resources = list(&version.unwrap()["resources"]);
    let all = resources.iter().flat_map(|resource| {
        let parent = name(&resource["resource"]);
        assert!(resource["responseKind"].is_object(), "{parent}");
        let subresources = list(&resource["subresources"]);
        let itself = (resource["verbs"] != Value::Array(Vec::new())).then(|| {
            assert_eq!(resource["responseKind"]["kind"], wanted.list_kind(), "{parent}");
            parent.clone()
        });
        let subresources = subresources.into_iter().map(move |subresource| {
            assert_eq!(subresource["responseKind"]["kind"], wanted.list_kind(), "{parent}");
            format!("{parent}/{}", name(&subresource["subresource"]))
        });
        itself.into_iter().chain(subresources).collect::<Vec<_>>()
    });
    all.collect()
}

#[test]
fn both_forms_list_the_same_with_a_kind_each() {
    let documents = documents();
    for form in [Aggregated::V2, Aggregated::V2Beta1] {
        let document = json(&documents.aggregated(form).body);
        for version in GroupVersion::all() {
            let legacy = json(documents.resources(version).body(Encoding::Json));
            let legacy = legacy["resources"].as_array().unwrap();
            let legacy: BTreeSet<_> =
                legacy.iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect();
            assert_eq!(legacy, aggregated(&document, version), "{version:?}");
        }
    }
}

#[test]
fn no_list_is_ever_empty() {
    let documents = Documents::new(&Catalogue::default(), &Group::ALL);
    for version in GroupVersion::all() {
        let list = json(documents.resources(version).body(Encoding::Json));
        let name = list["resources"][0]["name"].as_str().unwrap();
        assert!(name.ends_with("placeholder"), "{version:?}");
    }
}

#[test]
fn nothing_can_be_done_but_read() {
    for version in GroupVersion::all() {
        let list = json(documents().resources(version).body(Encoding::Json));
        for resource in list["resources"].as_array().unwrap() {
            assert_eq!(resource["verbs"], serde_json::json!(["get"]), "{resource}");
        }
    }
}

#[test]
fn an_entity_tag_follows_the_content_alone() {
    assert_eq!(documents(), documents());
    let (documents, empty) = (documents(), Documents::new(&Catalogue::default(), &Group::ALL));
    let tag = |documents: &Documents, form| documents.aggregated(form).etag.clone();
    assert_ne!(tag(&documents, Aggregated::V2), tag(&empty, Aggregated::V2));
    assert_ne!(tag(&documents, Aggregated::V2), tag(&documents, Aggregated::V2Beta1));
    assert!(tag(&documents, Aggregated::V2).starts_with('"'));
    assert_eq!(fnv1a(b"a"), 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964);
}
