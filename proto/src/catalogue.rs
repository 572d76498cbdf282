//! Every metric that Fluxgauge knows, in one table.
//!
//! The table says what a metric *means*; the collector says how it is measured. A gateway lists
//! these names in its discovery documents, and also serves names that it does not know, from a
//! collector that is one version ahead.

pub mod prometheus;

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
    /// What waiting jobs need: `job-list.list`, and the services that say where they may run.
    Demand,
    /// The state of the one broker: `state-machine.get`.
    Broker,
}

impl Source {
    /// All sources, in the order in which samples list them.
    pub const ALL: [Self; 6] = [
        Self::JobStats,
        Self::SchedStatus,
        Self::QueueStatus,
        Self::Online,
        Self::Demand,
        Self::Broker,
    ];

    /// The name that the source has in samples and in error texts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::JobStats => "job-list.job-stats",
            Self::SchedStatus => "resource.sched-status",
            Self::QueueStatus => "resource.sched-status by queue",
            Self::Online => "groups.get broker.online",
            Self::Demand => "job-list.list",
            Self::Broker => "state-machine.get",
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
    /// 1 for yes, 0 for no.
    Bool,
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
    /// The Flux service that it rests on. Series of a queue rest on [`Source::QueueStatus`] where
    /// this says [`Source::SchedStatus`].
    pub source: Source,
    /// Whether the sum over MiniClusters means something.
    pub summable: bool,
    /// Where Prometheus has it.
    pub prometheus: Place,
    /// One sentence for people.
    pub help: &'static str,
}

/// The label that tells the series of queues apart from the instance's.
pub const QUEUE_LABEL: &str = "queue";

/// Finds a metric by name.
pub fn find(name: &str) -> Option<&'static Metric> {
    CATALOGUE.iter().find(|metric| metric.name == name)
}

use Place::{Alone, In, Same};
use Scope::{Broker, Instance, InstanceAndQueue};
use Unit::{Cores, Gpus, Jobs, NodeSeconds, Nodes, Seconds};
use prometheus::{BROKERS, CORES, GPUS, INACTIVE_JOBS, JOBS, NODES, Place};

