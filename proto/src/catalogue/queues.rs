//! Whether queues take jobs and start them, and what the scheduler was asked for.

use super::{
    Kind::Gauge,
    Metric,
    Place::Alone,
    Scope::{Instance, InstanceAndQueue},
    Source,
    Unit::{Bool, Jobs},
};

pub(super) const ROWS: &[Metric] = &[
    queue(
        "queue_enabled",
        "enabled",
        "1 while jobs can be submitted, else 0; of the instance only where it has no named queues.",
    ),
    queue(
        "queue_started",
        "started",
        "1 while jobs are sent to the scheduler, else 0; of the instance only where it has no named \
         queues.",
    ),
    asked(
        "alloc_queue_length",
        "jobs_alloc_queued",
        "Jobs in SCHED that have not been sent to the scheduler yet, neither held nor in a stopped queue.",
    ),
    asked(
        "alloc_pending_count",
        "jobs_alloc_pending",
        "Jobs that the scheduler has been asked to place.",
    ),
];

const fn queue(name: &'static str, place: &'static str, help: &'static str) -> Metric {
    Metric {
        name,
        unit: Bool,
        scope: InstanceAndQueue,
        kind: Gauge,
        source: Source::Queues,
        summable: false,
        window: None,
        prometheus: Alone(place),
        help,
    }
}

const fn asked(name: &'static str, place: &'static str, help: &'static str) -> Metric {
    Metric {
        name,
        unit: Jobs,
        scope: Instance,
        kind: Gauge,
        source: Source::AllocQuery,
        summable: true,
        window: None,
        prometheus: Alone(place),
        help,
    }
}
