//! The closed loop: a queue of Flux, the metrics of it, a HorizontalPodAutoscaler, a MiniCluster.
//!
//! ```text
//!  simulated Flux ──▶ collectors ──▶ gateway ──▶ aggregator ──▶ autoscaler ──▶ MiniCluster
//!        ▲                                                                         │
//!        └──── brokers ◀──── pods ◀──── scheduler, kwok ◀──── Job ◀──── operator ──┘
//! ```
//!
//! MiniCluster and autoscalers are those of `deploy/examples`; only the times that an autoscaler and
//! a collector wait before a size falls are shorter.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use control_plane::{ControlPlane, Extent, MINICLUSTER_CRD, Options};
use flux_simulator::{
    Config, Simulator,
    instance::{Hold, JobId, Need, Queue, Shape},
};
use http::Request;
use k8s_openapi::api::{
    autoscaling::v2::{HorizontalPodAutoscaler, HorizontalPodAutoscalerStatus},
    core::v1::Pod,
};
use kube::{Api, ResourceExt as _, api::ListParams};
use minicluster::{Brokers, MiniCluster, operator, resource};
use serde_json::{Value, json};
use system_tests::{Gateways, TestCa, TestGateway, aggregation, is, plane, within};
use tempfile::TempDir;
use tokio_util::task::AbortOnDropHandle;

mod averages;
mod deleted;
mod derived;
mod desired;
mod first_resize;
mod frozen;
mod pods;
mod queue;

/// Longer than a resize takes on a machine that does ten things at once: metrics, autoscaler,
/// operator, Job controller, scheduler and kwok take turns.
const DEADLINE: Duration = Duration::from_secs(120);

/// As in `deploy/examples`.
const NAME: &str = "flux-sample";
const MAX_SIZE: u32 = 10;

/// Where the metrics of the namespace are.
const METRICS: &str = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/default";

/// Seconds that an autoscaler waits before it shrinks; 30 and 300 in `deploy/examples`.
const DOWNSCALE_WINDOW: u32 = 3;

/// How long ranks are idle before a collector's sizes fall below them; 30 s in `deploy/examples`.
const HOLD_DOWN: &str = "1s";

/// Decisions of an autoscaler, one a second, after which it would have shrunk if it wanted to.
const DECISIONS: usize = 6;

/// Everything but an autoscaler. The MiniCluster has its first two brokers.
struct ClosedLoop {
    brokers: Brokers,
    gateway: TestGateway,
    client: kube::Client,
    _operator: AbortOnDropHandle<()>,
    _sockets: TempDir,
    plane: ControlPlane,
}

impl ClosedLoop {
    /// Starts it, the gateway with these flags; `None`: there is no Go, and a line says so.
    async fn start(flags: &[&str]) -> Option<Self> {
        Self::start_up_to(MAX_SIZE, flags).await
    }

    /// The same with a MiniCluster that may have so many nodes.
    async fn start_up_to(max_size: u32, flags: &[&str]) -> Option<Self> {
        let options =
            Options { extent: Extent::Pods, definitions: MINICLUSTER_CRD, ..Options::default() };
        let (plane, ca) = (plane::start(&options).await?, TestCa::new());
        let client = plane::client(&plane).await;
        plane.add_node("node-0", 64).await.unwrap();
        let operator = tokio::spawn(operator::run(client.clone()));

        let kubeconfig = of_the_gateway(&plane).await;
        let kubeconfig = format!("--kubeconfig={}", kubeconfig.display());
        let flags: Vec<_> = flags.iter().copied().chain([&*kubeconfig]).collect();
        let gateway = TestGateway::start_strict(&ca, &flags).await;
        let apis = aggregation::by_external_name(&ca.pem(), gateway.api.port());
        plane.apply(&apis).await.unwrap();
        plane.apply(&config_map(&ca)).await.unwrap();
        let sockets = TempDir::new().unwrap();
        let brokers =
            add_minicluster(&plane, &client, &gateway, NAME, max_size, sockets.path()).await;
        let this = Self {
            brokers,
            gateway,
            client,
            _operator: AbortOnDropHandle::new(operator),
            _sockets: sockets,
            plane,
        };
        this.has_brokers(2).await;
        this.reads(&of_minicluster("node_online_count"), &["2"]).await;
        Some(this)
    }

    fn flux(&self) -> &Simulator {
        self.brokers.flux()
    }

