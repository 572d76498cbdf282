use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, Uri};
use tempfile::TempDir;

use super::*;
use crate::{clock::Clock, tls::test_ca::TestCa};

/// A client of Kubernetes whose API server is nowhere.
pub(super) async fn kubernetes() -> Kubernetes {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("kubeconfig");
    let text = "{apiVersion: v1, kind: Config, current-context: c, \
                contexts: [{name: c, context: {cluster: c, user: u}}], \
                clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}], \
                users: [{name: u, user: {}}]}";
    std::fs::write(&path, text).unwrap();
    let reach = crate::kubernetes::Reach::Kubeconfig(path);
    crate::kubernetes::connect(&reach).await.unwrap().unwrap()
}

/// Two authorities, which Kubernetes says to believe, and who may read then.
struct World {
    proxies: TestCa,
    clients: TestCa,
    trust: trust::Shared,
    readers: Readers,
}

impl World {
    async fn new() -> Self {
        let (proxies, clients) = (TestCa::new(), TestCa::new());
        let trust = trust::Shared::default();
        let readers = Readers::new(&Policy::Kubernetes, Some(&kubernetes().await), &trust).unwrap();
        let this = Self { proxies, clients, trust, readers };
        this.trust(&this.proxies, "X-Remote-User");
        this
    }

    /// Lets front proxies of this authority name users in this header.
    fn trust(&self, proxies: &TestCa, header: &str) {
        let list = |text: &str| format!("[{text:?}]");
        let data = [
            ("client-ca-file", self.clients.pem()),
            ("requestheader-client-ca-file", proxies.pem()),
            ("requestheader-allowed-names", list("proxy")),
            ("requestheader-username-headers", list(header)),
            ("requestheader-group-headers", list("X-Remote-Group")),
        ];
        let data = data.map(|(key, value)| (key.to_owned(), value)).into();
        self.trust.publish(Trust::default().next(&data).0);
    }

    fn by(&self, ca: &TestCa, name: &str) -> Caller {
        self.readers.on(vec![ca.client(name, &[], |_| {})])
    }
}

const HEADERS: [(&str, &str); 3] =
    [("x-remote-user", "alice"), ("x-remote-group", "dev"), ("x-remote-uid", "7")];

/// Who a request with these headers comes from.
fn identity(caller: &Caller, headers: &[(&'static str, &'static str)], now: Moment) -> Identity {
    let pair = |(name, value): &(&'static str, &'static str)| {
        (HeaderName::from_static(name), HeaderValue::from_static(value))
    };
    let mut headers = headers.iter().map(pair).collect();
    let claim = caller.claim(&mut headers, now);
    assert!(headers.is_empty(), "{headers:?} are left");
    claim.0
}

/// The same in a few words.
fn claimed(caller: &Caller, headers: &[(&'static str, &'static str)]) -> String {
    match identity(caller, headers, now()) {
        Identity::User { user, proxied } => {
            let by = if proxied { " by proxy" } else { "" };
            format!("{} {} of {}{by}", user.name, user.uid, user.groups.join(","))
        }
        Identity::Token(_) => "a token".to_owned(),
        Identity::Unproved(why) => format!("nobody: {why}"),
    }
}

#[tokio::test]
async fn a_front_proxy_says_who_asks() {
    let world = World::new().await;
    let proxy = world.by(&world.proxies, "proxy");
    assert_eq!(claimed(&proxy, &HEADERS), "alice  of dev,system:authenticated by proxy");
    let groupless = [("x-remote-user", "system:aggregator")];
    assert_eq!(claimed(&proxy, &groupless), "system:aggregator  of system:authenticated by proxy");
}

#[tokio::test]
async fn whom_a_front_proxy_named_is_known_for_as_long_as_its_own_proof_counts() {
    let world = World::new().await;
    let proxy = world.by(&world.proxies, "proxy");
    let start = now();
    let named = |moment| match identity(&proxy, &HEADERS, moment) {
        Identity::User { user, proxied: true } => user,
        other => panic!("{other:?}"),
    };
    let alice = named(start);
    let at = |after| Moment { instant: start.instant + after, ..start };
    let lasts = certificate::PROOF_LASTS;
    assert!(Arc::ptr_eq(&alice, &named(at(lasts - Duration::from_millis(1)))));
    assert!(!Arc::ptr_eq(&alice, &named(at(lasts))), "nothing is known longer than its proof");
    // Certificates of tests are of this century.
    let wall = start.wall + Duration::from_secs(u64::from(u32::MAX) * 100);
    let expired = identity(&proxy, &HEADERS, Moment { wall, ..at(lasts * 2) });
    assert!(matches!(&expired, Identity::Unproved(why) if why.contains("xpired")), "{expired:?}");
}

#[tokio::test]
async fn whom_a_front_proxy_named_is_forgotten_when_another_or_another_header_is_trusted() {
    let world = World::new().await;
    let proxy = world.by(&world.proxies, "proxy");
    assert!(claimed(&proxy, &HEADERS).starts_with("alice "));
    world.trust(&world.proxies, "X-Remote-Uid");
    assert!(claimed(&proxy, &HEADERS).starts_with("7 "), "the header of the name is another one");
    world.trust(&TestCa::new(), "X-Remote-Uid");
    let nobody = claimed(&proxy, &HEADERS);
    assert!(nobody.starts_with("nobody: the client's certificate is not trusted"), "{nobody}");
}

