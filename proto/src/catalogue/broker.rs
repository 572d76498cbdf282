//! One broker, hence one pod.

use super::{
    Metric,
    Place::Alone,
    Scope::Broker,
    Source,
    Unit::{self, Seconds},
};

pub(super) const ROWS: &[Metric] = &[
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

const fn broker(name: &'static str, unit: Unit, summable: bool, help: &'static str) -> Metric {
    let prometheus = Alone(name);
    Metric { name, unit, scope: Broker, source: Source::Broker, summable, prometheus, help }
}
