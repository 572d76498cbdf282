use futures_util::future::Either;
use http::Method;
use http_body_util::BodyExt as _;
use hyper::service::Service as _;
use tokio::time::timeout;

use super::*;
use crate::{
    api::tests::{Fake, Fixture},
    auth::Readers,
};

const ALL: &str = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/hpc/pods/*/broker_up";
const ONE: &str = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/hpc/services/mc0/node_up_count";

fn service(brokers: usize) -> Service {
    let brokers = u32::try_from(brokers).expect("few");
    Service::new(Fixture::of(&[Fake { brokers, ..Fake::default() }]).api, Clock::system())
}

/// What a connection is served by where anybody may read.
fn session(service: &Service) -> Session {
    service.on(Readers::anybody().on(Vec::new()), CancellationToken::new())
}

fn get(uri: &str) -> Request<()> {
    Request::builder().method(Method::GET).uri(uri).body(()).expect("a request")
}

#[tokio::test]
async fn what_may_be_long_is_answered_aside_and_all_else_at_once() {
    let few = session(&service(MANY_REPORTERS));
    assert!(matches!(few.call(get(ALL)), Either::Left(_)));
    let many = session(&service(MANY_REPORTERS + 1));
    for short in [ONE, "/apis", "/readyz"] {
        assert!(matches!(many.call(get(short)), Either::Left(_)), "{short}");
    }
    let external = "/apis/external.metrics.k8s.io/v1beta1/namespaces/hpc/node_up_count";
    for long in [ALL, external] {
        let Either::Right(answer) = many.call(get(long)) else { panic!("{long} blocks") };
        let Ok(response) = answer.await;
        assert_eq!(response.status(), 200, "{long}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_takes_longer_than_the_deadline_is_a_timeout() {
    let service = service(MANY_REPORTERS + 1);
    let held = Arc::clone(&service.long_reads);
    let _held = held.acquire_many_owned(2).await.expect("open");
    let mut request = get(ALL);
    request.headers_mut().insert("audit-id", http::HeaderValue::from_static("a-1"));
    let in_time = timeout(DEADLINE * 2, session(&service).call(request)).await;
    let Ok(response) = in_time.expect("an answer after the deadline");
    assert_eq!(response.status(), 504);
    assert_eq!(response.headers()["audit-id"], "a-1");
    assert!(!response.headers().contains_key(http::header::RETRY_AFTER));
    let Ok(body) = response.into_body().collect().await;
    let body = String::from_utf8(body.to_bytes().to_vec()).expect("text");
    assert!(body.contains("\"reason\":\"Timeout\"") && body.contains("2 s"), "{body}");
}
