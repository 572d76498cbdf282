//! Jobs by state and outcome.

use super::{
    Kind::{Counter, Gauge},
    Metric,
    Place::{self, Alone, In},
    Scope::{self, Instance, InstanceAndQueue},
    Source,
    Unit::{Jobs, JobsPerSecond, Times},
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
    jobs(
        "job_inactive_purged_count",
        Alone("jobs_purged"),
        InstanceAndQueue,
        "Inactive jobs that were purged since the instance started.",
    ),
    // Sums over states.
    jobs(
        "job_pending_count",
        Alone("jobs_pending"),
        InstanceAndQueue,
        "Jobs that have not started: those in DEPEND, PRIORITY and SCHED.",
    ),
    jobs(
        "job_running_count",
        Alone("jobs_running"),
        InstanceAndQueue,
        "Jobs that have started and are not inactive: those in RUN and CLEANUP.",
    ),
    jobs("job_active_count", Alone("jobs_active"), InstanceAndQueue, "Jobs that are not inactive."),
    // What the journal of jobs tells, where it can be followed.
    rate(
        "job_submitted_rate_1m",
        60,
        "Jobs submitted in a second, on average over a minute; absent where the journal of jobs cannot be followed.",
    ),
    rate(
        "job_submitted_rate_5m",
        300,
        "Jobs submitted in a second, on average over five minutes; absent where the journal of jobs cannot be followed.",
    ),
    rate(
        "job_ended_rate_1m",
        60,
        "Jobs that became inactive in a second, on average over a minute; absent where the journal of jobs cannot be followed.",
    ),
    rate(
        "job_ended_rate_5m",
        300,
        "Jobs that became inactive in a second, on average over five minutes; absent where the journal of jobs cannot be followed.",
    ),
    Metric {
        name: "journal_disagreements_total",
        unit: Times,
        scope: Instance,
        kind: Counter,
        source: Source::JobStats,
        summable: true,
        window: None,
        prometheus: Alone("journal_disagreements"),
        help: "How often what the journal of jobs said was not what another service counted, after \
               which the journal was read anew; since the collector connected to the broker.",
    },
];

const fn jobs(name: &'static str, prometheus: Place, scope: Scope, help: &'static str) -> Metric {
    Metric {
        name,
        unit: Jobs,
        scope,
        kind: Gauge,
        source: Source::JobStats,
        summable: true,
        window: None,
        prometheus,
        help,
    }
}

const fn rate(name: &'static str, window: u32, help: &'static str) -> Metric {
    Metric { unit: JobsPerSecond, window: Some(window), ..jobs(name, Alone(name), Instance, help) }
}
