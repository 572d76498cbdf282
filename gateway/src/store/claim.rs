//! Which stream may write a slot, and which other it gives way to. Pure.

use std::sync::Arc;

use thiserror::Error;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{MAX_REPORTERS, TooMuch};
use crate::model::{Reporter, Size, Standing};

/// Why a slot could not be claimed.
#[derive(Debug, Error, PartialEq)]
pub enum ClaimError {
    /// A younger broker of the same rank reports.
    #[error(
        "rank {rank} is reported by a younger broker, started {newer} s after the epoch, and this \
         one started {older} s after it: a newer lead broker replaces an older one"
    )]
    Superseded {
        /// The rank that both claim.
        rank: u32,
        /// The start of the broker that holds the slot.
        newer: f64,
        /// The start of the broker that was refused.
        older: f64,
    },
    /// A stream of the same rank has proved more exactly where it runs.
    #[error(
        "rank {rank} is reported by a collector that has proved more exactly that it runs there: let \
         this one prove its pod, too"
    )]
    Outranked {
        /// The rank that both claim.
        rank: u32,
    },
    /// The namespace is at its bound.
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
    /// The store is full.
    #[error("this gateway keeps at most {MAX_REPORTERS} collectors and has that many")]
    Full,
}

/// Another stream has claimed the slot since.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("a newer stream reports this rank of the MiniCluster")]
pub struct Replaced;

/// Why a snapshot was not taken.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Unpublished {
    /// Another stream has the slot.
    #[error(transparent)]
    Replaced(#[from] Replaced),
    /// The namespace is at its bound.
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
}

/// Which stream may write a slot.
#[derive(Debug)]
pub(super) struct Claim {
    /// Grows with each claim; a writer with another epoch has been replaced.
    pub(super) epoch: u64,
    /// Tells that stream when another one has claimed the slot.
    pub(super) replaced: CancellationToken,
    pub(super) reporter: Arc<Reporter>,
    /// When the stream ended; `None` while it lives.
    pub(super) ended: Option<Instant>,
    /// What the newest snapshot takes.
    pub(super) size: Size,
}

impl Claim {
    /// Whether a stream lives that may not be replaced by this reporter.
    pub(super) fn stands_against(&self, reporter: &Reporter) -> Result<(), ClaimError> {
        if self.ended.is_some() {
            return Ok(());
        }
        let (held, rank) = (&self.reporter, reporter.rank);
        if held.standing > reporter.standing {
            return Err(ClaimError::Outranked { rank });
        }
        // Which of two pods holds the index is Kubernetes' to say, and not their clocks'.
        let by_clock = held.standing == reporter.standing && held.standing < Standing::Pod;
        let (newer, older) = (held.broker_start, reporter.broker_start);
        if by_clock && older > 0.0 && newer > older {
            return Err(ClaimError::Superseded { rank, newer, older });
        }
        Ok(())
    }
}
