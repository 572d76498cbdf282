//! Requests that are refused, answered in part, or answered although they say too much.

use super::*;

#[test]
fn bad_requests_say_what_is_bad() {
    let fixture = Fixture::new();
    let metric = format!("{HPC}/pods/*/broker_up");
    let table = [
        (
            format!("{metric}?labelSelector=a%20b"),
            "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
        ),
        (
            format!("{metric}?metricLabelSelector=,"),
            "found ',', expected: !, identifier, or 'end of string'",
        ),
        (
            format!("{metric}?labelSelector=%zz"),
            "the value of query parameter labelSelector is not percent-encoded UTF-8",
        ),
        (format!("{HPC}/pods"), "invalid request path"),
        (format!("{HPC}/pods/a%2Fb/broker_up"), "invalid request path"),
    ];
    for (uri, want) in table {
        let answer = fixture.get(&uri);
        if want.is_empty() {
            assert_eq!(answer.status, 200, "{uri}: {}", answer.body);
            continue;
        }
        assert_eq!(answer.json()["reason"], "BadRequest", "{uri}: {}", answer.body);
        assert_eq!(fixture.failure(400, &uri), want);
    }
}

#[test]
fn parameters_that_mean_nothing_here_are_ignored() {
    let fixture = Fixture::new();
    let uri = format!("{HPC}/services/mc0/node_up_count");
    let plain = fixture.get(&uri);
    let ignored = "limit=1&continue=x&resourceVersion=7&fieldSelector=a%3Db&timeout=1s&x=%zz";
    assert_eq!(fixture.get(&format!("{uri}?{ignored}")).body, plain.body);
}

#[test]
fn writes_and_watches_are_refused() {
    let fixture = Fixture::new();
    let metric = format!("{HPC}/services/mc0/node_up_count");
    let watch = fixture.get(&format!("{metric}?watch=true"));
    let methods = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
    let writes = methods
        .map(|method| fixture.answer(Request::builder().method(method).uri(&metric), fixture.now));
    for answer in writes.iter().chain([&watch]) {
        assert_eq!(answer.status, 405);
        assert_eq!(answer.headers[ALLOW], "GET, HEAD");
        assert_eq!(answer.json()["reason"], "MethodNotAllowed");
        let text = "the server does not allow this method on the requested resource";
        assert_eq!(answer.message(), text);
    }
}

#[test]
fn unknown_paths_are_not_found_by_any_method() {
    let fixture = Fixture::new();
    for uri in [
        "/metrics/cadvisor",
        "/apis/apps/v1",
        "/apis/custom.metrics.k8s.io/v1",
        "/apis/external.metrics.k8s.io/v1beta2",
    ] {
        let text = "the server could not find the requested resource";
        assert_eq!(fixture.failure(404, uri), text);
        assert_eq!(fixture.answer(Request::post(uri), fixture.now).status, 404);
    }
}

#[test]
fn head_has_the_headers_of_get_and_no_body() {
    let fixture = Fixture::new();
    let uri = format!("{HPC}/services/mc0/node_up_count");
    let (get, head) = (fixture.get(&uri), fixture.answer(Request::head(&uri), fixture.now));
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.headers[CONTENT_LENGTH], get.body.len().to_string());
}

#[test]
fn the_audit_id_is_echoed_and_upgrades_are_refused() {
    let fixture = Fixture::new();
    let get = || Request::get("/apis");
    let audited = fixture.answer(get().header("Audit-ID", "a-1"), fixture.now);
    assert_eq!(audited.headers["audit-id"], "a-1");
    assert_eq!(fixture.answer(get().header(UPGRADE, "websocket"), fixture.now).status, 400);
    assert_eq!(fixture.answer(get().header(UPGRADE, "h2c"), fixture.now).status, 200);
}

#[test]
fn what_is_too_long_is_refused() {
    let fixture = Fixture::new();
    let long = "a".repeat(path::MAX_PATH_BYTES);
    assert!(fixture.failure(414, &format!("/{long}")).contains("at most 4096"));
    let query = "a".repeat(metrics_api::parameters::MAX_QUERY_BYTES + 1);
    fixture.failure(414, &format!("/apis?{query}"));
}
