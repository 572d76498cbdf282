//! Attackers of `SECURITY.md` whom a real control plane knows: each reaches no further than is said there,
//! and somebody else goes on reporting and reading meanwhile.

use std::{net::IpAddr, path::Path};

use bytes::Bytes;
use control_plane::ControlPlane;
use fluxgauge_proto::v1::Hello;
use http::{HeaderMap, Request};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt as _, api::ListParams};
use serde_json::json;
use system_tests::{
    Answer, Bystander, Client, FakeCollector, TestGateway, aggregation, client::get, eventually,
    fake_collector,
};
use tonic::{Code, Status};

use crate::{
    available,
    closed_loop::deploy,
    collectors::{self, Cluster},
};

mod application;
mod path;
mod reader;
mod replica;
mod stranger;
mod tenant;

/// Where attackers come from.
const ELSEWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2));

/// The control plane of `collectors`, with MiniClusters of the same names in namespace `lab`, whose tenant
/// is the attacker, and a gateway that asks who reads and who reports, behind the aggregator.
struct World(Cluster);

impl World {
    async fn start() -> Option<Self> {
        let this = Self(Cluster::start_strict(&[]).await?);
        this.plane().kubectl(&["create", "namespace", "lab"]).await.unwrap();
        for (name, size) in [("mc0", 2), ("mc1", 1)] {
            let mut minicluster = collectors::minicluster(name, size);
            minicluster["metadata"]["namespace"] = json!("lab");
            this.plane().apply(&minicluster.to_string()).await.unwrap();
        }
        let apis = aggregation::by_external_name(&this.0.ca.pem(), this.gateway().api.port());
        this.plane().apply(&apis).await.unwrap();
        for name in aggregation::names() {
            available::available_since(this.plane(), &name).await;
        }
        Some(this)
    }

    const fn plane(&self) -> &ControlPlane {
        &self.0.plane
    }

    const fn gateway(&self) -> &TestGateway {
        &self.0.gateway
    }

    fn pods(&self, namespace: &str) -> Api<Pod> {
        Api::namespaced(self.0.client.clone(), namespace)
    }

    /// The pod of an index of a MiniCluster that the Job controller has made.
    async fn pod(&self, namespace: &str, minicluster: &str, index: u32) -> Pod {
        let own =
            format!("job-name={minicluster},batch.kubernetes.io/job-completion-index={index}");
        eventually("there is the pod", async || {
            let pods =
                self.pods(namespace).list(&ListParams::default().labels(&own)).await.unwrap();
            pods.into_iter().next().ok_or(&own)
        })
        .await
    }

    /// A token of the account `default` of the pod's namespace, made for the pod: what is mounted into all
    /// of its containers.
    async fn token(&self, pod: &Pod) -> String {
        let namespace = format!("--namespace={}", pod.namespace().unwrap());
        let (name, uid) = (pod.name_any(), pod.uid().unwrap());
        let name = format!("--bound-object-name={name}");
        let uid = format!("--bound-object-uid={uid}");
        let token =
            ["create", "token", "default", &namespace, "--bound-object-kind=Pod", &name, &uid];
        self.plane().kubectl(&token).await.unwrap().trim().to_owned()
    }

    async fn connect(&self, hello: Hello, token: &str) -> Result<FakeCollector, Status> {
        let channel = self.gateway().channel_from(ELSEWHERE).await;
        FakeCollector::connect_with(channel, hello, Some(token)).await
    }

    /// Checks that a stream is refused.
    async fn refuses(&self, hello: Hello, token: &str, codes: &[Code]) -> Status {
        let what = format!("{}/{} {}", hello.namespace, hello.minicluster, hello.rank);
        let refusal = self.connect(hello, token).await.expect_err(&what);
        assert!(codes.contains(&refusal.code()), "{what}: {refusal}");
        refusal
    }

    /// The lead of MiniCluster `mc0` of namespace `hpc`, which is read through the aggregator.
    async fn bystander(&self) -> Bystander<impl AsyncFn() -> Result<f64, String>> {
        let lead = self.pod("hpc", "mc0", 0).await;
        let token = self.token(&lead).await;
        let channel = self.gateway().channel().await;
        let lead = FakeCollector::connect_with(channel, hello("hpc", "mc0", 0), Some(&token)).await;
        let client = self.0.client.clone();
        let path = metric("hpc", "miniclusters.flux-framework.org/mc0");
        Bystander::new(lead.unwrap(), async move || value(&client, &path).await)
    }

    /// What the administrator reads through the aggregator.
    async fn read(&self, path: &str) -> Result<f64, String> {
        value(&self.0.client, path).await
    }

    /// Reads past the aggregator, with this token.
    async fn read_by(&self, client: &Client, path: &str, token: &str) -> Answer {
        let mut request = get(path);
        let bearer = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        client.send(request).await.unwrap()
    }

    /// Gives a user a ClusterRole in one namespace.
    async fn bind(&self, user: &str, role: &str, namespace: &str) {
        let (role, user) = (format!("--clusterrole={role}"), format!("--user={user}"));
        let namespace = format!("--namespace={namespace}");
        let bind = ["create", "rolebinding", "of-the-test", &role, &user, &namespace];
        self.plane().kubectl(&bind).await.unwrap();
    }

    /// Installs the role of those who view namespaces.
    async fn add_view_role(&self) {
        let file = deploy().join("components/view-role/clusterrole.yaml");
        let file = format!("--filename={}", file.display());
        self.plane().kubectl(&["apply", &file]).await.unwrap();
    }
}

/// The path of `node_up_count` of an object.
fn metric(namespace: &str, object: &str) -> String {
    format!("/apis/custom.metrics.k8s.io/v1beta2/namespaces/{namespace}/{object}/node_up_count")
}

fn hello(namespace: &str, minicluster: &str, rank: u32) -> Hello {
    let (namespace, pod_name) = (namespace.to_owned(), format!("{minicluster}-{rank}"));
    let headless_service = minicluster.to_owned();
    Hello { namespace, rank, pod_name, headless_service, ..fake_collector::hello(minicluster) }
}

async fn value(client: &kube::Client, path: &str) -> Result<f64, String> {
    let request = Request::get(path).body(Vec::new()).unwrap();
    let text = client.request_text(request).await.map_err(|error| error.to_string())?;
    Answer { status: 200, headers: HeaderMap::new(), body: Bytes::from(text) }.value()
}

/// Checks that kubectl is refused what it asks for as this user.
async fn is_forbidden(plane: &ControlPlane, kubeconfig: &Path, args: &[&str]) {
    let by = format!("--kubeconfig={}", kubeconfig.display());
    let refusal = plane.kubectl(&[&[by.as_str()], args].concat()).await.expect_err(&args.join(" "));
    let refusal = refusal.to_string();
    assert!(refusal.to_lowercase().contains("forbidden"), "{refusal}");
}
