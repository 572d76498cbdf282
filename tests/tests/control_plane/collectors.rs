//! Who may report, as a real control plane says: pods that a Job of a MiniCluster has made, by tokens
//! that kube-apiserver has made for them.

use std::time::Duration;

use control_plane::{ControlPlane, Extent, MINICLUSTER_CRD, Options};
use fluxgauge_proto::v1::Hello;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt as _, api::ListParams};
use minicluster::operator;
use serde_json::{Value, json};
use system_tests::{FakeCollector, TestCa, TestGateway, eventually, fake_collector, plane};
use tokio_util::task::AbortOnDropHandle;
use tonic::{Code, Status};

use crate::closed_loop;

mod renewal;

/// A control plane with MiniClusters `mc0`, of two pods, and `mc1`, of one, in namespace `hpc`, and a
/// gateway with the rights of `deploy/base`.
pub(crate) struct Cluster {
    pub(crate) ca: TestCa,
    pub(crate) gateway: TestGateway,
    pub(crate) client: kube::Client,
    _operator: AbortOnDropHandle<()>,
    pub(crate) plane: ControlPlane,
}

impl Cluster {
    /// With a gateway that lets anybody read.
    async fn start(flags: &[&str]) -> Option<Self> {
        Self::start_strict(&[flags, &["--insecure-readers"]].concat()).await
    }

    pub(crate) async fn start_strict(flags: &[&str]) -> Option<Self> {
        let options = Options {
            extent: Extent::Controllers,
            definitions: MINICLUSTER_CRD,
            ..Options::default()
        };
        let (plane, ca) = (plane::start(&options).await?, TestCa::new());
        let client = plane::client(&plane).await;
        let operator = AbortOnDropHandle::new(tokio::spawn(operator::run(client.clone())));
        plane.kubectl(&["create", "namespace", "hpc"]).await.unwrap();
        for (name, size) in [("mc0", 2), ("mc1", 1)] {
            plane.apply(&minicluster(name, size).to_string()).await.unwrap();
        }
        let kubeconfig = closed_loop::of_the_gateway(&plane).await;
        let flags = [&["--kubeconfig", kubeconfig.to_str().unwrap()], flags].concat();
        let gateway = TestGateway::start_strict(&ca, &flags).await;
        Some(Self { ca, gateway, client, _operator: operator, plane })
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), "hpc")
    }

    /// The pod of an index.
    async fn pod(&self, minicluster: &str, index: u32) -> Pod {
        let own =
            format!("hpa-selector={minicluster},batch.kubernetes.io/job-completion-index={index}");
        eventually("there is the pod", async || {
            let pods = self.pods().list(&ListParams::default().labels(&own)).await.unwrap();
            let mut live = pods.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
            live.next().ok_or(&own)
        })
        .await
    }

    /// A token of the account that the pod runs under, made for it as kubelet asks for it.
    async fn token(&self, pod: &Pod, more: &[&str]) -> String {
        let (name, uid) = (pod.name_any(), pod.uid().unwrap());
        let (name, uid) =
            (format!("--bound-object-name={name}"), format!("--bound-object-uid={uid}"));
        self.token_with(&[&["--bound-object-kind=Pod", &name, &uid], more].concat()).await
    }

    async fn token_with(&self, more: &[&str]) -> String {
        let token = ["create", "token", "default", "--namespace=hpc"];
        self.plane.kubectl(&[&token, more].concat()).await.unwrap().trim().to_owned()
    }

    async fn connect(&self, hello: Hello, token: &str) -> Result<FakeCollector, Status> {
        FakeCollector::connect_with(self.gateway.channel().await, hello, Some(token)).await
    }

    /// Checks that a stream is refused, and that its text says this.
    async fn refuses(&self, hello: Hello, token: &str, code: Code, text: &str) {
        let refusal = self.connect(hello, token).await.expect_err("it is let in");
        assert_eq!(refusal.code(), code, "{refusal}");
        assert!(refusal.message().contains(text), "{refusal}");
    }
}

pub(crate) fn minicluster(name: &str, size: u32) -> Value {
    json!({
        "apiVersion": "flux-framework.org/v1alpha2",
        "kind": "MiniCluster",
        "metadata": {"name": name, "namespace": "hpc"},
        "spec": {
            "size": size,
            "maxSize": 4,
            "pod": {"automountServiceAccountToken": true},
            "containers": [{"image": "example.org/flux:1", "runFlux": true}],
        },
    })
}

fn hello(minicluster: &str, rank: u32) -> Hello {
    let pod_name = format!("{minicluster}-{rank}");
    Hello { rank, pod_name, ..fake_collector::hello(minicluster) }
}

