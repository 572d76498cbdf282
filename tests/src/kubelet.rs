//! Plays the kubelet, and the scheduler, for gateways: a process for each of their pods.
//!
//! ```text
//!  Deployment ──controllers──▶ pods ──▶ Kubelet ──▶ a gateway on the pod's address
//!                               ▲         │
//!                               └─────────┘ address, Ready as /readyz says, gone when it has ended
//! ```
//!
//! A process has what the pod's container would: its variables and its service account.

use std::{
    collections::BTreeMap,
    fs::File,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use control_plane::ControlPlane;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{Client, Process, client::get, network_namespace::ADDRESSES};

/// The ports on which gateways listen by default, on every address.
pub const API: u16 = 8443;
/// The port for collectors.
pub const INGEST: u16 = 8444;

/// The only node.
const NODE: &str = "node-0";

/// Between two looks at the pods: a gateway is told to end before the aggregator knows of it.
const PERIOD: Duration = Duration::from_millis(20);

/// Looks until what is ready is looked at, too.
const PROBED: u32 = 10;

/// Runs the pods of one namespace. Needs a network namespace with [`ADDRESSES`]: each pod has one.
pub struct Kubelet<'a> {
    plane: &'a ControlPlane,
    client: kube::Client,
    namespace: String,
    program: PathBuf,
    /// By the UID of the pod.
    running: BTreeMap<String, Container>,
}

/// What runs in a pod.
struct Container {
    address: Ipv4Addr,
    process: Process,
    ready: bool,
    told_to_end: bool,
}

impl<'a> Kubelet<'a> {
    /// One that runs the pods of `namespace` as `program gateway`, a program like `src/bin/child.rs`.
    pub async fn new(plane: &'a ControlPlane, namespace: &str, program: &str) -> Self {
        let client = crate::plane::client(plane).await;
        let node = json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": NODE } });
        let node = serde_json::from_value::<Node>(node).unwrap();
        Api::all(client.clone()).create(&PostParams::default(), &node).await.unwrap();
        Self {
            plane,
            client,
            namespace: namespace.to_owned(),
            program: PathBuf::from(program),
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
        let client = Client::prober(SocketAddr::from((container.address, API)));
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
            // What reports here is played by tests.
            ("FLUXGAUGE_INSECURE_COLLECTORS".to_owned(), "true".to_owned()),
        ];
        for variable in container.env.iter().flatten() {
            let value = variable.value.clone().unwrap_or_default();
            variables.push((variable.name.clone(), value));
        }
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let log = File::create(log(self.plane, &name)).unwrap();
        let mut process = Process::start_logged(&self.program, ["gateway"], &variables, log);
        assert!(process.line().await.contains("listening"), "{name}");
        self.say(&name, &status(pod, address, false)).await;
        let container = Container { address, process, ready: false, told_to_end: false };
        self.running.insert(uid, container);
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
