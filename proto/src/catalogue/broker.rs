//! One broker, hence one pod.

use super::{
    Kind::{self, Counter, Gauge},
    Metric,
    Place::Alone,
    Scope::Broker,
    Source::{self, Heartbeat, Lead, Modules, Overlay, OverlayStats, Rusage},
    Unit::{self, Bool, Bytes, Messages, Nodes, Rank, Seconds, Times},
};

pub(super) const ROWS: &[Metric] = &[
    Metric {
        summable: true,
        ..state("broker_up", Bool, "1 while the broker answers and is in state `run`, else 0.")
    },
    state("broker_rank", Rank, "The rank of the broker in its instance."),
    state("broker_state_seconds", Seconds, "Time since the broker entered its state."),
    state(
        "broker_rpc_rtt_seconds",
        Seconds,
        "Round trip of the last request to the broker over its local socket.",
    ),
    state("broker_uptime_seconds", Seconds, "Time since the broker started."),
    of(
        Source::Broker,
        "broker_reconnects_total",
        "broker_reconnects",
        Times,
        Counter,
        "How often the collector has connected to its broker again, since the collector started.",
    ),
    of(
        Heartbeat,
        "broker_heartbeat_age_seconds",
        "broker_heartbeat_age_seconds",
        Seconds,
        Gauge,
        "Time since the last heartbeat of the instance arrived at the broker; absent before the first.",
    ),
    of(
        OverlayStats,
        "broker_overlay_rpcs_count",
        "broker_overlay_rpcs",
        Messages,
        Gauge,
        "Requests that the broker has sent to its neighbours in the overlay network, or has passed on, and \
         that are not answered yet.",
    ),
    of(
        Lead,
        "broker_rpc_rtt_root_seconds",
        "broker_rpc_rtt_root_seconds",
        Seconds,
        Gauge,
        "Round trip of the last request to the lead broker, over the local socket and the overlay network.",
    ),
    of(
        Rusage,
        "broker_cpu_user_seconds_total",
        "broker_cpu_user_seconds",
        Seconds,
        Counter,
        "Time on processors of the broker's process in its own code, since it started.",
    ),
    of(
        Rusage,
        "broker_cpu_system_seconds_total",
        "broker_cpu_system_seconds",
        Seconds,
        Counter,
        "Time on processors of the broker's process in the kernel, since it started.",
    ),
    of(
        Rusage,
        "broker_memory_max_bytes",
        "broker_memory_max_bytes",
        Bytes,
        Gauge,
        "The most memory that was resident of the broker's process at once, since it started.",
    ),
    of(
        Overlay,
        "broker_overlay_degraded",
        "broker_overlay_degraded",
        Bool,
        Gauge,
        "1 while a broker below this one in the overlay network is lost, else 0; those that have not come \
         yet are not lost.",
    ),
    of(
        Overlay,
        "broker_overlay_children_count",
        "broker_overlay_children",
        Nodes,
        Gauge,
        "Brokers that are directly below this one in the overlay network, connected or not.",
    ),
    of(
        Overlay,
        "broker_overlay_children_online_count",
        "broker_overlay_children_online",
        Nodes,
        Gauge,
        "Those of them that are connected.",
    ),
    of(
        Modules,
        "broker_module_queue_max",
        "broker_module_queue_max",
        Messages,
        Gauge,
        "Messages that wait to or from the module of the broker that has most of them.",
    ),
];

const fn state(name: &'static str, unit: Unit, help: &'static str) -> Metric {
    of(Source::Broker, name, name, unit, Gauge, help)
}

const fn of(
    source: Source,
    name: &'static str,
    place: &'static str,
    unit: Unit,
    kind: Kind,
    help: &'static str,
) -> Metric {
    let prometheus = Alone(place);
    Metric {
        name,
        unit,
        scope: Broker,
        kind,
        source,
        summable: false,
        window: None,
        prometheus,
        help,
    }
}
