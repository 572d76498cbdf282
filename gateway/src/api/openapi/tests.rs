use std::{collections::BTreeSet, sync::Arc, time::SystemTime};

use http::{
    Request,
    header::{ACCEPT, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION},
};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::{sync::watch, time::Instant};
use tracing::Span;

use super::{
    super::{Api, Asked, Health, State},
    *,
};
use crate::{pods, query::Rules};

const V2: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
const V3: &str = "application/com.github.proto-openapi.spec.v3.v1.0+protobuf";

/// An API over an empty store.
fn api() -> Api {
    let rules = Rules {
        max_age: Duration::from_secs(60),
        service_aliases: Vec::new(),
        derived: Default::default(),
    };
    let (_, health) = watch::channel(State::Ready);
    let (_, known) = watch::channel(true);
    let health = Health::new(health, known.clone(), known.clone(), known);
    Api::new(Arc::default(), pods::Shared::default(), rules, health)
}

/// 2026-11-23T19:00:00Z.
fn now() -> Moment {
    let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_460_400);
    Moment { instant: Instant::now(), wall }
}

fn get(api: &Api, uri: &str, headers: &[(http::HeaderName, &str)]) -> Response<Bytes> {
    let request = headers
        .iter()
        .fold(Request::get(uri), |request, (name, value)| request.header(name, *value));
    let request = request.body(()).unwrap();
    let response = api.answer(&Asked::by(&request), now(), &Span::none());
    let status = response.status();
    assert!(!status.is_redirection() || status == 304, "{uri}: {status}");
    assert!(!response.headers().contains_key(LOCATION), "{uri}");
    let html = |value: &HeaderValue| value.to_str().unwrap().contains("html");
    assert!(!response.headers().get(CONTENT_TYPE).is_some_and(html), "{uri}");
    response.map(|body| {
        futures_util::FutureExt::now_or_never(body.collect()).unwrap().unwrap().to_bytes()
    })
}

fn header<T>(response: &Response<T>, name: http::HeaderName) -> &str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

