//! The closed loop: a queue of Flux, the metrics of it, a HorizontalPodAutoscaler, a MiniCluster.
//!
//! ```text
//!  simulated Flux ──▶ collectors ──▶ gateway ──▶ aggregator ──▶ autoscaler ──▶ MiniCluster
//!        ▲                                                                         │
//!        └──── brokers ◀──── pods ◀──── scheduler, kwok ◀──── Job ◀──── operator ──┘
//! ```
//!
//! MiniCluster and autoscalers are those of `deploy/examples`; only the time that an autoscaler
//! waits before it shrinks is shorter.

use std::{fs, path::Path, time::Duration};

use control_plane::{ControlPlane, Extent, MINICLUSTER_CRD, Options};
use flux_simulator::{
    Config, Simulator,
    instance::{Hold, JobId, Need, Queue, Shape},
};
use k8s_openapi::api::{autoscaling::v2::HorizontalPodAutoscaler, core::v1::Pod};
use kube::{Api, ResourceExt as _, api::ListParams};
use minicluster::{Brokers, MiniCluster, operator, resource};
use serde_json::{Value, json};
use system_tests::{Gateways, TestCa, TestGateway, aggregation, is, plane, within};
use tempfile::TempDir;
use tokio_util::task::AbortOnDropHandle;

mod object;

/// Longer than a resize takes on a machine that does ten things at once: metrics, autoscaler,
/// operator, Job controller, scheduler and kwok take turns.
const DEADLINE: Duration = Duration::from_secs(120);

/// As in `deploy/examples`.
const NAME: &str = "flux-sample";
const MAX_SIZE: u32 = 10;

/// Seconds that an autoscaler waits before it shrinks; 300 in `deploy/examples`.
const DOWNSCALE_WINDOW: u32 = 3;

/// Decisions of an autoscaler, one a second, after which it would have shrunk if it wanted to.
const DECISIONS: usize = 8;

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
        let options = Options { extent: Extent::Pods, ..Options::default() };
        let (plane, ca) = (plane::start(&options).await?, TestCa::new());
        let client = plane::client(&plane).await;
        plane.add_node("node-0", 64).await.unwrap();
        plane.apply(MINICLUSTER_CRD).await.unwrap();
        let crd = "crd/miniclusters.flux-framework.org";
        plane.kubectl(&["wait", "--for=condition=Established", crd]).await.unwrap();
        let operator = tokio::spawn(operator::run(client.clone()));

        let gateway = TestGateway::start(&ca, flags).await;
        let apis = aggregation::by_external_name(&ca.pem(), gateway.api.port());
        plane.apply(&apis).await.unwrap();
        plane.apply(&config_map(&ca)).await.unwrap();
        plane.apply(&example("minicluster.yaml").to_string()).await.unwrap();
        let sockets = TempDir::new().unwrap();
        let gateways = Gateways::one(gateway.ingest);
        let flux = flux(sockets.path());
        let brokers = Brokers::start(client.clone(), "default", NAME, gateways, flux).await;
        let this = Self {
            brokers: brokers.unwrap(),
            gateway,
            client,
            _operator: AbortOnDropHandle::new(operator),
            _sockets: sockets,
            plane,
        };
        this.has_brokers(2).await;
        this.reads("node_online_count", "2").await;
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

    /// Creates the autoscaler of an example.
    async fn autoscale(&self, example_file: &str) {
        let mut autoscaler = example(example_file);
        let window = &mut autoscaler["spec"]["behavior"]["scaleDown"];
        assert_eq!(window["stabilizationWindowSeconds"], 300);
        window["stabilizationWindowSeconds"] = DOWNSCALE_WINDOW.into();
        self.plane.apply(&autoscaler.to_string()).await.unwrap();
    }

    async fn autoscaler(&self) -> Autoscaler {
        let api: Api<HorizontalPodAutoscaler> = Api::default_namespaced(self.client.clone());
        Autoscaler(api.get(NAME).await.unwrap())
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
        names.sort();
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

    /// Waits until a metric of the MiniCluster is read as this through the aggregator.
    async fn reads(&self, metric: &str, value: &str) {
        let path = format!(
            "/apis/custom.metrics.k8s.io/v1beta2/namespaces/default/\
             miniclusters.flux-framework.org/{NAME}/{metric}"
        );
        within(DEADLINE, &format!("{metric} is {value}"), async || {
            let answer = self.plane.kubectl(&["get", "--raw", &path]).await;
            let list = answer.map_err(|error| error.to_string())?;
            let list: Value = serde_json::from_str(&list).unwrap();
            if list["items"][0]["value"] == value { Ok(()) } else { Err(list.to_string()) }
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

/// A HorizontalPodAutoscaler as Kubernetes has it.
#[derive(Debug)]
struct Autoscaler(HorizontalPodAutoscaler);

impl Autoscaler {
    /// Status, reason and message of a condition.
    fn condition(&self, kind: &str) -> [&str; 3] {
        let status = self.0.status.as_ref();
        let conditions = status.and_then(|status| status.conditions.as_deref()).unwrap_or_default();
        let found = conditions.iter().find(|condition| condition.type_ == kind);
        found.map_or([""; 3], |found| {
            let texts = [&found.reason, &found.message];
            let [reason, message] = texts.map(|text| text.as_deref().unwrap_or_default());
            [found.status.as_str(), reason, message]
        })
    }

    /// What it says is the average of its n-th metric, per replica.
    fn average(&self, n: usize) -> Option<&str> {
        let metrics = self.0.status.as_ref()?.current_metrics.as_ref()?;
        let metric = metrics.get(n)?;
        let current = match metric.type_.as_str() {
            "Object" => &metric.object.as_ref()?.current,
            "External" => &metric.external.as_ref()?.current,
            "Pods" => &metric.pods.as_ref()?.current,
            other => panic!("no example has a metric of type {other}"),
        };
        current.average_value.as_ref().map(|quantity| quantity.0.as_str())
    }
}

/// A file of `deploy/examples`.
fn example(file: &str) -> Value {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/examples");
    let text = fs::read_to_string(examples.join(file)).unwrap();
    serde_saphyr::from_str(&text).unwrap()
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
fn flux(sockets: &Path) -> Config {
    Config {
        shape: Shape { size: MAX_SIZE, cores: 4, gpus: 0 },
        queues: vec![Queue { name: "batch".to_owned(), ranks: None }],
        ..Config::new(sockets)
    }
}
