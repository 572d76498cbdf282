//! Nodes, cores and GPUs: what there is, what is up, what is allocated.

use super::{
    Kind::Gauge,
    Metric,
    Place::{self, Alone, In, Same},
    Scope::{Instance, InstanceAndQueue},
    Source,
    Unit::{self, Cores, Gpus, Nodes, Ratio, Seconds},
    prometheus::{BROKERS, CORES, GPUS, NODES},
};

pub(super) const ROWS: &[Metric] = &[
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
    nodes("node_idle_count", Alone("nodes_idle"), "Up nodes with nothing allocated."),
    ratio(
        "node_utilization_ratio",
        "Part of the up nodes that has anything allocated; absent without any.",
    ),
    average("node_utilization_ratio_1m", 60, "node_utilization_ratio, on average over a minute."),
    average(
        "node_utilization_ratio_5m",
        300,
        "node_utilization_ratio, on average over five minutes.",
    ),
    Metric {
        scope: Instance,
        summable: false,
        ..resource(
            "node_idle_seconds",
            Alone("nodes_idle_seconds"),
            Seconds,
            "For how long there has been an idle node at any time, as far as the collector saw; 0 while \
             there is none.",
        )
    },
    // What was decided about nodes.
    decided("node_drained_count", "nodes_drained", "Drained nodes with nothing allocated."),
    decided("node_draining_count", "nodes_draining", "Drained nodes that still run a job."),
    decided("node_excluded_count", "nodes_excluded", "Nodes that the configuration excludes."),
    decided(
        "node_torpid_count",
        "nodes_torpid",
        "Nodes whose broker has not been heard of for a while, and is connected.",
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
    ratio(
        "core_utilization_ratio",
        "Part of the cores of up nodes that is allocated; absent without any.",
    ),
    gpus("gpu_total_count", Alone("gpus_configured"), "GPUs of all nodes, up or not."),
    gpus("gpu_up_count", In(&GPUS, "up"), "GPUs of up nodes."),
    gpus("gpu_free_count", Alone("gpus_free"), "Unallocated GPUs of up nodes."),
    gpus("gpu_allocated_count", Alone("gpus_allocated"), "Allocated GPUs, of up nodes or not."),
    gpus("gpu_down_count", In(&GPUS, "down"), "GPUs of down nodes."),
    ratio(
        "gpu_utilization_ratio",
        "Part of the GPUs of up nodes that is allocated; absent without any.",
    ),
    Metric {
        name: "cluster_size_min_safe",
        unit: Nodes,
        scope: Instance,
        kind: Gauge,
        source: Source::SchedStatus,
        summable: false,
        window: None,
        prometheus: Alone("cluster_size_min_safe"),
        help: "The smallest MiniCluster size that kills no job: 1 + the highest rank with anything \
               allocated, at least 1; it falls once the ranks above were idle for the hold-down.",
    },
    Metric {
        name: "node_online_count",
        unit: Nodes,
        scope: Instance,
        kind: Gauge,
        source: Source::Online,
        summable: true,
        window: None,
        prometheus: In(&BROKERS, "online"),
        help: "Brokers that are connected to the instance, drained ones included.",
    },
    Metric {
        name: "node_offline_count",
        unit: Nodes,
        scope: Instance,
        kind: Gauge,
        source: Source::Online,
        summable: true,
        window: None,
        prometheus: In(&BROKERS, "offline"),
        help: "Ranks of the instance's configured size whose broker is not connected.",
    },
];

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
        kind: Gauge,
        source: Source::SchedStatus,
        summable: true,
        window: None,
        prometheus,
        help,
    }
}

const fn ratio(name: &'static str, help: &'static str) -> Metric {
    Metric { summable: false, ..resource(name, Alone(name), Ratio, help) }
}

const fn average(name: &'static str, window: u32, help: &'static str) -> Metric {
    Metric { scope: Instance, window: Some(window), ..ratio(name, help) }
}

const fn decided(name: &'static str, place: &'static str, help: &'static str) -> Metric {
    Metric {
        scope: Instance,
        source: Source::ResourceStatus,
        ..resource(name, Alone(place), Nodes, help)
    }
}
