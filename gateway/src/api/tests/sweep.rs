//! What holds of every answer, whatever is asked.

use std::collections::BTreeSet;

use super::*;

/// Beginnings and ends of paths, which are put together in every way.
const BEGINNINGS: [&str; 14] = [
    "",
    "/apis",
    "/apis/custom.metrics.k8s.io",
    "/apis/custom.metrics.k8s.io/v1beta1",
    "/apis/custom.metrics.k8s.io/v1beta2/namespaces/hpc",
    "/apis/custom.metrics.k8s.io/v1beta2/namespaces/hpc/pods/*",
    "/apis/external.metrics.k8s.io/v1beta1/namespaces/hpc",
    "/openapi/v2",
    "/openapi/v3",
    "/openapi/v3/apis/custom.metrics.k8s.io/v1beta1",
    "/healthz",
    "/readyz",
    "/version",
    "/metrics",
];
const ENDS: [&str; 12] = [
    "",
    "/",
    "//",
    "/node_up_count",
    "/pods/%2A/broker_up?labelSelector=a,,",
    "/services/mc0/node_up_count",
    "/services/mc0/node_up_count?watch=true",
    "/services/%2e%2e/node_up_count",
    "/metrics/node_up_count?labelSelector=%zz",
    "?hash=0123456789abcdef",
    "?pretty=true&limit=x",
    "/index.html?verbose",
];
const ACCEPTED: [&str; 6] = [
    "*/*",
    "text/html",
    "application/vnd.kubernetes.protobuf, */*",
    "application/yaml",
    "application/json;as=Table;v=v1;g=meta.k8s.io",
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
];

#[test]
fn no_answer_is_a_redirect_or_html_or_asks_to_come_again_later() {
    let fixture = Fixture::new();
    let mut seen = BTreeSet::new();
    for uri in BEGINNINGS.iter().flat_map(|start| ENDS.map(|end| format!("{start}{end}"))) {
        // A request has a path.
        let uri = if uri.starts_with('/') { uri } else { format!("/{uri}") };
        for accept in ACCEPTED {
            for method in [Method::GET, Method::HEAD, Method::DELETE] {
                let request = Request::builder().method(method).uri(&uri).header(ACCEPT, accept);
                let request = request.body(()).expect("a request");
                let answer = fixture.api.answer(&Asked::by(&request), fixture.now, &Span::none());
                let (status, headers) = (answer.status(), answer.headers());
                assert!(!status.is_redirection(), "{status} of {uri}");
                assert!(!headers.contains_key(LOCATION), "{uri}");
                assert!(!headers.contains_key(RETRY_AFTER), "{uri}");
                let content_type =
                    headers.get(CONTENT_TYPE).map_or("", |text| text.to_str().expect("a text"));
                assert!(!content_type.contains("html"), "{content_type} of {uri}");
                seen.insert(status.as_u16());
            }
        }
    }
    // The sweep comes to answers of every kind.
    assert_eq!(seen, BTreeSet::from([200, 400, 404, 405, 406]));
}
