//! What a release of flux-core does differently, between 0.40 and 0.88.
//!
//! One question a method, answered by the minor number alone. The releases of which bytes were
//! recorded (0.45, 0.49, 0.54, 0.60, 0.72, 0.88) are checked against them; what 0.40 to 0.44 do is
//! taken from Flux's history.

use std::{fmt, str::FromStr};

/// A release, `0.<minor>.<patch>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    minor: u32,
    patch: u32,
}

/// A release that cannot be played.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no release of Flux between 0.40 and 0.99: write it like 0.88 or 0.88.0")]
pub struct ReleaseError(String);

impl Default for Release {
    fn default() -> Self {
        Self::new(88)
    }
}

impl Release {
    /// `0.<minor>.0`
    pub const fn new(minor: u32) -> Self {
        Self { minor, patch: 0 }
    }

    /// Roles of a response: LOCAL is among them since 0.51, and not from another rank.
    pub(crate) const fn rolemask(self, from_local_rank: bool) -> u32 {
        if self.minor >= 51 && from_local_rank { OWNER | LOCAL } else { OWNER }
    }

    /// Events name their publisher.
    pub(crate) const fn events_have_route(self) -> bool {
        self.minor >= 56
    }

    /// Modules spell it `stats-get`, before that `stats.get`.
    pub(crate) const fn stats_method(self) -> &'static str {
        if self.minor >= 49 { "stats-get" } else { "stats.get" }
    }

    /// Guests may read the statistics of modules.
    pub(crate) const fn guests_read_stats(self) -> bool {
        self.minor >= 53
    }

    /// Guests may read the configuration.
    pub(crate) const fn guests_read_config(self) -> bool {
        self.minor >= 46
    }

    /// job-stats goes on after its first answer, and job-list counts who watches.
    pub(crate) const fn job_stats_streams(self) -> bool {
        self.minor >= 55
    }

    /// job-stats has `queues` and `successful`; job-manager knows queues.
    pub(crate) const fn has_queues(self) -> bool {
        self.minor >= 45
    }

    /// job-stats lists a queue before it has seen a job.
    pub(crate) const fn lists_idle_queues(self) -> bool {
        self.minor >= 59
    }

    /// job-stats has `inactive_purged`.
    pub(crate) const fn counts_purged(self) -> bool {
        self.minor >= 46
    }

    /// `failed` has canceled jobs and timeouts in it.
    pub(crate) const fn failed_includes_all(self) -> bool {
        self.minor < 50
    }

    /// `job-list.list` takes a constraint, and does without the keys that it replaces.
    pub(crate) const fn lists_by_constraint(self) -> bool {
        self.minor >= 53
    }

    /// `queue-status` says whether a queue is started, apart from enabled.
    pub(crate) const fn queues_start(self) -> bool {
        self.minor >= 46
    }

    /// `resource.sched-status` is there.
    pub(crate) const fn has_sched_status(self) -> bool {
        self.minor >= 61
    }

    /// `resource.status` has `torpid`.
    pub const fn has_torpid(self) -> bool {
        self.minor >= 65
    }

    /// `job-manager` has housekeeping in its statistics.
    pub(crate) const fn has_housekeeping(self) -> bool {
        self.minor >= 72
    }

    /// The journal counts its events.
    pub(crate) const fn counts_journal_events(self) -> bool {
        self.minor >= 61
    }

    /// The journal of jobs begins with all that is active, and tells what jobs ask for and get.
    pub const fn journal_has_backlog(self) -> bool {
        self.minor >= 61
    }

    /// What happens to ranks has a journal.
    pub(crate) const fn has_resource_journal(self) -> bool {
        self.minor >= 72
    }

    /// Heartbeat has statistics of its own, for owners.
    pub(crate) const fn has_heartbeat_stats(self) -> bool {
        self.minor >= 72
    }

    /// Whether guests may ask what a broker's process has used.
    pub(crate) const fn guests_read_usage(self) -> bool {
        self.minor >= 53
    }

    /// Whether modules are listed under the name of today.
    pub(crate) const fn lists_modules(self) -> bool {
        self.minor >= 72
    }

    /// An answer to a ping names the rank.
    pub(crate) const fn ping_has_rank(self) -> bool {
        self.minor >= 50
    }

    /// The attribute `broker.uuid` is set.
    pub(crate) const fn has_broker_uuid(self) -> bool {
        self.minor >= 81
    }
}

const OWNER: u32 = 1;
const LOCAL: u32 = 4;

impl FromStr for Release {
    type Err = ReleaseError;

    fn from_str(text: &str) -> Result<Self, ReleaseError> {
        let number = text.strip_prefix('v').unwrap_or(text);
        let mut parts = number.split('.').map(str::parse);
        let release = match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Ok(0)), Some(Ok(minor)), None, None) => Self::new(minor),
            (Some(Ok(0)), Some(Ok(minor)), Some(Ok(patch)), None) => Self { minor, patch },
            _ => return Err(ReleaseError(text.to_owned())),
        };
        if (40..100).contains(&release.minor) {
            Ok(release)
        } else {
            Err(ReleaseError(text.to_owned()))
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0.{}.{}", self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests;
