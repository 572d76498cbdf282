//! Who may read, as a real control plane says: through its aggregator, and past it.

use std::fs;

use control_plane::{ControlPlane, Options};
use http::Request;
use http_body_util::Empty;
use serde_json::{Value, json};
use system_tests::{
    Answer, Client, FakeCollector, TestCa, TestGateway, aggregation,
    ca::ClientPair,
    client::{get, metric_path},
    eventually, fake_collector, is, plane,
};

use crate::{available, closed_loop};

/// Who the gateway is to the API server.
const GATEWAY: &str = "system:serviceaccount:fluxgauge:fluxgauge-gateway";

/// A control plane, and a gateway of the account of `deploy/` that it knows, with one value.
struct Cluster {
    ca: TestCa,
    gateway: TestGateway,
    _collector: FakeCollector,
    plane: ControlPlane,
}

impl Cluster {
    async fn start() -> Option<Self> {
        let (plane, ca) = (plane::start(&Options::default()).await?, TestCa::new());
        let kubeconfig = closed_loop::of_the_gateway(&plane).await;
        let kubeconfig = kubeconfig.to_str().unwrap();
        let gateway = TestGateway::start_asking(&ca, &["--kubeconfig", kubeconfig]).await;
        let manifests = aggregation::by_external_name(&ca.pem(), gateway.api.port());
        plane.apply(&manifests).await.unwrap();
        let hello = fake_collector::hello("mc0");
        let mut collector = FakeCollector::connect(gateway.channel().await, hello).await.unwrap();
        collector.report(&[("node_up_count", 4.0)]).await.unwrap();
        for name in aggregation::names() {
            available::available_since(&plane, &name).await;
        }
        Some(Self { ca, gateway, _collector: collector, plane })
    }

