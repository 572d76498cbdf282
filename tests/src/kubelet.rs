//! Plays the kubelet, and the scheduler, for gateways: a process for each of their pods.
//!
//! ```text
//!  Deployment ──controllers──▶ pods ──▶ Kubelet ──▶ a gateway on the pod's address
//!                               ▲         │
//!                               └─────────┘ address, Ready as /readyz says, gone when it has ended
//! ```
//!
//! A process has what the pod's container would: its variables, its Secret, which may change, and its
//! service account.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use control_plane::ControlPlane;
use k8s_openapi::api::core::v1::{Node, Pod, Secret};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Client, Process, TestCa, client::get, network_namespace::ADDRESSES, process};

/// The ports on which gateways listen by default, on every address.
pub const API: u16 = 8443;
/// The port for collectors.
pub const INGEST: u16 = 8444;

/// The only node.
const NODE: &str = "node-0";

/// Between two looks at the pods: a gateway is told to end before the aggregator knows of it.
const PERIOD: Duration = Duration::from_millis(20);

/// Looks until what is ready or mounted is looked at, too.
const PROBED: u32 = 10;

/// Runs the pods of one namespace. Needs a network namespace with [`ADDRESSES`]: each pod has one.
pub struct Kubelet<'a> {
    plane: &'a ControlPlane,
    client: kube::Client,
    namespace: String,
    program: PathBuf,
    ca: &'a TestCa,
    /// By the UID of the pod.
    running: BTreeMap<String, Container>,
}

/// What runs in a pod.
struct Container {
    address: Ipv4Addr,
    process: Process,
    /// Its mounted Secrets: each name, what it had last, and where it is.
    secrets: Vec<(String, Secret, TempDir)>,
    ready: bool,
    told_to_end: bool,
}

impl<'a> Kubelet<'a> {
    /// One that runs the pods of `namespace` as `program gateway`, a program like `src/bin/child.rs`,
    /// whose certificates are the authority's.
    pub async fn new(
        plane: &'a ControlPlane,
        namespace: &str,
        program: &str,
        ca: &'a TestCa,
    ) -> Self {
        let client = crate::plane::client(plane).await;
        let node = json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": NODE } });
        let node = serde_json::from_value::<Node>(node).unwrap();
        Api::all(client.clone()).create(&PostParams::default(), &node).await.unwrap();
        Self {
            plane,
            client,
            namespace: namespace.to_owned(),
            program: PathBuf::from(program),
            ca,
            running: BTreeMap::new(),
        }
    }

    /// Runs them, for ever.
    ///
    /// # Panics
    ///
    /// When a gateway does not start, or ends with another status than 0.
    pub async fn run(mut self) {
        let mut look = tokio::time::interval(PERIOD);
        for round in 0.. {
            look.tick().await;
            let pods = self.pods().list(&ListParams::default()).await.unwrap();
            // Those that are gone without having been told to end are killed.
            self.running.retain(|uid, _| pods.iter().any(|pod| pod.uid().as_ref() == Some(uid)));
            for pod in &pods {
                self.look_after(pod, round % PROBED == 0).await;
            }
        }
    }

    async fn look_after(&mut self, pod: &Pod, probe: bool) {
        let (uid, name) = (pod.uid().unwrap(), pod.name_any());
        let ends = pod.metadata.deletion_timestamp.is_some();
        let Some(container) = self.running.get_mut(&uid) else {
            match self.free_address() {
                _ if ends => self.remove(&name).await,
                Some(address) => self.start(pod, address).await,
                None => {} // until another pod has ended
            }
            return;
        };
        if ends && !container.told_to_end {
            container.process.signal(Signal::TERM);
            container.told_to_end = true;
        }
        if container.process.has_ended() {
            let ended = self.running.remove(&uid).expect("it is there");
            assert!(ended.told_to_end, "{name} ended by itself");
            assert_eq!(ended.process.status().await, Some(0), "{name}");
            return self.remove(&name).await;
        }
        if !probe {
            return;
        }
        let secrets = Api::<Secret>::namespaced(self.client.clone(), &self.namespace);
        for (name, known, folder) in &mut container.secrets {
            let newest = secrets.get(name).await.unwrap_or_default();
            if newest.data.is_some() && newest.data != known.data {
                write(&newest, folder.path());
                *known = newest;
            }
        }
        let client = Client::new(self.ca, SocketAddr::from((container.address, API)));
        let ready = client.send(get("/readyz")).await.is_ok_and(|answer| answer.status == 200);
        if ready != container.ready {
            container.ready = ready;
            let status = status(pod, container.address, ready);
            self.say(&name, &status).await;
        }
    }

