//! What discovery says, and that nothing changes it.

use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH, VARY};

use super::*;

const V2: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const V2BETA1: &str = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";

const GROUP_VERSIONS: [&str; 3] = [
    "custom.metrics.k8s.io/v1beta2",
    "custom.metrics.k8s.io/v1beta1",
    "external.metrics.k8s.io/v1beta1",
];

#[test]
fn discovery_lists_what_can_be_asked_for_in_both_versions() {
    let fixture = Fixture::new();
    for version in ["v1beta1", "v1beta2"] {
        let list = fixture.get(&format!("/apis/custom.metrics.k8s.io/{version}")).json();
        assert_eq!(list["groupVersion"], format!("custom.metrics.k8s.io/{version}"));
        let resources = list["resources"].as_array().expect("resources");
        let scope = |name: &str| {
            let mut found = resources.iter().filter(|resource| resource["name"] == name);
            found.next().map(|resource| resource["namespaced"] == true)
        };
        for (name, want) in [
            ("miniclusters.flux-framework.org/node_up_count", Some(true)),
            ("services/node_up_count", Some(true)),
            ("jobs.batch/cluster_size_min_safe", Some(true)),
            ("pods/broker_up", Some(true)),
            ("namespaces/node_up_count", Some(false)),
            ("namespaces/cluster_size_min_safe", None),
            ("pods/node_up_count", None),
            ("services/broker_up", None),
        ] {
            assert_eq!(scope(name), want, "{name}");
        }
        assert!(resources.iter().all(|resource| resource["verbs"] == json!(["get"])));
    }
    let external = fixture.get("/apis/external.metrics.k8s.io/v1beta1").json();
    let names: Vec<_> =
        external["resources"].as_array().expect("resources").iter().map(|r| &r["name"]).collect();
    assert!(names.contains(&&json!("cluster_size_min_safe")), "{names:?}");
    assert!(!names.contains(&&json!("broker_up")), "{names:?}");
}

#[test]
fn groups_name_their_versions_and_the_preferred_one() {
    let fixture = Fixture::new();
    let list = fixture.get("/apis").json();
    assert_eq!(list["kind"], "APIGroupList");
    let versions = list["groups"].as_array().expect("groups").iter().flat_map(|group| {
        let versions = group["versions"].as_array().expect("versions").iter();
        versions.map(|version| version["groupVersion"].as_str().expect("a text"))
    });
    assert_eq!(versions.collect::<Vec<_>>(), GROUP_VERSIONS);
    for (group, preferred) in
        [("custom.metrics.k8s.io", "v1beta2"), ("external.metrics.k8s.io", "v1beta1")]
    {
        let group = fixture.get(&format!("/apis/{group}")).json();
        assert_eq!(group["kind"], "APIGroup");
        assert_eq!(group["preferredVersion"]["version"], preferred);
    }
    for unknown in ["apps", "apps/v1", "custom.metrics.k8s.io/v1", "external.metrics.k8s.io/v1"] {
        fixture.failure(404, &format!("/apis/{unknown}"));
    }
}

/// All that discovery says, byte for byte, with its tags.
fn everything(fixture: &Fixture) -> Vec<(Bytes, Option<HeaderValue>)> {
    let plain = GROUP_VERSIONS.map(|version| format!("/apis/{version}"));
    let groups = ["/apis", "/apis/custom.metrics.k8s.io", "/apis/external.metrics.k8s.io"];
    let uris = plain.iter().map(String::as_str).chain(groups);
    let plain = uris.map(|uri| fixture.get(uri));
    let aggregated = [V2, V2BETA1].map(|form| fixture.get_as("/apis", form));
    plain
        .chain(aggregated)
        .map(|answer| {
            assert_eq!(answer.status, 200);
            (answer.bytes, answer.headers.get(ETAG).cloned())
        })
        .collect()
}

