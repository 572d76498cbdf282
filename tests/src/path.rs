//! The whole path: a simulated broker, a collector, a gateway.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flux_simulator::{Config, Simulator};
use fluxgauge_proto::catalogue::{CATALOGUE, Metric, Scope, Source, Unit};
use tempfile::TempDir;

use crate::{
    Client, Gateways, TestCa, TestCollector, TestGateway,
    client::{HPC, get},
    eventually,
};

mod demand;

/// A simulated broker, its collector, and a gateway, with the sample of the one in the other.
pub struct Path {
    /// Who signs.
    pub ca: TestCa,
    /// Where values are read.
    pub gateway: TestGateway,
    /// Where the collector finds gateways.
    pub gateways: Gateways,
    /// Where values come from.
    pub broker: Simulator,
    /// What carries them.
    pub collector: TestCollector,
    /// Ranks that are lost.
    offline: AtomicU64,
    /// Of the broker's socket.
    _dir: TempDir,
}

/// Ranks of a broker as [`Config::new`] makes it.
const RANKS: u64 = 4;

/// A max-age short enough to wait for in a test, and long enough for a machine that does ten things
/// at once.
pub const SHORT: [&str; 4] = ["--max-age", "2s", "--interval", "500ms"];

impl Path {
    /// Starts all three, the gateway with these flags, and waits until its values are right.
    pub async fn start(flags: &[&str]) -> Self {
        let path = Self::of_broker(flags, |_| {}).await;
        path.agrees().await;
        path
    }

    /// Starts all three, with a broker that `change` makes, and waits for nothing.
    pub async fn of_broker(flags: &[&str], change: impl FnOnce(&mut Config)) -> Self {
        let (ca, dir) = (TestCa::new(), TempDir::new().unwrap());
        let gateway = TestGateway::start(&ca, flags).await;
        let mut config = Config::new(dir.path());
        change(&mut config);
        let broker = Simulator::start(config).await.unwrap();
        let gateways = Gateways::one(gateway.ingest);
        let uri = format!("local://{}", broker.socket(0).display());
        let collector = TestCollector::start(&ca, gateways.clone(), &uri);
        Self { ca, gateway, gateways, broker, collector, offline: AtomicU64::new(0), _dir: dir }
    }

    /// The value of an instance metric, or why there is none.
    pub async fn metric(&self, name: &str) -> Result<f64, String> {
        self.gateway.client().metric("mc0", name).await
    }

    /// Waits until every metric of the instance is what the broker truly has.
    pub async fn agrees(&self) {
        self.agrees_at(self.gateway.client()).await;
    }

    /// The same at another gateway.
    pub async fn agrees_at(&self, client: &Client) {
        eventually("all metrics are the broker's", async || {
            let wrong = differences(client, &self.broker, self.offline.load(Relaxed)).await;
            if wrong.is_empty() { Ok(()) } else { Err(wrong) }
        })
        .await;
    }

    /// A node is lost.
    pub fn lose(&self, rank: u32) {
        self.broker.lose(rank);
        self.offline.fetch_add(1, Relaxed);
    }

    /// A lost node is back.
    pub fn join(&self, rank: u32) {
        self.broker.join(rank);
        self.offline.fetch_sub(1, Relaxed);
    }
}

/// What is read and should not be.
async fn differences(client: &Client, broker: &Simulator, offline: u64) -> Vec<String> {
    let mut connection = client.connect_http2().await.unwrap();
    let mut wrong = Vec::new();
    let of_instance = CATALOGUE.iter().filter(|metric| metric.scope != Scope::Broker);
    for metric in of_instance {
        for queue in [None, Some("batch"), Some("debug")] {
            if queue.is_some() && metric.scope == Scope::Instance {
                continue;
            }
            let selector = queue.map(|queue| format!("?metricLabelSelector=queue%3D{queue}"));
            let path = format!(
                "{HPC}/miniclusters.flux-framework.org/mc0/{}{}",
                metric.name,
                selector.unwrap_or_default()
            );
            let read = connection.ask(get(&path)).await.unwrap().value();
            let truth = match metric.source {
                // For how long is what a clock says, and an average what it has seen.
                _ if metric.window.is_some() => continue,
                Source::Demand if is_told_by_the_journal(metric) => {
                    broker.release_played().journal_has_backlog().then_some(0.0)
                }
                _ if metric.unit == Unit::Seconds => Some(read.clone().unwrap_or(f64::NAN)),
                Source::Demand => Some(demand::truth(broker, metric.name, queue)),
                _ => truth(broker, offline, metric, queue),
            };
            let is_right = match (&read, truth) {
                (Ok(read), Some(truth)) => *read == truth,
                (Ok(_), None) => false,
                (Err(_), truth) => truth.is_none(),
            };
            if !is_right {
                wrong.push(format!("{} of {queue:?} is {read:?}, not {truth:?}", metric.name));
            }
        }
    }
    wrong
}

