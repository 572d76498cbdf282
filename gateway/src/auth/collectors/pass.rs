//! What a stream may do, and until when.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use super::{Claim, Collectors, Refused, certificates::Shown, identity::Identity, proved_pod};
use crate::{
    auth::digest::Digest,
    clock::Moment,
    model::Standing,
    pods::{Pod, Pods, Sight},
};

/// The longest time for which one proof counts, whatever its credential says: tokens of service
/// accounts may last a year, and one that was taken back is noticed by then.
pub const MAX_PASS: Duration = Duration::from_secs(60 * 60);

/// The shortest, where a clock says that a token has expired and Kubernetes says that it has not.
const MIN_PASS: Duration = Duration::from_secs(10);

/// Who reports, and by what that is known.
#[derive(Debug)]
pub(super) struct Proof {
    /// In a few words.
    pub(super) who: Arc<str>,
    pub(super) identity: Identity,
    pub(super) credential: Credential,
    /// When its credential expires, as far as that is known.
    pub(super) expires: Option<SystemTime>,
}

/// What has proved it.
#[derive(Debug)]
pub(super) enum Credential {
    /// Nothing was asked for.
    None,
    /// A token that Kubernetes knows.
    Reviewed,
    /// A token of a namespace.
    OfNamespace(Digest),
    /// A certificate.
    Certificate(Shown),
}

/// The right of a stream to report what it has claimed.
#[derive(Debug)]
pub struct Pass {
    collectors: Collectors,
    proof: Proof,
    until: Option<Instant>,
}

impl Pass {
    pub(super) fn of_anybody(collectors: &Collectors) -> Self {
        let proof = Proof {
            who: "anybody".into(),
            identity: Identity::Anybody,
            credential: Credential::None,
            expires: None,
        };
        Self { collectors: collectors.clone(), proof, until: None }
    }

    /// The right of one who is proved to what it claims.
    pub(super) fn new(
        collectors: &Collectors,
        proof: Proof,
        claim: &Claim,
        now: Moment,
    ) -> Result<Self, Refused> {
        let who = &proof.who;
        proof.identity.may(claim).map_err(|why| {
            Refused::denied(format!("this collector may not report that: {why}")).of(who)
        })?;
        if !matches!(proof.identity, Identity::Pod(_)) {
            has_pod(&collectors.0.pods.load(), claim, now.instant)
                .map_err(|why| Refused::denied(why).of(who))?;
        }
        let until = now.instant + lasts(proof.expires, now.wall);
        Ok(Self { collectors: collectors.clone(), proof, until: Some(until) })
    }

    /// Who has it, in a few words.
    pub fn who(&self) -> &str {
        &self.proof.who
    }

    /// A refusal of who has it, for another reason.
    pub fn refused(&self, why: String) -> Refused {
        Refused::denied(why).of(&self.proof.who)
    }

    /// How exactly it is proved where the collector runs.
    pub const fn standing(&self) -> Standing {
        self.proof.identity.standing()
    }

    /// The pod that the collector runs in, where that is proved.
    pub const fn pod(&self) -> Option<&Arc<Pod>> {
        match &self.proof.identity {
            Identity::Pod(pod) => Some(pod),
            _ => None,
        }
    }

    /// Whether the stream goes on. Costs some look-ups.
    ///
    /// # Errors
    ///
    /// When it is over: its credential has expired or was taken back, or its pod is gone.
    pub fn check(&self, now: Moment) -> Result<(), Refused> {
        self.holds(now).map_err(|refused| refused.of(&self.proof.who))
    }

    fn holds(&self, now: Moment) -> Result<(), Refused> {
        if self.until.is_some_and(|until| now.instant >= until) {
            return Err(Refused::unproved(
                "the credential of this stream is to be shown again: reconnect with a new one"
                    .to_owned(),
            ));
        }
        let ways = self.collectors.0.ways.as_ref();
        match &self.proof.credential {
            Credential::None | Credential::Reviewed => {}
            Credential::OfNamespace(name) => {
                if !ways.and_then(|ways| ways.tokens.as_ref()).is_some_and(|it| it.knows(*name)) {
                    return Err(Refused::unproved(
                        "the token of this namespace was taken back: reconnect with the new one"
                            .to_owned(),
                    ));
                }
            }
            Credential::Certificate(shown) => {
                if let Some(certificates) = ways.and_then(|ways| ways.certificates.as_ref()) {
                    certificates.still_trusts(shown, now)?;
                }
            }
        }
        match &self.proof.identity {
            Identity::Pod(pod) => proved_pod::speaks(&self.collectors.0.pods.load(), pod),
            _ => Ok(()),
        }
    }
}

/// How long a proof counts.
fn lasts(expires: Option<SystemTime>, now: SystemTime) -> Duration {
    let left = expires.map(|expires| expires.duration_since(now).unwrap_or_default());
    left.map_or(MAX_PASS, |left| left.clamp(MIN_PASS, MAX_PASS))
}

/// Whether a pod is there for which a collector that proves none reports, where its MiniCluster has
/// pods that are known.
fn has_pod(pods: &Pods, claim: &Claim, now: Instant) -> Result<(), String> {
    let Pods::Known(known) = pods else { return Ok(()) };
    let (namespace, name) = (&claim.cluster.namespace, &claim.cluster.name);
    match known.minicluster(namespace, name, now) {
        Sight::Runs(minicluster) if !minicluster.holders.contains_key(&claim.rank) => Err(format!(
            "MiniCluster {name} has no pod of index {} that runs: try again when it has",
            claim.rank
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_a_proof_counts_has_bounds_whatever_clocks_say() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_460_400);
        let minute = Duration::from_secs(60);
        for (expires, expected) in [
            (None, MAX_PASS),
            (Some(now + minute), minute),
            (Some(now + 365 * 24 * MAX_PASS), MAX_PASS),
            (Some(now), MIN_PASS),
            (Some(now - minute), MIN_PASS),
        ] {
            assert_eq!(lasts(expires, now), expected, "{expires:?}");
        }
    }
}