/// The table.
pub const CATALOGUE: &[Metric] = &[
    // Jobs by state, under the names of the Python metrics API (RFC 21 names the states).
    jobs(
        "job_queue_state_new_count",
        In(&JOBS, "new"),
        Instance,
        "Jobs in NEW; always 0, since Flux counts a job from DEPEND on.",
    ),
    jobs(
        "job_queue_state_depend_count",
        In(&JOBS, "depend"),
        InstanceAndQueue,
        "Jobs that wait for a dependency or a begin time.",
    ),
    jobs(
        "job_queue_state_priority_count",
        In(&JOBS, "priority"),
        InstanceAndQueue,
        "Jobs that wait for a priority.",
    ),
    jobs(
        "job_queue_state_sched_count",
        In(&JOBS, "sched"),
        InstanceAndQueue,
        "Jobs that wait for resources, held ones included.",
    ),
    jobs("job_queue_state_run_count", In(&JOBS, "run"), InstanceAndQueue, "Jobs that run."),
    jobs(
        "job_queue_state_cleanup_count",
        In(&JOBS, "cleanup"),
        InstanceAndQueue,
        "Jobs that have ended and still hold resources.",
    ),
    jobs(
        "job_queue_state_inactive_count",
        In(&JOBS, "inactive"),
        InstanceAndQueue,
        "Jobs that have ended and are not purged yet.",
    ),
    // Inactive jobs by outcome: gauges, since a purge takes jobs out again.
    jobs(
        "job_successful_count",
        In(&INACTIVE_JOBS, "successful"),
        InstanceAndQueue,
        "Inactive jobs that succeeded.",
    ),
    jobs(
        "job_failed_count",
        In(&INACTIVE_JOBS, "failed"),
        InstanceAndQueue,
        "Inactive jobs that failed, neither canceled nor timed out.",
    ),
    jobs(
        "job_canceled_count",
        In(&INACTIVE_JOBS, "canceled"),
        InstanceAndQueue,
        "Inactive jobs that were canceled.",
    ),
    jobs(
        "job_timeout_count",
        In(&INACTIVE_JOBS, "timeout"),
        InstanceAndQueue,
        "Inactive jobs that ran out of time.",
    ),
    // Nodes. Excluded ranks count nowhere; a node in part allocated is both free and allocated.
    nodes(
        "node_total_count",
        Alone("nodes_configured"),
        "Nodes that Flux is configured for, up or not, excluded ones left out.",
    ),
    nodes(
        "node_up_count",
        In(&NODES, "up"),
        "Nodes that are online and neither drained nor torpid.",
    ),
    nodes(
        "node_free_count",
        Alone("nodes_free"),
        "Up nodes with at least one core or GPU unallocated.",
    ),
    nodes(
        "node_allocated_count",
        Alone("nodes_allocated"),
        "Nodes with at least one core or GPU allocated, up or not.",
    ),
    nodes(
        "node_down_count",
        In(&NODES, "down"),
        "Nodes that are offline, drained or torpid, even while they still run a job.",
    ),
    // Cores; the first two under the names of the Python metrics API.
    cores(
        "node_cores_up_count",
        Same("core_up_count"),
        "Cores of up nodes; the same as core_up_count.",
    ),
    cores(
        "node_cores_free_count",
        Same("core_free_count"),
        "Unallocated cores of up nodes; the same as core_free_count.",
    ),
    cores("core_total_count", Alone("cores_configured"), "Cores of all nodes, up or not."),
    cores("core_up_count", In(&CORES, "up"), "Cores of up nodes."),
    cores("core_free_count", Alone("cores_free"), "Unallocated cores of up nodes."),
    cores("core_allocated_count", Alone("cores_allocated"), "Allocated cores, of up nodes or not."),
    cores("core_down_count", In(&CORES, "down"), "Cores of down nodes."),
    gpus("gpu_total_count", Alone("gpus_configured"), "GPUs of all nodes, up or not."),
    gpus("gpu_up_count", In(&GPUS, "up"), "GPUs of up nodes."),
    gpus("gpu_free_count", Alone("gpus_free"), "Unallocated GPUs of up nodes."),
    gpus("gpu_allocated_count", Alone("gpus_allocated"), "Allocated GPUs, of up nodes or not."),
    gpus("gpu_down_count", In(&GPUS, "down"), "GPUs of down nodes."),
    Metric {
        name: "cluster_size_min_safe",
        unit: Nodes,
        scope: Instance,
        source: Source::SchedStatus,
        summable: false,
        prometheus: Alone("cluster_size_min_safe"),
        help: "The smallest MiniCluster size that kills no job: 1 + the highest rank with anything \
               allocated, at least 1; it falls once the ranks above were idle for the hold-down.",
    },
    // What waiting jobs need. A job counts while more nodes would help it: it is in SCHED, neither
    // held nor in a stopped queue, its size is known, and the nodes that are neither drained nor
    // torpid would hold it if nothing else ran.
    Metric {
        name: "cluster_size_desired",
        unit: Nodes,
        scope: Instance,
        source: Source::Demand,
        summable: false,
        prometheus: Alone("cluster_size_desired"),
        help: "The smallest MiniCluster size that holds every running job where it is and all \
               waiting ones at once, at least cluster_size_min_safe; it falls as that one does.",
    },
    demand(
        "pending_nodes_demand",
        Alone("pending_nodes_demand"),
        Nodes,
        "Nodes that waiting jobs need, each job by itself: small jobs count a node each.",
    ),
    demand(
        "pending_cores_demand",
        Alone("pending_cores_demand"),
        Cores,
        "Cores that waiting jobs ask for; of whole nodes all.",
    ),
    demand(
        "pending_gpus_demand",
        Alone("pending_gpus_demand"),
        Gpus,
        "GPUs that waiting jobs ask for; of whole nodes all.",
    ),
    Metric {
        summable: false,
        ..demand(
            "pending_nodes_max",
            Alone("pending_nodes_max"),
            Nodes,
            "Nodes that the largest waiting job needs.",
        )
    },
    Metric {
        summable: false,
        ..demand(
            "pending_oldest_age_seconds",
            Alone("pending_oldest_age_seconds"),
            Seconds,
            "Time since the oldest waiting job was submitted; 0 while none waits.",
        )
    },
    demand(
        "pending_backlog_node_seconds",
        Alone("pending_backlog_node_seconds"),
        NodeSeconds,
        "Nodes × time limit, summed up over the waiting jobs that have a time limit.",
    ),
    demand(
        "pending_unlimited_count",
        Alone("jobs_pending_unlimited"),
        Jobs,
        "Waiting jobs without a time limit.",
    ),
    demand(
        "job_held_count",
        Alone("jobs_held"),
        Jobs,
        "Jobs in SCHED with priority 0, which demand nothing.",
    ),
    demand(
        "job_stopped_count",
        Alone("jobs_stopped"),
        Jobs,
        "Jobs in SCHED, not held, whose queue is stopped, which demand nothing.",
    ),
    demand(
        "pending_unsized_count",
        Alone("jobs_pending_unsized"),
        Jobs,
        "Jobs in SCHED whose size or whose ranks cannot be told, which count in no demand.",
    ),
    demand(
        "pending_unsatisfiable_count",
        Alone("jobs_pending_unsatisfiable"),
        Jobs,
        "Jobs in SCHED that the nodes which are neither drained nor torpid would not hold if \
         nothing else ran, which count in no demand.",
    ),
    Metric {
        name: "instance_idle_seconds",
        unit: Seconds,
        scope: Instance,
        source: Source::Demand,
        summable: false,
        prometheus: Alone("instance_idle_seconds"),
        help: "For how long there has been no active job, as far as the collector saw; 0 while \
               there is one.",
    },
    Metric {
        name: "node_online_count",
        unit: Nodes,
        scope: Instance,
        source: Source::Online,
        summable: true,
        prometheus: In(&BROKERS, "online"),
        help: "Brokers that are connected to the instance, drained ones included.",
    },
    Metric {
        name: "node_offline_count",
        unit: Nodes,
        scope: Instance,
        source: Source::Online,
        summable: true,
        prometheus: In(&BROKERS, "offline"),
        help: "Ranks of the instance's configured size whose broker is not connected.",
    },
    // One broker, hence one pod.
    broker(
        "broker_up",
        Unit::Bool,
        true,
        "1 while the broker answers and is in state `run`, else 0.",
    ),
    broker("broker_rank", Unit::Rank, false, "The rank of the broker in its instance."),
    broker("broker_state_seconds", Seconds, false, "Time since the broker entered its state."),
    broker(
        "broker_rpc_rtt_seconds",
        Seconds,
        false,
        "Round trip of the last request to the broker over its local socket.",
    ),
];