#[tokio::test]
async fn a_pod_reports_for_itself_and_for_nobody_else() {
    let Some(cluster) = Cluster::start(&[]).await else { return };
    let (lead, worker) = (cluster.pod("mc0", 0).await, cluster.pod("mc0", 1).await);
    let of_lead = cluster.token(&lead, &[]).await;
    let mut own = cluster.connect(hello("mc0", 0), &of_lead).await.unwrap();
    own.report(&[("node_up_count", 4.0)]).await.unwrap();
    assert_eq!(cluster.gateway.client().metric("mc0", "node_up_count").await, Ok(4.0));
    let made_for_gateways = cluster.token(&worker, &["--audience=fluxgauge"]).await;
    let mut second = cluster.connect(hello("mc0", 1), &made_for_gateways).await.unwrap();
    second.report(&[("broker_up", 1.0)]).await.unwrap();
    let path = format!("{}/pods/{}/broker_up", system_tests::client::HPC, worker.name_any());
    assert_eq!(cluster.gateway.client().get(&path).await.value(), Ok(1.0));

    let denied = Code::PermissionDenied;
    let text = "of index 0 of MiniCluster mc0 and claims rank 1";
    cluster.refuses(hello("mc0", 1), &of_lead, denied, text).await;
    let text = "of MiniCluster mc0 and claims MiniCluster mc1";
    cluster.refuses(hello("mc1", 0), &of_lead, denied, text).await;
    let elsewhere = Hello { namespace: "default".to_owned(), ..hello("mc0", 0) };
    let text = "of namespace hpc and claims namespace default";
    cluster.refuses(elsewhere, &of_lead, denied, text).await;
    let instance = second.report(&[("node_up_count", 9.0)]).await.unwrap_err();
    assert_eq!(instance.code(), denied, "{instance}");
    assert!(instance.message().contains("only the collector of rank 0"), "{instance}");

    let of_no_pod = cluster.token_with(&[]).await;
    cluster.refuses(hello("mc0", 0), &of_no_pod, denied, "was made for no pod").await;
    let unproved = Code::Unauthenticated;
    let for_others = cluster.token(&lead, &["--audience=vault"]).await;
    cluster.refuses(hello("mc0", 0), &for_others, unproved, "another audience").await;
    let broken = format!("{of_lead}x");
    cluster.refuses(hello("mc0", 0), &broken, unproved, "does not know the token").await;
    assert_eq!(cluster.gateway.client().metric("mc0", "node_up_count").await, Ok(4.0));
}

#[tokio::test]
async fn a_pod_that_is_deleted_has_no_say_any_more_and_its_successor_has() {
    let Some(cluster) = Cluster::start(&[]).await else { return };
    let lead = cluster.pod("mc0", 0).await;
    let token = cluster.token(&lead, &[]).await;
    let mut own = cluster.connect(hello("mc0", 0), &token).await.unwrap();
    own.report(&[("node_up_count", 4.0)]).await.unwrap();

    let name = lead.name_any();
    let delete = ["delete", "pod", &name, "--namespace=hpc", "--grace-period=0", "--force"];
    cluster.plane.kubectl(&delete).await.unwrap();
    let end = own.end().await;
    assert_eq!(end.code(), Code::PermissionDenied, "{end}");
    let successor = eventually("there is another pod", async || {
        let pod = cluster.pod("mc0", 0).await;
        if pod.uid() == lead.uid() { Err("the same") } else { Ok(pod) }
    })
    .await;
    let of_successor = cluster.token(&successor, &[]).await;
    let mut next = cluster.connect(hello("mc0", 0), &of_successor).await.unwrap();
    next.report(&[("node_up_count", 3.0)]).await.unwrap();
    // Longer than it is remembered whose a token was.
    eventually("the old token is of nobody", async || {
        let refusal = cluster.connect(hello("mc0", 0), &token).await.expect_err("it is let in");
        if refusal.code() == Code::Unauthenticated { Ok(()) } else { Err(refusal) }
    })
    .await;
    assert_eq!(cluster.gateway.client().metric("mc0", "node_up_count").await, Ok(3.0));
}

#[tokio::test]
async fn a_token_of_no_pod_reports_for_its_namespace_where_that_is_asked_for() {
    let Some(cluster) = Cluster::start(&["--collectors-by-namespace"]).await else { return };
    let lead = cluster.pod("mc0", 0).await;
    let of_no_pod = cluster.token_with(&[]).await;
    let mut own = cluster.connect(hello("mc0", 0), &of_no_pod).await.unwrap();
    own.report(&[("node_up_count", 4.0)]).await.unwrap();
    assert_eq!(cluster.gateway.client().metric("mc0", "node_up_count").await, Ok(4.0));
    let elsewhere = Hello { namespace: "default".to_owned(), ..hello("mc0", 0) };
    let text = "of namespace hpc and claims namespace default";
    cluster.refuses(elsewhere, &of_no_pod, Code::PermissionDenied, text).await;
    let of_lead = cluster.token(&lead, &[]).await;
    let _lead = cluster.connect(hello("mc0", 0), &of_lead).await.unwrap();
    let text = "has proved more exactly";
    cluster.refuses(hello("mc0", 0), &of_no_pod, Code::PermissionDenied, text).await;
}