/// Whether a metric needs the ends of running jobs. None of a test's has one.
fn is_told_by_the_journal(metric: &Metric) -> bool {
    matches!(metric.name, "running_remaining_node_seconds" | "backlog_drain_seconds")
}

/// What a metric of the catalogue should be, counted from the broker's model; `None`: absent.
#[allow(clippy::cast_precision_loss, reason = "counts of a test are far below 2^53")]
fn truth(broker: &Simulator, offline: u64, metric: &Metric, queue: Option<&str>) -> Option<f64> {
    let resources = broker.tallies(queue).expect("a queue");
    let states = broker.states(queue).expect("a queue");
    let ended = broker.ended(queue).expect("a queue");
    let taken_out = broker.taken_out();
    let (queued, pending) = broker.asked_for();
    let name = metric.name;
    // As a Quantity: to the thousandth.
    let ratio =
        |used: u64, up: u64| (up > 0).then(|| (used as f64 / up as f64 * 1000.0).round() / 1000.0);

    if let Some(state) = name.strip_prefix("job_queue_state_") {
        let number = match state {
            "new_count" => 0,
            "depend_count" => states.depend,
            "priority_count" => states.priority,
            "sched_count" => states.sched,
            "run_count" => states.run,
            "cleanup_count" => states.cleanup,
            "inactive_count" => states.inactive,
            other => panic!("the test knows no state {other}"),
        };
        return Some(number as f64);
    }
    let name = name.replace("node_cores_", "core_");
    let of_set = |set: &str| match set {
        "total_count" => Some(resources.total),
        "up_count" => Some(resources.up),
        "free_count" => Some(resources.free),
        "allocated_count" => Some(resources.allocated),
        "down_count" => Some(resources.down),
        _ => None,
    };
    let set = name.split_once('_').and_then(|(kind, set)| Some((kind, of_set(set)?)));
    let (used, up) = (resources.used, resources.up);
    let number = match (set, name.as_str()) {
        (Some(("node", set)), _) => set.nodes,
        (Some(("core", set)), _) => set.cores,
        (Some(("gpu", set)), _) => set.gpus,
        (_, "job_successful_count") => ended.successful,
        (_, "job_failed_count") => ended.failed,
        (_, "job_canceled_count") => ended.canceled,
        (_, "job_timeout_count") => ended.timeout,
        (_, "job_inactive_purged_count") => ended.purged,
        (_, "job_pending_count") => states.depend + states.priority + states.sched,
        (_, "job_running_count") => states.run + states.cleanup,
        (_, "job_active_count") => states.total - states.inactive,
        (_, "journal_disagreements_total") => 0,
        (_, "cluster_size_min_safe") => resources.cluster_size_min_safe,
        (_, "node_online_count") => RANKS - offline,
        (_, "node_offline_count") => offline,
        (_, "node_idle_count") => resources.idle,
        (_, "node_utilization_ratio") => return ratio(used.nodes, up.nodes),
        (_, "core_utilization_ratio") => return ratio(used.cores, up.cores),
        (_, "gpu_utilization_ratio") => return ratio(used.gpus, up.gpus),
        (_, "node_drained_count") => taken_out.drained,
        (_, "node_draining_count") => taken_out.draining,
        (_, "node_excluded_count") => taken_out.excluded,
        (_, "node_torpid_count") => {
            let told = broker.release_played().has_torpid();
            return told.then_some(taken_out.torpid as f64);
        }
        // Only queues that have a name can be told apart.
        (_, "queue_enabled") => u64::from(queue.map(|_| true)?),
        (_, "queue_started") => u64::from(broker.is_started(queue?)),
        (_, "alloc_queue_length") => queued as u64,
        (_, "alloc_pending_count") => pending as u64,
        (_, other) => panic!("the test knows no metric {other}"),
    };
    Some(number as f64)
}