fn json(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

/// Every path of a document, with what the index says of it.
fn urls(api: &Api) -> Vec<String> {
    let index = json(&get(api, "/openapi/v3", &[]));
    let entries = index["paths"].as_object().unwrap();
    entries.values().map(|entry| entry["serverRelativeURL"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn version_2_is_served_with_an_entity_tag_that_saves_the_next_download() {
    let api = api();
    let first = get(&api, "/openapi/v2", &[(ACCEPT, "application/json")]);
    assert_eq!(first.status(), 200);
    assert_eq!(header(&first, CONTENT_TYPE), "application/json");
    assert_eq!(header(&first, VARY), "Accept");
    assert_eq!(json(&first)["swagger"], "2.0");
    let etag = header(&first, ETAG);
    assert!(etag.len() > 2 && etag.starts_with('"') && etag.ends_with('"'), "{etag}");

    for known in [etag, "*", &format!("\"other\", W/{etag}")] {
        let again = get(&api, "/openapi/v2", &[(IF_NONE_MATCH, known)]);
        assert_eq!(again.status(), 304, "{known}");
        assert_eq!(header(&again, ETAG), etag);
        assert!(again.body().is_empty());
    }
    for other in ["\"other\"", etag.trim_matches('"')] {
        let again = get(&api, "/openapi/v2", &[(IF_NONE_MATCH, other)]);
        assert_eq!((again.status().as_u16(), again.body()), (200, first.body()), "{other}");
    }
}

#[test]
fn entity_tags_are_equal_on_all_replicas() {
    let (one, other) = (api(), api());
    for path in ["/openapi/v2", "/openapi/v3"] {
        let etag = |api| header(&get(api, path, &[]), ETAG).to_owned();
        assert_eq!(etag(&one), etag(&other));
    }
    assert_eq!(urls(&one), urls(&other));
}

#[test]
fn both_spellings_of_protobuf_are_understood_and_the_new_one_is_answered() {
    let api = api();
    let documents = urls(&api).into_iter().map(|url| (url, V3));
    for (path, spelling) in documents.chain([("/openapi/v2".to_owned(), V2)]) {
        let text = get(&api, &path, &[]);
        for asked in [spelling, &spelling.replace(".v1.0", "@v1.0")] {
            let message = get(&api, &path, &[(ACCEPT, asked)]);
            assert_eq!(message.status(), 200, "{path} as {asked}");
            assert_eq!(header(&message, CONTENT_TYPE), spelling);
            assert_eq!(header(&message, ETAG), header(&text, ETAG));
            assert_eq!(header(&message, VARY), "Accept");
            // Field 1 of both, a text: the version of OpenAPI.
            assert!(matches!(message.body()[..], [0x0a, 3, b'2', ..] | [0x0a, 5, b'3', ..]));
            let first_of_equals = format!("{asked}, application/json");
            assert_eq!(
                get(&api, &path, &[(ACCEPT, &first_of_equals)]).body(),
                message.body(),
                "{path} as {first_of_equals}"
            );
        }
    }
}

#[test]
fn a_form_that_is_not_there_is_a_406_without_a_body() {
    let api = api();
    for path in urls(&api).into_iter().chain(["/openapi/v2".to_owned()]) {
        for accept in ["text/html", "application/json;q=0", "application/vnd.kubernetes.protobuf"] {
            let refused = get(&api, &path, &[(ACCEPT, accept)]);
            assert_eq!(refused.status(), 406, "{path} as {accept}");
            assert!(refused.body().is_empty());
            assert_eq!(header(&refused, VARY), "Accept");
            assert_eq!(header(&refused, CACHE_CONTROL), "");
        }
    }
}

#[test]
fn the_index_leads_to_documents_of_exactly_our_group_versions() {
    let api = api();
    let index = get(&api, "/openapi/v3", &[]);
    assert_eq!(header(&index, CONTENT_TYPE), "application/json");
    let etag = header(&index, ETAG);
    assert!(etag.starts_with('"'));
    assert_eq!(get(&api, "/openapi/v3", &[(IF_NONE_MATCH, etag)]).status(), 304);
    let index = json(&index);
    let listed: Vec<_> = index["paths"].as_object().unwrap().iter().collect();
    let names: BTreeSet<_> = listed.iter().map(|(name, _)| name.as_str()).collect();
    let ours = [
        "apis/custom.metrics.k8s.io/v1beta1",
        "apis/custom.metrics.k8s.io/v1beta2",
        "apis/external.metrics.k8s.io/v1beta1",
    ];
    assert_eq!(names, BTreeSet::from(ours));
    for (name, entry) in listed {
        let url = entry["serverRelativeURL"].as_str().unwrap();
        let document = get(&api, url, &[]);
        assert_eq!(document.status(), 200);
        let hash = url.strip_prefix(&format!("/openapi/v3/{name}?hash=")).unwrap();
        assert_eq!(header(&document, ETAG), format!("\"{hash}\""));
        let document = json(&document);
        let mut paths = document["paths"].as_object().unwrap().keys();
        assert!(paths.all(|path| path.starts_with(&format!("/{name}/"))));
    }
}

#[test]
fn a_document_asked_for_by_its_hash_may_be_kept() {
    let api = api();
    for url in urls(&api) {
        let document = get(&api, &url, &[]);
        assert_eq!(header(&document, CACHE_CONTROL), "public, immutable");
        assert_eq!(header(&document, EXPIRES), "Tue, 23 Nov 2027 19:00:00 GMT");
        assert_eq!(header(&document, VARY), "Accept");
        let etag = header(&document, ETAG);
        assert_eq!(get(&api, &url, &[(IF_NONE_MATCH, etag)]).status(), 304);
    }
}

#[test]
fn another_hash_gets_the_current_document_and_no_redirect() {
    let api = api();
    for url in urls(&api) {
        let current = get(&api, &url, &[]);
        let (path, _) = url.split_once('?').unwrap();
        for other in [path, &format!("{path}?hash="), &format!("{path}?hash=OLD&timeout=32s")] {
            let document = get(&api, other, &[]);
            assert_eq!(document.status(), 200, "{other}");
            assert_eq!(document.body(), current.body());
            assert_eq!(header(&document, CACHE_CONTROL), "no-cache, private");
            assert_eq!(header(&document, EXPIRES), "");
        }
    }
}

#[test]
fn a_group_version_that_is_not_ours_has_no_document() {
    for path in ["apis/apps/v1", "apis/custom.metrics.k8s.io/v1", "api/v1"] {
        let answer = get(&api(), &format!("/openapi/v3/{path}"), &[]);
        assert_eq!(answer.status(), 404);
        assert_eq!(json(&answer)["kind"], "Status");
    }
}

#[test]
fn every_answer_is_the_same_bytes_in_memory() {
    let api = api();
    let documents = urls(&api).into_iter().map(|url| (url, V3));
    let others = [("/openapi/v2", V2), ("/openapi/v3", "*/*")];
    let others = others.map(|(path, spelling)| (path.to_owned(), spelling));
    for (path, spelling) in documents.chain(others) {
        for accept in ["application/json", spelling] {
            let answers = [0, 1].map(|_| get(&api, &path, &[(ACCEPT, accept)]));
            let [one, other] = answers.each_ref().map(|answer| answer.body().as_ptr());
            assert_eq!(one, other, "{path} as {accept}");
        }
    }
}

#[test]
fn documents_are_small_enough_to_be_downloaded_by_everyone() {
    // Every kubectl of old downloads version 2 of the whole cluster.
    const MOST_OF_V2: usize = 32 * 1024;
    // 1.7 KiB for each of 80 external metrics, and the models.
    const MOST_OF_V3: usize = 160 * 1024;
    let api = api();
    assert!(get(&api, "/openapi/v2", &[]).body().len() < MOST_OF_V2);
    for url in urls(&api) {
        assert!(get(&api, &url, &[]).body().len() < MOST_OF_V3, "{url}");
    }
}

#[test]
fn kube_apiserver_is_answered_as_it_asks() {
    let api = api();
    let aggregator = http::HeaderName::from_static("x-remote-user");
    for path in urls(&api).into_iter().chain(["/openapi/v2", "/openapi/v3"].map(str::to_owned)) {
        let answer = get(&api, &path, &[(aggregator.clone(), "system:aggregator")]);
        assert_eq!(answer.status(), 200);
        assert_eq!(header(&answer, CONTENT_TYPE), "application/json");
    }
}

#[test]
fn every_external_metric_is_explained_with_its_unit() {
    let api = api();
    let url = "/openapi/v3/apis/external.metrics.k8s.io/v1beta1";
    let document = json(&get(&api, url, &[]));
    let explained = |name: &str| {
        let path = format!("/apis/external.metrics.k8s.io/v1beta1/namespaces/{{namespace}}/{name}");
        document["paths"][path]["get"]["description"].as_str().map(str::to_owned)
    };
    let node_up_count = explained("node_up_count").unwrap();
    assert!(node_up_count.starts_with("Nodes that are online"), "{node_up_count}");
    assert!(node_up_count.ends_with("Unit: nodes."), "{node_up_count}");
    let discovered = json(&get(&api, "/apis/external.metrics.k8s.io/v1beta1", &[]));
    for resource in discovered["resources"].as_array().unwrap() {
        let name = resource["name"].as_str().unwrap();
        assert!(explained(name).is_some(), "{name}");
    }
    assert_eq!(explained("broker_up"), None);
}