#[tokio::test]
async fn headers_of_anybody_else_say_nothing() {
    let world = World::new().await;
    let nobody = world.readers.on(Vec::new());
    assert_eq!(claimed(&nobody, &HEADERS), "system:anonymous  of system:unauthenticated");
    let client = world.by(&world.clients, "bob");
    assert_eq!(claimed(&client, &HEADERS), "bob  of system:authenticated");
    let mallory = claimed(&world.by(&world.proxies, "mallory"), &HEADERS);
    assert!(mallory.starts_with("nobody: the common name \"mallory\""), "{mallory}");
    let stranger = claimed(&world.by(&TestCa::new(), "proxy"), &HEADERS);
    assert!(stranger.starts_with("nobody: the client's certificate is not trusted"), "{stranger}");
}

#[tokio::test]
async fn a_token_is_asked_about_after_certificates_and_before_nobody() {
    let world = World::new().await;
    let with_token = [HEADERS[0], ("authorization", "Bearer abc")];
    let proxy = world.by(&world.proxies, "proxy");
    assert!(claimed(&proxy, &with_token).starts_with("alice "));
    assert!(claimed(&world.by(&world.clients, "bob"), &with_token).starts_with("bob "));
    for caller in [world.readers.on(Vec::new()), world.by(&TestCa::new(), "x")] {
        assert_eq!(claimed(&caller, &with_token), "a token");
    }
    // A front proxy that names nobody is no user itself.
    assert!(claimed(&proxy, &[]).starts_with("nobody: "));
    assert_eq!(claimed(&proxy, &[("authorization", "Bearer abc")]), "a token");
}

#[tokio::test]
async fn before_anybody_is_trusted_a_certificate_is_worth_nothing() {
    let trust = trust::Shared::default();
    let readers = Readers::new(&Policy::Kubernetes, Some(&kubernetes().await), &trust).unwrap();
    let caller = readers.on(vec![TestCa::new().client("proxy", &[], |_| {})]);
    assert_eq!(claimed(&caller, &HEADERS), "system:anonymous  of system:unauthenticated");
}

#[tokio::test(start_paused = true)]
async fn what_kubernetes_does_not_answer_is_refused_and_not_remembered() {
    let world = World::new().await;
    let (method, uri) = (Method::GET, Uri::from_static("/version"));
    let target = metrics_api::path::parse(uri.path());
    let question = Question::of(&method, &uri, &target);
    let caller = world.readers.on(Vec::new());
    for credentials in [HeaderMap::new(), {
        [(http::header::AUTHORIZATION, HeaderValue::from_static("Bearer abc"))]
            .into_iter()
            .collect()
    }] {
        let claim = caller.claim(&mut credentials.clone(), Clock::system().now());
        assert!(caller.remembered(&claim, &question, Clock::system().now()).is_none());
        let asked = tokio::time::timeout(Duration::from_secs(2), caller.ask(&claim, &question));
        assert!(!matches!(asked.await, Ok(Ok(_))), "{credentials:?}");
        assert!(caller.remembered(&claim, &question, Clock::system().now()).is_none());
    }
    let status = caller.refuse(&Refusal::late(Duration::from_secs(2)), &question, now());
    assert_eq!(status.reason().code(), 500);
    let text = "it is not known whether you may: the Kubernetes API server cannot be asked";
    assert!(status.message().starts_with(text), "{}", status.message());
}

#[tokio::test(start_paused = true)]
async fn one_address_that_waits_for_kubernetes_leaves_room_for_others() {
    let world = World::new().await;
    let (method, uri) = (Method::GET, Uri::from_static("/version"));
    let target = metrics_api::path::parse(uri.path());
    let question = Question::of(&method, &uri, &target);
    let at = |last: u8, caller: Caller| caller.at(IpAddr::from([10, 0, 0, last]));
    let (one, other) = (at(1, world.readers.on(Vec::new())), at(2, world.readers.on(Vec::new())));
    let proxy = at(1, world.by(&world.proxies, "proxy"));
    let claim = |caller: &Caller| {
        let headers = HEADERS
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        caller.claim(&mut headers.into_iter().collect(), Clock::system().now())
    };
    let (by_one, by_other, by_proxy) = (claim(&one), claim(&other), claim(&proxy));
    let ask = |caller, claim| Box::pin(Caller::ask(caller, claim, &question));
    let mut waiting: Vec<_> = (0..MAX_WAITING_OF_PEER).map(|_| ask(&one, &by_one)).collect();
    for wait in &mut waiting {
        assert!(futures_util::poll!(wait).is_pending());
    }
    let one_more = tokio::time::timeout(Duration::from_secs(2), ask(&one, &by_one)).await;
    let Ok(Err(Refusal::Unanswered(why))) = one_more else { panic!("it waits: {one_more:?}") };
    assert!(why.starts_with("too many requests wait for Kubernetes (64 from this"), "{why}");
    assert!(futures_util::poll!(ask(&other, &by_other)).is_pending());
    assert!(futures_util::poll!(ask(&proxy, &by_proxy)).is_pending(), "it does not stand in line");
    waiting.clear();
    assert!(futures_util::poll!(ask(&one, &by_one)).is_pending());
}

#[test]
fn without_a_kubernetes_to_ask_there_are_no_readers() {
    let refused = Readers::new(&Policy::Kubernetes, None, &trust::Shared::default());
    let error = refused.unwrap_err().to_string();
    for flag in ["--kubeconfig", "--reader-token-file", "--insecure-readers"] {
        assert!(error.contains(flag), "{error}");
    }
    let policy = Policy::TokenFile("/nonexistent".into());
    let error = Readers::new(&policy, None, &trust::Shared::default()).unwrap_err().to_string();
    assert!(error.starts_with("--reader-token-file /nonexistent: it cannot be read"), "{error}");
}

fn now() -> Moment {
    Clock::system().now()
}