    /// Starts what the pod's first container says, and says that it runs.
    async fn start(&mut self, pod: &Pod, address: Ipv4Addr) {
        let (uid, name) = (pod.uid().unwrap(), pod.name_any());
        let spec = pod.spec.as_ref().unwrap();
        let Some(secrets) = self.mounted(pod).await else { return };
        let account = spec.service_account_name.as_deref().unwrap();
        let account = self.plane.service_account_kubeconfig(&self.namespace, account).await;
        let account = account.unwrap().display().to_string();
        if spec.node_name.is_none() {
            self.bind(&name).await;
        }

        let container = &spec.containers[0];
        let mut variables = vec![
            ("FLUXGAUGE_LISTEN".to_owned(), format!("{address}:{API}")),
            ("FLUXGAUGE_INGEST_LISTEN".to_owned(), format!("{address}:{INGEST}")),
            ("FLUXGAUGE_KUBECONFIG".to_owned(), account),
        ];
        for variable in container.env.iter().flatten() {
            let mut value = variable.value.clone().unwrap_or_default();
            for (path, _, _, folder) in &secrets {
                value = value.replace(path, process::text(folder.path()));
            }
            variables.push((variable.name.clone(), value));
        }
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let log = File::create(log(self.plane, &name)).unwrap();
        let mut process = Process::start_logged(&self.program, ["gateway"], &variables, log);
        assert!(process.line().await.contains("listening"), "{name}");
        self.say(&name, &status(pod, address, false)).await;
        let secrets =
            secrets.into_iter().map(|(_, name, secret, folder)| (name, secret, folder)).collect();
        let container = Container { address, process, secrets, ready: false, told_to_end: false };
        self.running.insert(uid, container);
    }

    /// What the pod mounts, each with the path; `None`: not all of it is there yet.
    async fn mounted(&self, pod: &Pod) -> Option<Vec<(String, String, Secret, TempDir)>> {
        let spec = pod.spec.as_ref().unwrap();
        let secrets = Api::<Secret>::namespaced(self.client.clone(), &self.namespace);
        let mut mounted = Vec::new();
        for volume in spec.volumes.iter().flatten() {
            let Some(name) = volume.secret.as_ref().and_then(|own| own.secret_name.clone()) else {
                continue; // such as the token, which is in the kubeconfig
            };
            let mut mounts = spec.containers[0].volume_mounts.iter().flatten();
            let mount = mounts.find(|mount| mount.name == volume.name).expect("it is mounted");
            let secret = secrets.get_opt(&name).await.unwrap()?;
            let folder = TempDir::new().unwrap();
            write(&secret, folder.path());
            mounted.push((mount.mount_path.clone(), name, secret, folder));
        }
        Some(mounted)
    }

    fn free_address(&self) -> Option<Ipv4Addr> {
        let taken = |address: &Ipv4Addr| self.running.values().any(|own| own.address == *address);
        ADDRESSES.into_iter().find(|address| !taken(address))
    }

    async fn bind(&self, name: &str) {
        let binding = json!({
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": { "name": name },
            "target": { "apiVersion": "v1", "kind": "Node", "name": NODE },
        });
        let parameters = PostParams::default();
        let bound = self.pods().create_subresource("binding", name, &parameters, &binding).await;
        bound.map(|_: Value| ()).unwrap();
    }

    /// A pod may be deleted before this is said.
    async fn say(&self, name: &str, status: &Value) {
        let patch = Patch::Merge(json!({ "status": status }));
        self.pods().patch_status(name, &PatchParams::default(), &patch).await.ok();
    }

    async fn remove(&self, name: &str) {
        let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
        self.pods().delete(name, &at_once).await.ok();
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }
}

/// Where what a pod's container says on standard error is: beside the control plane's logs.
pub fn log(plane: &ControlPlane, pod: &str) -> PathBuf {
    plane.dir().join("logs").join(format!("{pod}.log"))
}

/// The address of a pod that has one.
pub fn address(pod: &Pod) -> Option<IpAddr> {
    pod.status.as_ref()?.pod_ip.as_deref()?.parse().ok()
}

fn status(pod: &Pod, address: Ipv4Addr, ready: bool) -> Value {
    let started = pod.creation_timestamp();
    let condition = |kind: &str, status: bool| {
        let status = if status { "True" } else { "False" };
        json!({ "type": kind, "status": status, "lastTransitionTime": started })
    };
    json!({
        "phase": "Running",
        "startTime": started,
        "podIP": address,
        "podIPs": [{ "ip": address }],
        "conditions": [
            condition("PodScheduled", true),
            condition("Initialized", true),
            condition("ContainersReady", ready),
            condition("Ready", ready),
        ],
    })
}

/// Writes the files of a Secret; for a moment those of a certificate and a key do not fit.
fn write(secret: &Secret, folder: &Path) {
    for (name, data) in secret.data.iter().flatten() {
        fs::write(folder.join(name), &data.0).unwrap();
    }
}
