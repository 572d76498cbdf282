//! Every metric that Fluxgauge knows, in one table.
//!
//! The table says what a metric *means*; the collector says how it is measured. A gateway lists
//! these names in its discovery documents, and also serves names that it does not know, from a
//! collector that is one version ahead.

mod broker;
mod demand;
mod jobs;
pub mod prometheus;
mod queues;
mod resources;

use std::{collections::HashMap, sync::LazyLock};

use prometheus::Place;

/// A Flux service that metrics rest on. When it fails, they are absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// Numbers of jobs by state and outcome: `job-list.job-stats`.
    JobStats,
    /// What there is, what is down and what is allocated: `resource.sched-status`.
    SchedStatus,
    /// The same by queue, which also needs the queues' constraints: `config.get`.
    QueueStatus,
    /// The brokers that are online: `groups.get` of `broker.online`.
    Online,
    /// What was decided about ranks: `resource.status`.
    ResourceStatus,
    /// Whether queues take jobs, and start them: `job-manager.queue-status`.
    Queues,
    /// What the scheduler was asked for: `job-manager.alloc-query`.
    AllocQuery,
    /// What waiting jobs need: `job-list.list`, and the services that say where they may run.
    Demand,
    /// The state of the one broker: `state-machine.get`.
    Broker,
    /// What the broker's process has used: `broker.rusage`.
    Rusage,
    /// The brokers below the one broker: `overlay.health`.
    Overlay,
    /// The modules of the one broker: `module.list`.
    Modules,
    /// The way to the lead broker: `broker.ping` there.
    Lead,
    /// What the broker waits for from its neighbours: `overlay.stats-get`.
    OverlayStats,
    /// The pulse of the instance as it arrives at the one broker: the event `heartbeat.pulse`.
    Heartbeat,
}

impl Source {
    /// All sources, in the order in which samples list them.
    pub const ALL: [Self; 15] = [
        Self::JobStats,
        Self::SchedStatus,
        Self::QueueStatus,
        Self::Online,
        Self::ResourceStatus,
        Self::Queues,
        Self::AllocQuery,
        Self::Demand,
        Self::Broker,
        Self::Rusage,
        Self::Overlay,
        Self::Modules,
        Self::Lead,
        Self::OverlayStats,
        Self::Heartbeat,
    ];

    /// Those of the one broker, which every collector asks.
    pub const OF_BROKER: [Self; 7] = [
        Self::Broker,
        Self::Rusage,
        Self::Overlay,
        Self::Modules,
        Self::Lead,
        Self::OverlayStats,
        Self::Heartbeat,
    ];

    /// The name that the source has in samples and in error texts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::JobStats => "job-list.job-stats",
            Self::SchedStatus => "resource.sched-status",
            Self::QueueStatus => "resource.sched-status by queue",
            Self::Online => "groups.get broker.online",
            Self::ResourceStatus => "resource.status",
            Self::Queues => "job-manager.queue-status",
            Self::AllocQuery => "job-manager.alloc-query",
            Self::Demand => "job-list.list",
            Self::Broker => "state-machine.get",
            Self::Rusage => "broker.rusage",
            Self::Overlay => "overlay.health",
            Self::Modules => "module.list",
            Self::Lead => "broker.ping 0",
            Self::OverlayStats => "overlay.stats-get",
            Self::Heartbeat => "heartbeat.pulse",
        }
    }
}

/// What a metric describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The Flux instance.
    Instance,
    /// The Flux instance, and with the label `queue` each of its queues.
    InstanceAndQueue,
    /// One broker, hence one pod.
    Broker,
}

/// The unit of a metric's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Nodes, which in Flux are broker ranks.
    Nodes,
    /// CPU cores, as Flux's resource set lists them.
    Cores,
    /// GPUs, as Flux's resource set lists them.
    Gpus,
    /// Jobs.
    Jobs,
    /// Seconds.
    Seconds,
    /// Nodes × seconds: what a batch system calls node-time.
    NodeSeconds,
    /// Rank numbers, from 0.
    Rank,
    /// Bytes.
    Bytes,
    /// Messages between brokers or their modules.
    Messages,
    /// How often something happened.
    Times,
    /// Jobs in a second.
    JobsPerSecond,
    /// A part of the whole, from 0 to 1.
    Ratio,
    /// 1 for yes, 0 for no.
    Bool,
}

impl Unit {
    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nodes => "nodes",
            Self::Cores => "cores",
            Self::Gpus => "GPUs",
            Self::Jobs => "jobs",
            Self::Seconds => "seconds",
            Self::NodeSeconds => "node-seconds",
            Self::Rank => "rank",
            Self::Bytes => "bytes",
            Self::Messages => "messages",
            Self::Times => "times",
            Self::JobsPerSecond => "jobs/second",
            Self::Ratio => "0 to 1",
            Self::Bool => "1 or 0",
        }
    }
}

