//! A control plane from which rights of gateways can be taken.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::PathBuf,
};

use control_plane::{ControlPlane, Options};
use serde_json::{Value, json};
use system_tests::{Process, TestCa, ca::ClientPair, eventually, is, plane, process};
use tempfile::TempDir;

use super::{
    binding::{Binding, gateways, manifests, right},
    uses::{ALICE, READER},
};

/// Who gateways are, and to the API server.
pub(super) const ACCOUNT: (&str, &str) = ("fluxgauge", "fluxgauge-gateway");
pub(super) const USER: &str = "system:serviceaccount:fluxgauge:fluxgauge-gateway";

/// A control plane in which gateways have their rights, and a user and a service account may read.
pub(super) struct Cluster {
    pub(super) ca: TestCa,
    pub(super) proxies: TestCa,
    bindings: Vec<Binding>,
    /// Who may do everything.
    pub(super) root: ClientPair,
    /// The service account's.
    pub(super) token: String,
    /// That of the pod of MiniCluster `mc0`.
    pub(super) pod_token: String,
    /// By which gateways are who they are.
    kubeconfig: PathBuf,
    folder: TempDir,
    plane: ControlPlane,
}

impl Cluster {
    pub(super) async fn start() -> Option<Self> {
        let plane = plane::start(&Options::default()).await?;
        let (bindings, others): (Vec<_>, Vec<_>) = manifests(&plane)
            .await
            .into_iter()
            .partition(|object| object["kind"].as_str().unwrap().ends_with("Binding"));
        apply(&plane, &others).await;
        let of_gateways =
            bindings.iter().filter(|object| object["subjects"] == json!([gateways()]));
        let mut bindings = Vec::new();
        for manifest in of_gateways {
            bindings.push(Binding::of(&plane, manifest).await);
        }
        for binding in &bindings {
            apply(&plane, &[binding.role(None), binding.object.clone()]).await;
        }
        apply(&plane, &readers()).await;
        let token = ["create", "token", READER, "--namespace=hpc"];
        let token = plane.kubectl(&token).await.unwrap().trim().to_owned();
        let (namespace, name) = ACCOUNT;
        let kubeconfig = plane.service_account_kubeconfig(namespace, name).await.unwrap();
        let root = plane.user_kubeconfig("root", Some("system:masters")).unwrap();
        let root = ClientPair::of_kubeconfig(&root);
        let (ca, proxies, folder) = (TestCa::new(), TestCa::new(), TempDir::new().unwrap());
        ca.write_leaf(folder.path());
        let pod_token = String::new();
        let mut this =
            Self { ca, proxies, bindings, root, token, pod_token, kubeconfig, folder, plane };
        this.trust(&this.proxies).await;
        this.add_pod("mc0").await;
        let uid = format!("--bound-object-uid={}", this.uid("pod/mc0-0").await);
        let bound = ["--bound-object-kind=Pod", "--bound-object-name=mc0-0", &uid];
        let token = [&["create", "token", "default", "--namespace=hpc"][..], &bound].concat();
        this.pod_token = this.plane.kubectl(&token).await.unwrap().trim().to_owned();
        Some(this)
    }

    /// All rights, each with its binding.
    pub(super) fn rights(&self) -> impl Iterator<Item = (&Binding, &str)> {
        self.bindings
            .iter()
            .flat_map(|binding| binding.rights.keys().map(move |right| (binding, right.as_str())))
    }

    /// Takes a right from gateways.
    pub(super) async fn take(&self, binding: &Binding, right: &str) {
        apply(&self.plane, &[binding.role(Some(right))]).await;
        let gone = async || is(!self.has(binding, right).await);
        eventually(&format!("the right to {right} is gone"), gone).await;
    }

    /// Gives it back.
    pub(super) async fn give(&self, binding: &Binding, right: &str) {
        apply(&self.plane, &[binding.role(None)]).await;
        let there = async || is(self.has(binding, right).await);
        eventually(&format!("the right to {right} is there"), there).await;
    }

    async fn has(&self, binding: &Binding, right: &str) -> bool {
        let rule = &binding.rights[right];
        let word = |key: &str| rule[key][0].as_str().unwrap_or_default();
        let resource =
            format!("{}.{}/{}", word("resources"), word("apiGroups"), word("resourceNames"));
        let resource = resource.replace("./", "/");
        let user = format!("--as={USER}");
        let place = match binding.object["metadata"]["namespace"].as_str() {
            Some(namespace) => format!("--namespace={namespace}"),
            None => "--all-namespaces".to_owned(),
        };
        let question =
            ["auth", "can-i", word("verbs"), resource.trim_end_matches('/'), &user, &place];
        self.plane.kubectl(&question).await.is_ok()
    }

    /// Lets this authority, too, sign certificates of front proxies.
    pub(super) async fn trust(&self, authority: &TestCa) {
        const KEY: &str = "requestheader-client-ca-file";
        let map = ["configmap", "extension-apiserver-authentication", "--namespace=kube-system"];
        let known = [&["get"][..], &map, &["--output=json"]].concat();
        let known: Value =
            serde_json::from_str(&self.plane.kubectl(&known).await.unwrap()).unwrap();
        let both = format!("{}{}", known["data"][KEY].as_str().unwrap(), authority.pem());
        let patch = json!({"data": {KEY: both}}).to_string();
        self.plane.kubectl(&[&["patch"][..], &map, &["--patch", &patch]].concat()).await.unwrap();
    }