    /// Submits jobs of one node that wait until they are released.
    fn submit(&self, number: usize) -> Vec<JobId> {
        let submit = |_| self.flux().submit_held(Need::Nodes(1), None, Hold::Urgency).unwrap();
        (0..number).map(submit).collect()
    }

    /// Creates the autoscaler of an example, that waits less before it shrinks.
    async fn autoscale(&self, example_file: &str) {
        self.autoscale_as(example(example_file)).await;
    }

    /// The same with an autoscaler that a test has changed more.
    async fn autoscale_as(&self, mut autoscaler: Value) {
        let scale_down = &mut autoscaler["spec"]["behavior"]["scaleDown"];
        let window = &mut scale_down["stabilizationWindowSeconds"];
        assert!(window.as_u64() >= Some(u64::from(DOWNSCALE_WINDOW)), "{window}");
        *window = DOWNSCALE_WINDOW.into();
        self.plane.apply(&autoscaler.to_string()).await.unwrap();
    }

    async fn autoscaler(&self) -> Autoscaler {
        let api: Api<HorizontalPodAutoscaler> = Api::default_namespaced(self.client.clone());
        Autoscaler(api.get(NAME).await.unwrap().status.unwrap_or_default())
    }

    async fn minicluster(&self) -> MiniCluster {
        resource::of_namespace(self.client.clone(), "default").get(NAME).await.unwrap()
    }

    /// The names of the pods that are there to stay, by index.
    async fn pods(&self) -> Vec<String> {
        let api: Api<Pod> = Api::default_namespaced(self.client.clone());
        let own = ListParams::default().labels(&format!("{}={NAME}", operator::SELECTOR));
        let pods = api.list(&own).await.unwrap();
        let stays = |pod: &&Pod| pod.metadata.deletion_timestamp.is_none();
        let mut names: Vec<_> = pods.iter().filter(stays).map(|pod| pod.name_any()).collect();
        let index = |name: &str| -> Option<u32> {
            name.strip_prefix(NAME)?.strip_prefix('-')?.split('-').next()?.parse().ok()
        };
        names.sort_by_key(|name| index(name));
        names
    }

    /// Waits until an autoscaler has written this size, and everything is of it.
    async fn becomes(&self, size: i32) {
        within(DEADLINE, &format!("the size is {size}"), async || {
            let minicluster = self.minicluster().await;
            let sizes = (minicluster.spec.size, minicluster.status.unwrap_or_default().size);
            if sizes == (size, size) { Ok(()) } else { Err((sizes, self.autoscaler().await)) }
        })
        .await;
        self.has_brokers(usize::try_from(size).unwrap()).await;
    }

    /// Waits until there are this many pods, of the lowest indexes, and their brokers are up.
    async fn has_brokers(&self, number: usize) {
        within(DEADLINE, &format!("there are {number} pods and brokers"), async || {
            let pods = self.pods().await;
            let lowest = (0..number).map(|index| format!("{NAME}-{index}-"));
            let right = pods.len() == number
                && pods.iter().zip(lowest).all(|(pod, name)| pod.starts_with(&name));
            let up = self.flux().tallies(None).unwrap().up.nodes;
            if right && up == number as u64 { Ok(()) } else { Err((pods, up)) }
        })
        .await;
    }

    /// Waits until a list of metrics has these values, read through the aggregator.
    async fn reads(&self, path: &str, values: &[&str]) {
        within(DEADLINE, &format!("{path} is {values:?}"), async || {
            let list = self.read(path).await?;
            let items = list["items"].as_array().unwrap();
            let read = items.iter().map(|item| item["value"].as_str().unwrap());
            if read.eq(values.iter().copied()) { Ok(()) } else { Err(list.to_string()) }
        })
        .await;
    }

    async fn read(&self, path: &str) -> Result<Value, String> {
        let request = Request::get(path).body(Vec::new()).unwrap();
        self.client.request(request).await.map_err(|error| error.to_string())
    }

    /// Waits until the autoscaler says that it does nothing, for this reason.
    async fn is_frozen(&self, reason: &str, message: &str) {
        within(DEADLINE, "the autoscaler does nothing and says why", async || {
            let autoscaler = self.autoscaler().await;
            let [status, why, text] = autoscaler.condition("ScalingActive");
            let frozen = [status, why] == ["False", reason] && text.contains(message);
            if frozen { Ok(()) } else { Err([status, why, text].map(str::to_owned)) }
        })
        .await;
    }

