//! Why a question has no answer, in words that reach whoever asked.

use std::time::Duration;

use thiserror::Error;

/// Why there is no value.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// No object of this kind has such a metric.
    #[error("{0}")]
    UnknownMetric(String),
    /// The object is not known, or has no such value now; the text says why.
    #[error("{0}")]
    NotFound(String),
    /// There is a value, too old to be served.
    #[error("{}last sample is {}s old, limit {}s{}", .member, .age.as_secs(), .limit.as_secs(), .why)]
    TooOld {
        /// `MiniCluster NAME: ` where the object asked for is another, `METRIC: ` where it is of another
        /// metric, else empty.
        member: String,
        /// How old.
        age: Duration,
        /// How old it may be.
        limit: Duration,
        /// What the collector said of the source, after `; `, else empty.
        why: String,
    },
    /// The request cannot be answered as it stands; the text says what to change.
    #[error("{0}")]
    Bad(String),
}

impl Error {
    /// Names the metric without which there is no derived one.
    pub(super) fn of_input(self, name: &str) -> Self {
        match self {
            Self::TooOld { age, limit, why, .. } => {
                Self::TooOld { member: format!("{name}: "), age, limit, why }
            }
            Self::NotFound(reason) => Self::NotFound(format!("{name}: {reason}")),
            other @ (Self::UnknownMetric(_) | Self::Bad(_)) => other,
        }
    }

    /// Names the MiniCluster that spoils a sum.
    pub(super) fn of_member(self, name: &str) -> Self {
        match self {
            Self::TooOld { age, limit, why, .. } => {
                Self::TooOld { member: format!("MiniCluster {name}: "), age, limit, why }
            }
            Self::NotFound(reason) => Self::NotFound(format!("MiniCluster {name}: {reason}")),
            other @ (Self::UnknownMetric(_) | Self::Bad(_)) => other,
        }
    }
}
