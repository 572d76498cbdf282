//! Nodes, cores and GPUs: what there is, what is up, what is allocated.

use super::{
    Kind::Gauge,
    Metric,
    Place::{self, Alone, In, Same},
    Scope::{Instance, InstanceAndQueue},
    Source,
    Unit::{self, Cores, Gpus, Nodes},
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
        kind: Gauge,
        source: Source::SchedStatus,
        summable: false,
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
        prometheus,
        help,
    }
}
