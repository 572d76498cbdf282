//! Requests that are refused: what they are told, and a line in the log for each, who, what and
//! why. A bounded number of lines.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use metrics_api::status::{Reason, Status};
use tokio::time::Instant;

use super::{Question, Reader};
use crate::telemetry::AUDIT_TARGET;

/// Lines that are written in each [`WINDOW`]: enough to see what is wrong, and with 500 bytes each
/// at most 86 MB a day.
const LINES: u32 = 20;

const WINDOW: Duration = Duration::from_secs(10);

/// Why a request is refused.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// It is not known who asks.
    Unauthenticated(String),
    /// Who asks may not.
    Forbidden {
        /// Who asks.
        user: Arc<Reader>,
        /// What Kubernetes says about it, often nothing.
        reason: Arc<str>,
    },
    /// Nobody says whether they may.
    Unanswered(String),
}

impl Refusal {
    pub(super) fn invalid_token() -> Self {
        Self::Unauthenticated("the bearer token is nobody's".to_owned())
    }

    /// Nobody said in time whether they may.
    pub fn late(deadline: Duration) -> Self {
        Self::Unanswered(format!("no answer within {} s", deadline.as_secs()))
    }

    fn who_and_why(&self) -> (Option<&str>, &str) {
        match self {
            Self::Unauthenticated(why) | Self::Unanswered(why) => (None, why),
            Self::Forbidden { user, reason } if reason.is_empty() => {
                (Some(&user.name), "Kubernetes does not allow it")
            }
            Self::Forbidden { user, reason } => (Some(&user.name), reason),
        }
    }

    pub(super) fn status(&self, question: &Question<'_>) -> Status {
        match self {
            Self::Unauthenticated(_) => Status::unauthorized(),
            Self::Forbidden { user, reason } => question.forbidden(user, reason),
            Self::Unanswered(_) => Status::new(
                Reason::InternalError,
                "it is not known whether you may: the Kubernetes API server cannot be asked; the log \
                 of this server says why",
            ),
        }
    }
}

/// What has been said lately.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<Said>);

#[derive(Debug, Default)]
struct Said {
    since: Option<Instant>,
    lines: u32,
    withheld: u64,
}

impl Refusals {
    /// Tells about a refusal, unless there were many lately.
    pub(super) fn tell(&self, refusal: &Refusal, question: &Question<'_>, now: Instant) {
        if !self.has_room(now) {
            return;
        }
        let (user, why) = refusal.who_and_why();
        tracing::warn!(
            target: AUDIT_TARGET,
            user,
            verb = question.verb(),
            what = question.what(),
            why,
            "refused"
        );
    }

    /// Whether one more line may be written. Says how many were not before it.
    pub(super) fn has_room(&self, now: Instant) -> bool {
        let said = self.0.lock().unwrap_or_else(PoisonError::into_inner).one_more(now);
        if let Some(withheld) = said.filter(|withheld| *withheld > 0) {
            tracing::warn!(target: AUDIT_TARGET, withheld, "refused more than is told");
        }
        said.is_some()
    }
}

impl Said {
    /// Whether one more line may be written, and how many were not before it.
    fn one_more(&mut self, now: Instant) -> Option<u64> {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= WINDOW) {
            self.since = Some(now);
            self.lines = 0;
        }
        if self.lines == LINES {
            self.withheld += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.withheld))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_writes_few_lines_and_says_how_many_it_has_not() {
        let (mut said, start) = (Said::default(), Instant::now());
        let told = (0..1_000).filter(|_| said.one_more(start).is_some()).count();
        assert_eq!(told, 20);
        let almost = start + WINDOW - Duration::from_millis(1);
        assert_eq!(said.one_more(almost), None);
        assert_eq!(said.one_more(start + WINDOW), Some(981));
        assert_eq!(said.one_more(start + WINDOW), Some(0));
    }
}