#[test]
fn discovery_is_the_same_on_all_replicas_whatever_they_know_and_whether_they_drain() {
    let empty = Fixture::of(&[]);
    let known = everything(&empty);
    empty.state.send_replace(State::WarmingUp);
    assert_eq!(everything(&empty), known);
    empty.state.send_replace(State::Draining);
    assert_eq!(everything(&empty), known);
    // A thousand MiniClusters, and ten thousand pods.
    let names = (0..1_000).map(|nth| &*format!("mc{nth}").leak());
    let many: Vec<_> = names.map(|name| Fake { name, brokers: 10, ..Fake::default() }).collect();
    let full = Fixture::of(&many);
    assert_eq!(everything(&full), known);
    assert!(known.iter().all(|(body, _)| body.len() < 128 * 1024), "discovery is small");
}

#[test]
fn no_parent_mixes_what_lives_in_namespaces_with_what_does_not() {
    let fixture = Fixture::new();
    for version in GROUP_VERSIONS {
        let list = fixture.get(&format!("/apis/{version}")).json();
        let mut scopes = std::collections::HashMap::new();
        for resource in list["resources"].as_array().expect("resources") {
            let name = resource["name"].as_str().expect("a text");
            let parent = name.split('/').next().expect("a parent").to_owned();
            let scope = resource["namespaced"].as_bool().expect("a scope");
            assert_eq!(*scopes.entry(parent).or_insert(scope), scope, "{name}");
        }
    }
}

#[test]
fn the_aggregated_document_is_found_whatever_else_its_clause_says() {
    let fixture = Fixture::new();
    for accept in [
        "application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io",
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList;charset=utf-8",
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList;profile=nopeer",
        &format!(
            "application/vnd.kubernetes.protobuf;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,{V2}"
        ),
        &format!("{V2},{V2BETA1},application/json"),
    ] {
        let answer = fixture.get_as("/apis", accept);
        assert_eq!(answer.headers[CONTENT_TYPE], V2, "of {accept}");
        for version in GROUP_VERSIONS {
            let (_, version) = version.split_once('/').expect("a version");
            assert!(answer.body.contains(&format!("\"version\":\"{version}\"")));
        }
    }
    let older = fixture.get_as("/apis", &format!("{V2BETA1},application/json"));
    assert_eq!(older.headers[CONTENT_TYPE], V2BETA1);
    assert_eq!(older.json()["apiVersion"], "apidiscovery.k8s.io/v2beta1");
}

#[test]
fn the_root_lists_paths_that_are_served() {
    let fixture = Fixture::new();
    let root = fixture.get("/").json();
    for path in root["paths"].as_array().expect("paths") {
        assert_eq!(fixture.get(path.as_str().expect("a text")).status, 200, "{path}");
    }
    let version = fixture.get("/version").json();
    assert_eq!(version["gitVersion"], concat!("v", env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_aggregated_document_is_negotiated_and_cached_by_its_tag() {
    let fixture = Fixture::new();
    let full = fixture.get_as("/apis", V2);
    assert_eq!(full.headers[CONTENT_TYPE], V2);
    assert_eq!(full.json()["apiVersion"], "apidiscovery.k8s.io/v2");
    assert_eq!(full.headers[VARY], "Accept");
    assert_eq!(full.headers[CACHE_CONTROL], "public");
    let again = |tag: &HeaderValue| {
        let request = Request::get("/apis").header(ACCEPT, V2).header(IF_NONE_MATCH, tag);
        fixture.answer(request, fixture.now)
    };
    let known = again(&full.headers[ETAG]);
    assert_eq!((known.status, known.body.as_str()), (304, ""));
    assert_eq!(known.headers[ETAG], full.headers[ETAG]);
    assert_eq!(again(&HeaderValue::from_static("\"other\"")).body, full.body);
}

#[test]
fn a_list_of_resources_is_sent_whatever_tag_the_client_knows() {
    let fixture = Fixture::new();
    let tag = fixture.get_as("/apis", V2).headers[ETAG].clone();
    let request = Request::get("/apis/custom.metrics.k8s.io/v1beta2").header(IF_NONE_MATCH, tag);
    assert_eq!(fixture.answer(request, fixture.now).status, 200);
}