    /// Waits until the autoscaler has decided [`DECISIONS`] times more.
    async fn decides_again(&self) {
        let reads = || {
            let log = fs::read_to_string(self.plane.audit_log()).unwrap();
            let reads = |line: &&str| {
                line.contains(
                    r#""username":"system:serviceaccount:kube-system:horizontal-pod-autoscaler""#,
                ) && line.contains("cluster_size_min_safe")
            };
            log.lines().filter(reads).count()
        };
        let goal = reads() + DECISIONS;
        within(DEADLINE, "the autoscaler decides", async || is(reads() >= goal)).await;
    }
}

/// What an autoscaler says of itself.
#[derive(Debug)]
struct Autoscaler(HorizontalPodAutoscalerStatus);

impl Autoscaler {
    /// Status, reason and message of a condition.
    fn condition(&self, kind: &str) -> [&str; 3] {
        let conditions = self.0.conditions.as_deref().unwrap_or_default();
        let found = conditions.iter().find(|condition| condition.type_ == kind);
        found.map_or([""; 3], |found| {
            let texts = [&found.reason, &found.message];
            let [reason, message] = texts.map(|text| text.as_deref().unwrap_or_default());
            [found.status.as_str(), reason, message]
        })
    }

    /// What it says is the average of its n-th metric, per replica.
    fn average(&self, n: usize) -> Option<&str> {
        let metric = self.0.current_metrics.as_ref()?.get(n)?;
        let current = match metric.type_.as_str() {
            "Object" => &metric.object.as_ref()?.current,
            "External" => &metric.external.as_ref()?.current,
            "Pods" => &metric.pods.as_ref()?.current,
            other => panic!("no example has a metric of type {other}"),
        };
        current.average_value.as_ref().map(|quantity| quantity.0.as_str())
    }
}

/// Applies the example MiniCluster under this name and starts what runs in its pods.
async fn add_minicluster(
    plane: &ControlPlane,
    client: &kube::Client,
    gateway: &TestGateway,
    name: &str,
    max_size: u32,
    sockets: &Path,
) -> Brokers {
    let mut minicluster = example("minicluster.yaml");
    minicluster["metadata"]["name"] = name.into();
    minicluster["spec"]["maxSize"] = max_size.into();
    let containers = minicluster["spec"]["containers"].as_array_mut().unwrap();
    containers.last_mut().unwrap()["environment"]["FLUXGAUGE_HOLD_DOWN"] = HOLD_DOWN.into();
    plane.apply(&minicluster.to_string()).await.unwrap();
    let gateways = Gateways::one(gateway.ingest);
    let flux = flux(max_size, sockets);
    Brokers::start(client.clone(), "default", name, gateways, flux).await.unwrap()
}

/// A kubeconfig of the account that `deploy/` runs gateways under, with the rights it has there.
pub(crate) async fn of_the_gateway(plane: &ControlPlane) -> PathBuf {
    for file in ["namespace.yaml", "rbac.yaml"] {
        let file = deploy().join("base").join(file);
        let file = format!("--filename={}", file.display());
        plane.kubectl(&["apply", &file]).await.unwrap();
    }
    plane.service_account_kubeconfig("fluxgauge", "fluxgauge-gateway").await.unwrap()
}

/// The path of a metric of the MiniCluster.
fn of_minicluster(metric: &str) -> String {
    format!("{METRICS}/miniclusters.flux-framework.org/{NAME}/{metric}")
}

/// A file of `deploy/examples`.
fn example(file: &str) -> Value {
    let mut all = examples(file);
    assert_eq!(all.len(), 1, "{file}");
    all.remove(0)
}

/// The documents of a file of `deploy/examples`.
fn examples(file: &str) -> Vec<Value> {
    let text = fs::read_to_string(deploy().join("examples").join(file)).unwrap();
    text.split("\n---\n").map(|one| serde_saphyr::from_str(one).unwrap()).collect()
}

pub(crate) fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

/// What collectors trust, as `deploy/README.md` says to make it.
fn config_map(ca: &TestCa) -> String {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": "fluxgauge-ca" },
        "data": { "ca.crt": ca.pem() },
    })
    .to_string()
}

/// Flux as the operator configures it: for all ranks that the MiniCluster may have.
fn flux(size: u32, sockets: &Path) -> Config {
    Config {
        shape: Shape { size, cores: 4, gpus: 0 },
        queues: vec![Queue { name: "batch".to_owned(), ranks: None }],
        ..Config::new(sockets)
    }
}