    /// Makes the pod of the lead broker of a MiniCluster.
    pub(super) async fn add_pod(&self, minicluster: &str) {
        let containers = json!([{"name": "flux", "image": "example.org/flux:1"}]);
        let job = json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": minicluster,
                "namespace": "hpc",
                "ownerReferences": [{
                    "apiVersion": "flux-framework.org/v1alpha2",
                    "kind": "MiniCluster",
                    "name": minicluster,
                    "uid": format!("uid-of-{minicluster}"),
                    "controller": true,
                }],
            },
            "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": containers}}},
        });
        apply(&self.plane, &[job]).await;
        let job_uid = self.uid(&format!("job/{minicluster}")).await;
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": format!("{minicluster}-0"),
                "namespace": "hpc",
                "labels": {
                    "hpa-selector": minicluster,
                    "batch.kubernetes.io/job-completion-index": "0",
                },
                "ownerReferences": [{
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "name": minicluster,
                    "uid": job_uid,
                    "controller": true,
                }],
            },
            "spec": {"containers": containers},
        });
        apply(&self.plane, &[pod]).await;
    }

    async fn uid(&self, object: &str) -> String {
        let uid = ["get", object, "--namespace=hpc", "--output=jsonpath={.metadata.uid}"];
        self.plane.kubectl(&uid).await.unwrap()
    }

    /// A new gateway, as a process of its own.
    pub(super) async fn gateway(&self) -> Gateway {
        let file = |name: &str| process::text(&self.folder.path().join(name)).to_owned();
        let log = self.folder.path().join("log");
        let mut process = Process::start_logged(
            env!("CARGO_BIN_EXE_child"),
            ["gateway"],
            &[
                ("FLUXGAUGE_LISTEN", "127.0.0.1:0"),
                ("FLUXGAUGE_INGEST_LISTEN", "127.0.0.1:0"),
                ("FLUXGAUGE_TLS_CERT", &file("tls.crt")),
                ("FLUXGAUGE_TLS_KEY", &file("tls.key")),
                ("FLUXGAUGE_KUBECONFIG", process::text(&self.kubeconfig)),
                ("FLUXGAUGE_LOG_FORMAT", "json"),
            ],
            File::create(&log).unwrap(),
        );
        let listening: Value = serde_json::from_str(&process.line().await).unwrap();
        let address = |port: &str| listening[port].as_str().unwrap().parse().unwrap();
        Gateway { api: address("api"), ingest: address("ingest"), log, _process: process }
    }

    /// What gateways have asked of the API server, as the right that it needs, and how it was answered.
    pub(super) fn requests(&self) -> Vec<(String, u64)> {
        let log = fs::read_to_string(self.plane.audit_log()).unwrap();
        let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let own = events.filter(|event| event["user"]["username"] == USER);
        own.map(|event| {
            let about = &event["objectRef"];
            let [resource, group, namespace] = ["resource", "apiGroup", "namespace"]
                .map(|key| about[key].as_str().unwrap_or_default());
            let verb = event["verb"].as_str().unwrap();
            let code = event["responseStatus"]["code"].as_u64().unwrap();
            let [there, everywhere] =
                [namespace, ""].map(|namespace| right(verb, resource, group, namespace));
            let is_given = |right: &str| self.rights().any(|(_, given)| given == right);
            // A right that is given everywhere is used somewhere.
            let used = if is_given(&everywhere) { everywhere } else { there };
            (used, code)
        })
        .collect()
    }

    /// How often gateways were told that they may not.
    pub(super) fn refused(&self, right: &str) -> usize {
        let requests = self.requests();
        requests.iter().filter(|(needed, code)| needed == right && *code == 403).count()
    }
}

/// A gateway as a process.
pub(super) struct Gateway {
    pub(super) api: SocketAddr,
    pub(super) ingest: SocketAddr,
    log: PathBuf,
    _process: Process,
}

impl Gateway {
    /// The lines of its log that somebody should do something about.
    pub(super) fn errors(&self) -> Vec<String> {
        let log = fs::read_to_string(&self.log).unwrap();
        let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let errors = lines.filter(|line| line["level"] == "ERROR");
        errors.map(|line| line["message"].as_str().unwrap().to_owned()).collect()
    }
}

/// A user and a service account who may read the metrics of a namespace, in which pods can be made.
fn readers() -> [Value; 5] {
    let group = "rbac.authorization.k8s.io";
    let rbac = format!("{group}/v1");
    let account = |name: &str| {
        let metadata = json!({"name": name, "namespace": "hpc"});
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    };
    let metadata = json!({"name": "reads-metrics", "namespace": "hpc"});
    let rule =
        json!({"apiGroups": ["custom.metrics.k8s.io"], "resources": ["*"], "verbs": ["get"]});
    let role = json!({"apiGroup": group, "kind": "Role", "name": "reads-metrics"});
    let subjects = json!([
        {"apiGroup": group, "kind": "User", "name": ALICE},
        {"kind": "ServiceAccount", "name": READER, "namespace": "hpc"},
    ]);
    [
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "hpc"}}),
        account("default"),
        account(READER),
        json!({"apiVersion": rbac, "kind": "Role", "metadata": metadata, "rules": [rule]}),
        json!({
            "apiVersion": rbac,
            "kind": "RoleBinding",
            "metadata": metadata,
            "subjects": subjects,
            "roleRef": role,
        }),
    ]
}

async fn apply(plane: &ControlPlane, objects: &[Value]) {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    plane.apply(&list.to_string()).await.unwrap();
}
