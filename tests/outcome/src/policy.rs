//! Policies: what an autoscaler reads, and how it is set.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path, time::Duration};

use flux_client::{Idset, ResourceSet};
use flux_demand::{Demand, HoldDown, Instance as Resources, Job, Request};
use flux_simulator::instance::{Instance, Need, Shape, State};

/// How old a value is when an autoscaler reads it, in seconds. Events become readable in milliseconds;
/// this is ten times as much as the collector's shortest interval.
pub const SAMPLE_AGE: u32 = 1;

/// The collector's default, in seconds.
pub const HOLD_DOWN: u64 = 30;

/// A policy.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The name.
    pub name: &'static str,
    /// The manifest of its autoscaler.
    pub manifest: String,
    /// Whether it is the one that the project recommends, and promises something of.
    pub is_ours: bool,
}

/// What the Python metrics API's example does: a metric that says what there is, not what is needed.
const NODE_UP_COUNT: &str = "
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: flux-sample}
spec:
  scaleTargetRef: {apiVersion: flux-framework.org/v1alpha2, kind: MiniCluster, name: flux-sample}
  minReplicas: 2
  maxReplicas: 4
  metrics:
    - type: Object
      object:
        describedObject: {kind: Service, name: custom-metrics-apiserver}
        metric: {name: node_up_count}
        target: {type: Value, value: '4'}
  behavior:
    scaleUp: {stabilizationWindowSeconds: 120, policies: [{type: Percent, value: 100, periodSeconds: 60}]}
    scaleDown: {stabilizationWindowSeconds: 120, policies: [{type: Percent, value: 100, periodSeconds: 60}]}
";

/// The length of the queue and nothing else.
const QUEUE_LENGTH: &str = "
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: flux-sample}
spec:
  scaleTargetRef: {apiVersion: flux-framework.org/v1alpha2, kind: MiniCluster, name: flux-sample}
  minReplicas: 1
  maxReplicas: 32
  metrics:
    - type: Object
      object:
        describedObject: {apiVersion: flux-framework.org/v1alpha2, kind: MiniCluster, name: flux-sample}
        metric: {name: job_queue_state_sched_count}
        target: {type: AverageValue, averageValue: '1'}
";

impl Policy {
    /// All policies.
    pub fn all() -> Vec<Self> {
        let other = |name, manifest: &str| Self { name, manifest: manifest.into(), is_ours: false };
        vec![
            other("`node_up_count`", NODE_UP_COUNT),
            other("queue length", QUEUE_LENGTH),
            other("`hpa-object.yaml`", &example("hpa-object.yaml")),
            Self { is_ours: true, ..other("`hpa-desired.yaml`", &example("hpa-desired.yaml")) },
        ]
    }
}

/// A file of `deploy/examples`.
fn example(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/examples").join(file);
    fs::read_to_string(path).unwrap()
}

/// What a collector would report.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// `cluster_size_desired`.
    pub desired: u32,
    /// `cluster_size_min_safe`.
    pub min_safe: u32,
    /// `job_queue_state_sched_count`.
    pub waiting: u32,
    /// `node_up_count`.
    pub up: u32,
}

impl Sample {
    /// The value of a metric.
    pub fn value(&self, metric: &str) -> Option<f64> {
        let value = match metric {
            "cluster_size_desired" => self.desired,
            "cluster_size_min_safe" => self.min_safe,
            "job_queue_state_sched_count" => self.waiting,
            "node_up_count" => self.up,
            _ => return None,
        };
        Some(f64::from(value))
    }
}

/// Counts as a collector counts.
#[derive(Debug)]
pub struct Collector {
    all: ResourceSet,
    sizes: Option<[HoldDown; 2]>,
}

impl Collector {
    /// One whose sizes fall after `hold_down`; `None`: at once.
    pub fn new(shape: Shape, hold_down: Option<Duration>) -> Self {
        let all = resources([format!(
            r#"{{"rank":"0-{}","children":{{{}}}}}"#,
            shape.size - 1,
            children(&ids(shape.cores), &ids(shape.gpus))
        )]);
        Self { all, sizes: hold_down.map(|period| [(); 2].map(|()| HoldDown::new(period))) }
    }

    /// What there is now, before anything is held down.
    pub fn look(&self, flux: &Instance) -> Sample {
        let allocated = flux.allocated().map(|(rank, cores, gpus)| {
            format!(r#"{{"rank":"{rank}","children":{{{}}}}}"#, children(&cores, &gpus))
        });
        let unusable = flux.all().difference(&flux.usable());
        let now = Resources::new(self.all.clone(), &resources(allocated), &unusable).unwrap();
        let waiting: Vec<_> =
            flux.list().into_iter().filter(|job| job.state == State::Sched).collect();
        let jobs: Vec<_> = waiting
            .iter()
            .map(|job| Job {
                request: Some(request(job.need)),
                constraint: None,
                queue: None,
                held: false,
                submitted: 0.0,
                duration: 0.0,
            })
            .collect();
        let demand = Demand::of(&now, &BTreeMap::new(), true, &jobs, 0.0).unwrap();
        Sample {
            desired: demand.size.unwrap(),
            min_safe: now.min_safe_size(),
            waiting: jobs.len() as u32,
            up: flux.online().len() as u32,
        }
    }

    /// What is reported in this second.
    pub fn report(&mut self, now: u32, mut sample: Sample) -> Sample {
        if let Some([desired, min_safe]) = &mut self.sizes {
            let moment = Duration::from_secs(now.into());
            sample.desired = desired.feed(moment, sample.desired);
            sample.min_safe = min_safe.feed(moment, sample.min_safe);
        }
        sample
    }
}

fn request(need: Need) -> Request {
    match need {
        Need::Nodes(count) => Request::whole_nodes(count),
        Need::Slots { count, cores, gpus } => Request::slots(count, cores, gpus),
    }
}

/// RFC 20 R of these entries.
fn resources(entries: impl IntoIterator<Item = String>) -> ResourceSet {
    let mut json = String::from(r#"{"version":1,"execution":{"R_lite":["#);
    for (nth, entry) in entries.into_iter().enumerate() {
        let comma = if nth > 0 { "," } else { "" };
        write!(json, "{comma}{entry}").unwrap();
    }
    json.push_str("]}}");
    ResourceSet::from_json(json.as_bytes()).unwrap()
}

fn children(cores: &Idset, gpus: &Idset) -> String {
    let named = [("core", cores), ("gpu", gpus)].into_iter().filter(|(_, ids)| !ids.is_empty());
    let parts: Vec<_> = named.map(|(name, ids)| format!(r#""{name}":"{ids}""#)).collect();
    parts.join(",")
}

fn ids(count: u32) -> Idset {
    (0..count).collect()
}
