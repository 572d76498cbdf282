//! Streams that are refused, and the line about each.

use std::{fmt, net::SocketAddr, sync::Arc};

use super::Claim;
use crate::telemetry::AUDIT_TARGET;

/// Why a stream is refused.
#[derive(Clone, Debug)]
pub struct Refused {
    /// What kind of reason it is.
    pub grounds: Grounds,
    /// Who it is of, as far as that is proved.
    pub who: Option<Arc<str>>,
    /// What is wrong, and what to do.
    why: String,
    /// What is between the gateway and its API server, and not for collectors.
    cause: Option<String>,
}

/// Kinds of reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grounds {
    /// It is not proved who reports, or not any more.
    Unproved,
    /// Who reports may not report this.
    Denied,
    /// There are too many.
    TooMany,
    /// It is not known at the moment.
    Undecided,
}

impl Refused {
    pub(super) fn unproved(why: String) -> Self {
        Self::on(Grounds::Unproved, why)
    }

    pub(super) fn denied(why: String) -> Self {
        Self::on(Grounds::Denied, why)
    }

    pub(super) fn too_many(why: String) -> Self {
        Self::on(Grounds::TooMany, why)
    }

    pub(super) fn undecided(why: String) -> Self {
        Self::on(Grounds::Undecided, why)
    }

    const fn on(grounds: Grounds, why: String) -> Self {
        Self { grounds, who: None, why, cause: None }
    }

    /// The same with a cause that the log alone is told.
    pub(super) fn since(self, cause: &impl fmt::Display) -> Self {
        Self { cause: Some(cause.to_string()), ..self }
    }

    /// What the log is told.
    pub fn for_log(&self) -> String {
        match &self.cause {
            Some(cause) => format!("{}: {cause}", self.why),
            None => self.why.clone(),
        }
    }

    /// The same of one who is known.
    pub(super) fn of(self, who: &Arc<str>) -> Self {
        Self { who: Some(Arc::clone(who)), ..self }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// Writes the line.
pub(super) fn tell(peer: SocketAddr, who: Option<&str>, claim: Option<&Claim>, why: &str) {
    tracing::warn!(
        target: AUDIT_TARGET,
        %peer,
        user = who,
        namespace = claim.map(|claim| &*claim.cluster.namespace),
        minicluster = claim.map(|claim| &*claim.cluster.name),
        rank = claim.map(|claim| claim.rank),
        why,
        "refused a stream"
    );
}
