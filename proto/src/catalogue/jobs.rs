//! Jobs by state and outcome.

use super::{
    Kind::Gauge,
    Metric,
    Place::{self, In},
    Scope::{self, Instance, InstanceAndQueue},
    Source,
    Unit::Jobs,
    prometheus::{INACTIVE_JOBS, JOBS},
};

pub(super) const ROWS: &[Metric] = &[
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
];

const fn jobs(name: &'static str, prometheus: Place, scope: Scope, help: &'static str) -> Metric {
    Metric {
        name,
        unit: Jobs,
        scope,
        kind: Gauge,
        source: Source::JobStats,
        summable: true,
        prometheus,
        help,
    }
}
