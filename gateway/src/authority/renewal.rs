//! What is to be done next with what the gateway made, and when: a function of it and of the terms.
//!
//! ```text
//!            ┌────────── Renew, at ⅔ of the certificate's life
//!            ▼      │
//!   CA A signs ─────┴─▶ Rotate, at ⅔ of A's life: clients trust A and B, A's certificate is served
//!            ▲                                        │ after an overlap
//!            │                                        ▼
//!   Retire: clients trust B ◀── after an overlap ── Renew: B signs
//! ```
//!
//! The overlap is the time that everybody has to learn whom to trust: a third of a certificate's
//! life, which is what is left of it when it is renewed. So the last certificate of A lasts until B
//! signs, and A's key is given up when B is made. When each step was is in the certificates
//! themselves, so that any replica goes on where another has stopped.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;

use super::{
    certificate::{earlier, later},
    content::Own,
    issue::{self, IssueError},
};

/// How long certificates last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// That of a CA. At least three times as long as the other, so that a third of it is left for
    /// the certificates that it has signed.
    pub ca: Duration,
    /// A serving certificate.
    pub certificate: Duration,
}

impl Terms {
    /// How long everybody has to learn of a new authority before it signs.
    pub(super) fn overlap(self) -> Duration {
        self.certificate / 3
    }
}

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The newest authority signs a new serving certificate.
    Renew,
    /// A new authority joins those that clients trust.
    Rotate,
    /// The older authorities leave.
    Retire,
}

/// A step, and when it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) at: Timestamp,
    pub(super) change: Change,
}

/// The next step.
pub(super) fn due(own: &Own, names: &BTreeSet<String>, terms: Terms) -> Due {
    let at = |at, change| Due { at, change };
    let overlap = terms.overlap();
    let signers = || own.older.iter().chain([&own.newest]);
    if !signers().any(|signer| signer.has_signed(&own.serving)) {
        // Nobody trusts what is served with: there is nothing to wait for.
        return at(Timestamp::MIN, Change::Renew);
    }
    if !own.is_of_newest() {
        // Where the old certificate ends before, some who trust too little are fewer than all.
        let last_moment = earlier(own.serving.ends, own.serving.life() / 6);
        return at(later(own.newest.made, overlap).min(last_moment), Change::Renew);
    }
    if !names.is_subset(&own.serving.names) {
        return at(Timestamp::MIN, Change::Renew);
    }
    let renew = at(two_thirds(own.serving.made, own.serving.life()), Change::Renew);
    let next = if own.older.is_empty() {
        at(two_thirds(own.newest.made, own.newest.life()), Change::Rotate)
    } else {
        at(later(own.serving.made, overlap), Change::Retire)
    };
    if next.at <= renew.at { next } else { renew }
}

/// What is after a step.
pub(super) fn after(
    change: Change,
    own: &Own,
    names: &BTreeSet<String>,
    terms: Terms,
    now: Timestamp,
) -> Result<Own, IssueError> {
    let mut next = own.clone();
    match change {
        Change::Renew => {
            let mut names = names.clone();
            if !names.is_subset(&own.serving.names) {
                // A replica that knows other names keeps them until the next time, lest both renew
                // in turn.
                names.extend(own.serving.names.iter().cloned());
            }
            let (newest, key) = (&own.newest, &own.newest_key);
            let issued = issue::serving(newest, key, &names, now, terms.certificate)?;
            (next.serving, next.serving_key) = (issued.certificate, issued.key);
        }
        Change::Rotate => {
            // What is served with must last until the next authority signs, and a while longer.
            if own.serving.ends < later(now, terms.overlap() * 3 / 2) {
                next = after(Change::Renew, own, names, terms, now)?;
            }
            let issued = issue::authority(now, terms.ca)?;
            next.older = vec![std::mem::replace(&mut next.newest, issued.certificate)];
            next.newest_key = issued.key;
        }
        Change::Retire => next.older.clear(),
    }
    Ok(next)
}

/// What there is at first.
pub(super) fn first(
    names: &BTreeSet<String>,
    terms: Terms,
    now: Timestamp,
) -> Result<Own, IssueError> {
    let authority = issue::authority(now, terms.ca)?;
    let (certificate, key) = (&authority.certificate, &authority.key);
    let serving = issue::serving(certificate, key, names, now, terms.certificate)?;
    Ok(Own::new(authority, serving))
}

/// What takes the place of a Secret that was deleted: another CA joins, so that deleting it is the
/// way to get one, and cuts nobody off. In the middle of a rotation it is what it was.
pub(super) fn restored(
    own: &Own,
    names: &BTreeSet<String>,
    terms: Terms,
    now: Timestamp,
) -> Result<Own, IssueError> {
    if own.older.is_empty() && own.is_of_newest() {
        return after(Change::Rotate, own, names, terms, now);
    }
    Ok(own.clone())
}

fn two_thirds(made: Timestamp, life: Duration) -> Timestamp {
    later(made, life * 2 / 3)
}

#[cfg(test)]
mod tests;
