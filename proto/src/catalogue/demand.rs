//! What waiting jobs need, and the size that an autoscaler should choose.

use super::{
    Kind::Gauge,
    Metric,
    Place::{self, Alone},
    Scope::{Instance, InstanceAndQueue},
    Source,
    Unit::{self, Cores, Gpus, Jobs, NodeSeconds, Nodes, Seconds},
};

pub(super) const ROWS: &[Metric] = &[
    // What waiting jobs need. A job counts while more nodes would help it: it is in SCHED, neither
    // held nor in a stopped queue, its size is known, and the nodes that are neither drained nor
    // torpid would hold it if nothing else ran.
    Metric {
        name: "cluster_size_desired",
        unit: Nodes,
        scope: Instance,
        kind: Gauge,
        source: Source::Demand,
        summable: false,
        window: None,
        prometheus: Alone("cluster_size_desired"),
        help: "The smallest MiniCluster size that holds every running job where it is and all \
               waiting ones at once, at least cluster_size_min_safe; it falls as that one does.",
    },
    Metric {
        name: "cluster_size_desired_past_tolerance",
        unit: Nodes,
        scope: Instance,
        kind: Gauge,
        source: Source::Demand,
        summable: false,
        window: None,
        prometheus: Alone("cluster_size_desired_past_tolerance"),
        help: "cluster_size_desired and up to a tenth more, so that an autoscaler whose tolerance is the \
               usual 10 % grows to cluster_size_desired at least.",
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
    average("pending_nodes_demand_1m", 60, "pending_nodes_demand, on average over a minute."),
    average("pending_nodes_demand_5m", 300, "pending_nodes_demand, on average over five minutes."),
    Metric {
        summable: false,
        ..demand(
            "pending_nodes_head",
            Alone("pending_nodes_head"),
            Nodes,
            "Nodes that the first waiting job needs; 0 while none waits.",
        )
    },
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
        "running_remaining_node_seconds",
        Alone("running_remaining_node_seconds"),
        NodeSeconds,
        "Nodes × time that is left, summed up over the running jobs that have a time limit; absent where \
         the journal of jobs cannot be followed.",
    ),
    Metric {
        scope: Instance,
        summable: false,
        ..demand(
            "backlog_drain_seconds",
            Alone("backlog_drain_seconds"),
            Seconds,
            "How long the up nodes take at most for the backlog and what still runs, of jobs with a \
             time limit; absent as running_remaining_node_seconds.",
        )
    },
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
        kind: Gauge,
        source: Source::Demand,
        summable: false,
        window: None,
        prometheus: Alone("instance_idle_seconds"),
        help: "For how long there has been no active job, as far as the collector saw; 0 while \
               there is one.",
    },
];

const fn demand(name: &'static str, prometheus: Place, unit: Unit, help: &'static str) -> Metric {
    Metric {
        name,
        unit,
        scope: InstanceAndQueue,
        kind: Gauge,
        source: Source::Demand,
        summable: true,
        window: None,
        prometheus,
        help,
    }
}

const fn average(name: &'static str, window: u32, help: &'static str) -> Metric {
    Metric { scope: Instance, window: Some(window), ..demand(name, Alone(name), Nodes, help) }
}