    /// Reads the value past the aggregator.
    async fn read(&self, client: &Client, headers: &[(&'static str, &str)]) -> Answer {
        let mut request: Request<Empty<bytes::Bytes>> = get(&path());
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        client.send(request).await.unwrap()
    }

    /// Lets a user read the metric of MiniClusters of namespace `hpc`.
    async fn allow(&self, kind: &str, user: &str) {
        let rule = json!({
            "apiGroups": ["custom.metrics.k8s.io"],
            "resources": ["miniclusters.flux-framework.org/node_up_count"],
            "verbs": ["get"],
        });
        let metadata = json!({"name": "reads-metrics", "namespace": "hpc"});
        let subject = match user.split_once(':') {
            Some((namespace, name)) => json!({"kind": kind, "name": name, "namespace": namespace}),
            None => json!({"kind": kind, "name": user}),
        };
        let group = "rbac.authorization.k8s.io";
        let list = json!({"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "hpc"}},
            {
                "apiVersion": format!("{group}/v1"), "kind": "Role",
                "metadata": metadata, "rules": [rule],
            },
            {
                "apiVersion": format!("{group}/v1"), "kind": "RoleBinding",
                "metadata": metadata, "subjects": [subject],
                "roleRef": {"apiGroup": group, "kind": "Role", "name": "reads-metrics"},
            },
        ]});
        self.plane.apply(&list.to_string()).await.unwrap();
    }

    /// What was asked whether a user may, as the API server has written it down.
    fn questions(&self, user: &str) -> Vec<Value> {
        let log = fs::read_to_string(self.plane.audit_log()).unwrap();
        let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let questions = events.filter(|event| {
            event["user"]["username"] == GATEWAY
                && event["objectRef"]["resource"] == "subjectaccessreviews"
        });
        let specs = questions.map(|event| event["requestObject"]["spec"].clone());
        specs.filter(|spec| spec["user"] == user).collect()
    }
}

fn path() -> String {
    metric_path("mc0", "node_up_count")
}

/// What the API server is asked about the value.
fn attributes() -> Value {
    json!({
        "namespace": "hpc",
        "verb": "get",
        "group": "custom.metrics.k8s.io",
        "version": "v1beta2",
        "resource": "miniclusters.flux-framework.org",
        "subresource": "node_up_count",
        "name": "mc0",
    })
}

#[tokio::test]
async fn who_reads_by_the_aggregator_is_who_the_api_server_says() {
    let Some(cluster) = Cluster::start().await else { return };
    cluster.plane.kubectl(&["get", "--raw", &path()]).await.unwrap();
    assert_eq!(cluster.questions("admin").len(), 0, "masters need no question");

    cluster.allow("User", "alice").await;
    let alice = cluster.plane.user_kubeconfig("alice", Some("dev")).unwrap();
    let alice = alice.to_str().unwrap();
    eventually("alice may", async || {
        let read = cluster.plane.kubectl(&["get", "--raw", &path(), "--kubeconfig", alice]).await;
        read.map_err(|error| error.to_string())
    })
    .await;
    let questions = eventually("the question is written down", async || {
        let questions = cluster.questions("alice");
        if questions.is_empty() { Err("none") } else { Ok(questions) }
    })
    .await;
    assert_eq!(questions[0]["resourceAttributes"], attributes());
    assert_eq!(questions[0]["groups"], json!(["dev", "system:authenticated"]));
    let id = &questions[0]["extra"]["authentication.kubernetes.io/credential-id"][0];
    assert!(id.as_str().is_some_and(|id| id.starts_with("X509SHA256=")), "{}", questions[0]);

    // The UID too: a service account has one.
    let account = ["create", "serviceaccount", "robot", "--namespace=hpc", "--output=json"];
    let account: Value =
        serde_json::from_str(&cluster.plane.kubectl(&account).await.unwrap()).unwrap();
    let robot = cluster.plane.service_account_kubeconfig("hpc", "robot").await.unwrap();
    let robot = format!("--kubeconfig={}", robot.display());
    cluster.allow("ServiceAccount", "hpc:robot").await;
    eventually("the account may", async || {
        let read = cluster.plane.kubectl(&["get", "--raw", &path(), &robot]).await;
        read.map_err(|error| error.to_string())
    })
    .await;
    let question = eventually("the question is written down", async || {
        cluster.questions("system:serviceaccount:hpc:robot").pop().ok_or("none")
    })
    .await;
    assert_eq!(question["uid"], account["metadata"]["uid"], "{question}");

    // What is cached of discovery and of OpenAPI comes by users without groups.
    let explained = cluster.plane.kubectl(&["get", "--raw", "/openapi/v3"]).await.unwrap();
    assert!(explained.contains("apis/custom.metrics.k8s.io/v1beta2"), "{explained}");
    assert!(cluster.questions("system:aggregator").is_empty());
    assert!(cluster.questions("system:kube-aggregator").is_empty());
}

#[tokio::test]
async fn who_reads_past_the_aggregator_proves_it_or_is_nobody() {
    let Some(cluster) = Cluster::start().await else { return };
    cluster.allow("ServiceAccount", "hpc:reader").await;
    for name in ["reader", "other"] {
        let account = ["create", "serviceaccount", name, "--namespace=hpc"];
        cluster.plane.kubectl(&account).await.unwrap();
    }
    let anonymous = cluster.gateway.client();
    let bearer = async |name: &str| {
        let token = ["create", "token", name, "--namespace=hpc"];
        format!("Bearer {}", cluster.plane.kubectl(&token).await.unwrap().trim())
    };
    let reader = bearer("reader").await;
    let answer = cluster.read(anonymous, &[("authorization", &reader)]).await;
    assert_eq!(answer.value(), Ok(4.0));
    let other = bearer("other").await;
    let refusal = cluster.read(anonymous, &[("authorization", &other)]).await.refusal(403);
    let user = "User \"system:serviceaccount:hpc:other\" cannot get";
    assert!(refusal.contains(user), "{refusal}");
    let broken = format!("{reader}x");
    cluster.read(anonymous, &[("authorization", &broken)]).await.refusal(401);

    let forged = [("x-remote-user", "system:admin"), ("x-remote-group", "system:masters")];
    let refusal = cluster.read(anonymous, &forged).await.refusal(403);
    assert!(refusal.contains("User \"system:anonymous\" cannot get"), "{refusal}");
    assert_eq!(anonymous.get("/livez").await.status, 200);

    // One whom the cluster's authority knows is who the certificate says, whatever else is said.
    let kubeconfig = cluster.plane.user_kubeconfig("bob", None).unwrap();
    let bob = anonymous.with_certificate(&cluster.ca, &ClientPair::of_kubeconfig(&kubeconfig));
    let refusal = cluster.read(&bob, &forged).await.refusal(403);
    assert!(refusal.contains("User \"bob\" cannot get"), "{refusal}");
    let masters = cluster.plane.user_kubeconfig("root", Some("system:masters")).unwrap();
    let root = anonymous.with_certificate(&cluster.ca, &ClientPair::of_kubeconfig(&masters));
    assert_eq!(cluster.read(&root, &[]).await.value(), Ok(4.0));
    let stranger = anonymous.with_certificate(&cluster.ca, &TestCa::new().client("root"));
    cluster.read(&stranger, &forged).await.refusal(401);
}

#[tokio::test]
async fn another_authority_of_front_proxies_is_live_without_a_restart() {
    const MAP: &str = "extension-apiserver-authentication";
    let Some(cluster) = Cluster::start().await else { return };
    cluster.allow("User", "alice").await;
    let next = TestCa::new();
    let client = cluster.gateway.client();
    let proxy = client.with_certificate(&cluster.ca, &next.client("front-proxy-client"));
    let alice = [("x-remote-user", "alice")];
    cluster.read(&proxy, &alice).await.refusal(401);

    let namespace = "--namespace=kube-system";
    let map = ["get", "configmap", MAP, namespace, "--output=json"];
    let map: Value = serde_json::from_str(&cluster.plane.kubectl(&map).await.unwrap()).unwrap();
    let key = "requestheader-client-ca-file";
    let both = format!("{}{}", map["data"][key].as_str().unwrap(), next.pem());
    let patch = json!({"data": {key: both}}).to_string();
    let patch = ["patch", "configmap", MAP, namespace, "--patch", &patch];
    cluster.plane.kubectl(&patch).await.unwrap();
    eventually("the new authority is believed", async || {
        is(cluster.read(&proxy, &alice).await.status == 200)
    })
    .await;
    // And so is the old one: the aggregator never noticed.
    cluster.plane.kubectl(&["get", "--raw", &path()]).await.unwrap();
}