/// How a value changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Up and down.
    Gauge,
    /// Only up, until what is counted starts anew.
    Counter,
}

/// What a metric means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// The name in every API.
    pub name: &'static str,
    /// The unit of the value.
    pub unit: Unit,
    /// What it describes.
    pub scope: Scope,
    /// How it changes.
    pub kind: Kind,
    /// The Flux service that it rests on. Series of a queue rest on [`Source::QueueStatus`] where
    /// this says [`Source::SchedStatus`].
    pub source: Source,
    /// Whether the sum over MiniClusters means something.
    pub summable: bool,
    /// Over how many seconds before it was proved the value is an average; `None`: it is of one
    /// moment.
    pub window: Option<u32>,
    /// Where Prometheus has it.
    pub prometheus: Place,
    /// One sentence for people.
    pub help: &'static str,
}

/// The label that tells the series of queues apart from the instance's.
pub const QUEUE_LABEL: &str = "queue";

/// Finds a metric by name.
pub fn find(name: &str) -> Option<&'static Metric> {
    static BY_NAME: LazyLock<HashMap<&str, &Metric>> =
        LazyLock::new(|| CATALOGUE.iter().map(|metric| (metric.name, metric)).collect());
    BY_NAME.get(name).copied()
}

/// The table, in the order in which people read it.
pub const CATALOGUE: &[Metric] = &joined::<{ rows() }>();

/// Its parts, one a file.
const PARTS: &[&[Metric]] =
    &[jobs::ROWS, queues::ROWS, resources::ROWS, demand::ROWS, broker::ROWS];

#[expect(clippy::indexing_slicing, reason = "the compiler runs it, and says so if it panics")]
const fn rows() -> usize {
    let (mut rows, mut part) = (0, 0);
    while part < PARTS.len() {
        rows += PARTS[part].len();
        part += 1;
    }
    rows
}

#[expect(clippy::indexing_slicing, reason = "the compiler runs it, and says so if it panics")]
const fn joined<const ROWS: usize>() -> [Metric; ROWS] {
    let mut all = [PARTS[0][0]; ROWS];
    let (mut at, mut part, mut row) = (0, 0, 0);
    while part < PARTS.len() {
        if row == PARTS[part].len() {
            (part, row) = (part + 1, 0);
        } else {
            all[at] = PARTS[part][row];
            (at, row) = (at + 1, row + 1);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fmt::Write as _, fs};

    use super::*;

    #[test]
    fn every_name_is_unique_and_fits_a_url_segment() {
        let mut seen = BTreeSet::new();
        for metric in CATALOGUE {
            assert!(seen.insert(metric.name), "{} stands twice", metric.name);
            assert!(
                metric
                    .name
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'),
                "{} has another character than a-z, 0-9 and _",
                metric.name
            );
            assert!(metric.help.ends_with('.'), "the help of {} is not a sentence", metric.name);
        }
    }

    /// What comes before the table in the document.
    const MARK: &str = "<!-- made from proto/src/catalogue -->\n";

    #[test]
    fn the_table_for_people_has_every_metric() {
        let mut table =
            "\n| metric | of | unit | Flux service | meaning |\n| --- | --- | --- | --- | --- |\n"
                .to_owned();
        for Metric { name, unit, scope, kind, source, help, .. } in CATALOGUE {
            let scope = match scope {
                Scope::Instance => "instance",
                Scope::InstanceAndQueue => "instance, queue",
                Scope::Broker => "broker",
            };
            let kind = if *kind == Kind::Counter { ", counted up" } else { "" };
            let (unit, source) = (unit.name(), source.name());
            writeln!(table, "| `{name}` | {scope} | {unit}{kind} | `{source}` | {help} |").unwrap();
        }
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/metrics.md");
        let text = fs::read_to_string(path).unwrap();
        let (prose, _) = text.split_once(MARK).expect("the mark before the table");
        let made = format!("{prose}{MARK}{table}");
        if made != text {
            fs::write(path, made).unwrap();
            panic!("{path} was not what the code says and is rewritten: look at it and commit it");
        }
    }

    #[test]
    fn the_eleven_names_of_the_python_metrics_api_are_there() {
        let states = ["new", "depend", "priority", "sched", "run", "cleanup", "inactive"];
        let names = states.map(|state| format!("job_queue_state_{state}_count"));
        let nodes =
            ["node_up_count", "node_free_count", "node_cores_up_count", "node_cores_free_count"];
        for name in names.iter().map(String::as_str).chain(nodes) {
            assert!(find(name).is_some(), "{name} is missing");
        }
    }
}
