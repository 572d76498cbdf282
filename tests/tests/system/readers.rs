//! Who may read: those whom Kubernetes lets, however they prove who they are, and nobody else.

use http::Request;
use http_body_util::Empty;
use system_tests::{
    Answer, Client, FakeApi, FakeCollector, TestCa, TestGateway,
    client::{HPC, get, metric_path},
    eventually, fake_collector, is,
};

mod certificates;
mod remembered;
mod tokens;

/// A gateway that asks an API server, with the authorities that it is told to believe.
struct Readers {
    api: FakeApi,
    ca: TestCa,
    proxies: TestCa,
    clients: TestCa,
    gateway: TestGateway,
    _collector: FakeCollector,
}

/// The name that front proxies have.
const PROXY: &str = "front-proxy-client";

const GROUP: &str = "custom.metrics.k8s.io/v1beta2";

impl Readers {
    async fn start() -> Self {
        let (proxies, clients) = (TestCa::new(), TestCa::new());
        let (api, ca) = (FakeApi::start().await, TestCa::new());
        api.trust(&as_of_today(&proxies.pem(), &clients.pem()));
        let gateway = gateway(&api, &ca).await;
        let mut collector =
            FakeCollector::connect(gateway.channel().await, fake_collector::hello("mc0"))
                .await
                .unwrap();
        collector.report(&[("node_up_count", 4.0)]).await.unwrap();
        let this = Self { api, ca, proxies, clients, gateway, _collector: collector };
        eventually("the gateway is ready", async || {
            is(this.gateway.client().get("/readyz").await.status == 200)
        })
        .await;
        this
    }

    /// A client without a certificate.
    fn anonymous(&self) -> Client {
        self.gateway.client().clone()
    }

    /// A client with a certificate of an authority.
    fn with_certificate(&self, authority: &TestCa, name: &str) -> Client {
        self.gateway.client().with_certificate(&self.ca, &authority.client(name))
    }

    /// The aggregator.
    fn proxy(&self) -> Client {
        self.with_certificate(&self.proxies, PROXY)
    }
}

async fn gateway(api: &FakeApi, ca: &TestCa) -> TestGateway {
    let kubeconfig = api.kubeconfig();
    TestGateway::start_asking(ca, &["--kubeconfig", &kubeconfig, "--interval", "100ms"]).await
}