const fn jobs(name: &'static str, prometheus: Place, scope: Scope, help: &'static str) -> Metric {
    Metric { name, unit: Jobs, scope, source: Source::JobStats, summable: true, prometheus, help }
}

const fn nodes(name: &'static str, prometheus: Place, help: &'static str) -> Metric {
    resource(name, prometheus, Nodes, help)
}

const fn cores(name: &'static str, prometheus: Place, help: &'static str) -> Metric {
    resource(name, prometheus, Cores, help)
}

const fn gpus(name: &'static str, prometheus: Place, help: &'static str) -> Metric {
    resource(name, prometheus, Gpus, help)
}

const fn resource(name: &'static str, prometheus: Place, unit: Unit, help: &'static str) -> Metric {
    Metric {
        name,
        unit,
        scope: InstanceAndQueue,
        source: Source::SchedStatus,
        summable: true,
        prometheus,
        help,
    }
}

const fn demand(name: &'static str, prometheus: Place, unit: Unit, help: &'static str) -> Metric {
    Metric {
        name,
        unit,
        scope: InstanceAndQueue,
        source: Source::Demand,
        summable: true,
        prometheus,
        help,
    }
}

const fn broker(name: &'static str, unit: Unit, summable: bool, help: &'static str) -> Metric {
    let prometheus = Alone(name);
    Metric { name, unit, scope: Broker, source: Source::Broker, summable, prometheus, help }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_name_is_unique_and_fits_a_url_segment() {
        let mut seen = BTreeSet::new();
        for metric in CATALOGUE {
            assert!(seen.insert(metric.name), "{} stands twice", metric.name);
            assert!(
                metric.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
                "{} has another character than a-z and _",
                metric.name
            );
            assert!(metric.help.ends_with('.'), "the help of {} is not a sentence", metric.name);
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