/// The ConfigMap of a kube-apiserver of today.
fn as_of_today<'a>(proxies: &'a str, clients: &'a str) -> [(&'static str, &'a str); 7] {
    [
        ("client-ca-file", clients),
        ("requestheader-client-ca-file", proxies),
        ("requestheader-allowed-names", r#"["front-proxy-client"]"#),
        ("requestheader-username-headers", r#"["X-Remote-User"]"#),
        ("requestheader-uid-headers", r#"["X-Remote-Uid"]"#),
        ("requestheader-group-headers", r#"["X-Remote-Group"]"#),
        ("requestheader-extra-headers-prefix", r#"["X-Remote-Extra-"]"#),
    ]
}

type Read = Request<Empty<bytes::Bytes>>;

fn with(mut request: Read, headers: &[(&'static str, &str)]) -> Read {
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    request
}

async fn ask(client: &Client, path: &str, headers: &[(&'static str, &str)]) -> Answer {
    client.send(with(get(path), headers)).await.unwrap()
}

/// What a user needs to read the metric that tests read.
fn right(user: &str) -> String {
    format!("{user} get {GROUP} miniclusters.flux-framework.org node_up_count mc0 hpc")
}

fn metric() -> String {
    metric_path("mc0", "node_up_count")
}

#[tokio::test]
async fn who_shows_nothing_may_probe_and_no_more() {
    let readers = Readers::start().await;
    let client = readers.anonymous();
    for path in ["/healthz", "/livez", "/readyz"] {
        assert_eq!(client.get(path).await.status, 200, "{path}");
    }
    assert_eq!(readers.api.access_reviews(), [""; 0], "nobody is asked about probes");
    let answer = client.get(&metric()).await;
    assert_eq!(
        answer.refusal(403),
        "miniclusters.flux-framework.org.custom.metrics.k8s.io \"mc0\" is forbidden: User \
         \"system:anonymous\" cannot get resource \"miniclusters.flux-framework.org/node_up_count\" \
         in API group \"custom.metrics.k8s.io\" in the namespace \"hpc\""
    );
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    let details = answer.json()["details"].clone();
    assert_eq!(
        details,
        serde_json::json!({
            "name": "mc0",
            "group": "custom.metrics.k8s.io",
            "kind": "miniclusters.flux-framework.org",
        })
    );
    for path in ["/apis", "/openapi/v2", "/metrics", "/version", "/"] {
        let refusal = client.get(path).await.refusal(403);
        let want = format!("forbidden: User \"system:anonymous\" cannot get path \"{path}\"");
        assert_eq!(refusal, want);
    }
}

#[tokio::test]
async fn the_right_to_read_is_asked_for_in_the_words_of_kubernetes() {
    const EXTERNAL: &str = "/apis/external.metrics.k8s.io/v1beta1/namespaces/hpc";
    let readers = Readers::start().await;
    let client = readers.proxy();
    let asked = async |path: &str| {
        let known = readers.api.access_reviews().len();
        ask(&client, path, &[("x-remote-user", "u")]).await.refusal(403);
        readers.api.access_reviews()[known..].to_vec()
    };
    for (path, attributes) in [
        (metric(), format!("get {GROUP} miniclusters.flux-framework.org node_up_count mc0 hpc")),
        (
            format!("{HPC}/pods/%2A/broker_up?labelSelector=a%3Db"),
            format!("get {GROUP} pods broker_up * hpc"),
        ),
        (
            format!("{HPC}/metrics/node_up_count"),
            format!("get {GROUP} metrics - node_up_count hpc"),
        ),
        (
            "/apis/custom.metrics.k8s.io/v1beta2/nodes/n1/m".to_owned(),
            format!("get {GROUP} nodes m n1 -"),
        ),
        (
            format!("{EXTERNAL}/node_up_count"),
            "list external.metrics.k8s.io/v1beta1 node_up_count - - hpc".to_owned(),
        ),
        (
            format!("{EXTERNAL}/node_up_count?watch=1"),
            "watch external.metrics.k8s.io/v1beta1 node_up_count - - hpc".to_owned(),
        ),
        ("/metrics".to_owned(), "get /metrics".to_owned()),
        ("/version".to_owned(), "get /version".to_owned()),
    ] {
        assert_eq!(asked(&path).await, [format!("u {attributes}")], "{path}");
    }
}

#[tokio::test]
async fn an_api_server_that_does_not_answer_lets_nobody_read() {
    use system_tests::fake_api::Mood;

    let readers = Readers::start().await;
    readers.api.allow(&right("alice"));
    readers.api.give_token("of-alice", "alice", &[]);
    let alice = [("x-remote-user", "alice")];
    let token = [("authorization", "Bearer of-alice")];
    for mood in [Mood::Fails(403), Mood::Fails(500), Mood::Waits] {
        readers.api.be(mood);
        let refusal = ask(&readers.proxy(), &metric(), &alice).await.refusal(500);
        assert!(refusal.contains("it is not known whether you may"), "{mood:?}: {refusal}");
        ask(&readers.anonymous(), &metric(), &token).await.refusal(500);
        // Neither probes nor the availability of the API hang on it.
        assert_eq!(readers.anonymous().get("/livez").await.status, 200);
        assert_eq!(ask(&readers.proxy(), "/apis", &alice).await.status, 200);
        let aggregator =
            [("x-remote-user", "system:kube-aggregator"), ("x-remote-group", "system:masters")];
        let path = format!("/apis/{GROUP}");
        assert_eq!(ask(&readers.proxy(), &path, &aggregator).await.status, 200);
    }
    readers.api.be(Mood::Answers);
    assert_eq!(ask(&readers.proxy(), &metric(), &alice).await.value(), Ok(4.0));
    assert_eq!(ask(&readers.anonymous(), &metric(), &token).await.value(), Ok(4.0));
}
