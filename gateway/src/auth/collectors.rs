//! Who reports, and what they may.
//!
//! ```text
//!  certificate ──▶ certificates ◀── --collector-ca ──────────┐
//!                      │                                     ├─ read again and again
//!  token ──▶ namespace_tokens ◀──── --collector-token-dir ───┘
//!    │                 │
//!    └──▶ accounts ────┤  TokenReview: which account, which pod
//!            │         │
//!          pods, owners│  which index of which MiniCluster
//!            ▼         ▼
//!          Proof ──▶ Identity ──may it claim this?──▶ Pass ──▶ ingest
//!                                                      └─ looked at again while the stream lasts
//! ```
//!
//! In this order: a certificate of the collectors' authority, else a token of a namespace's file, else a
//! token that Kubernetes knows. What cannot be decided is refused. No credential outlives itself: a pass
//! ends with its token, its certificate, its file or its pod.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http::HeaderMap;
use rustls_pki_types::CertificateDer;
use tokio::time::{Instant, MissedTickBehavior, timeout};

use crate::{
    auth::{PolicyError, refusals::Refusals, token, token::Token},
    clock::Moment,
    crowd::{Crowd, Full, Place},
    kubernetes::Kubernetes,
    pods,
    telemetry::Authorization,
    tls::RELOAD_INTERVAL,
};

mod accounts;
mod certificates;
mod identity;
mod namespace_tokens;
mod owners;
mod pass;
mod policy;
mod proved_pod;
mod refused;

pub use identity::Claim;
pub use namespace_tokens::MAX_NAMESPACES;
pub use owners::MAX_JOBS;
pub use pass::{MAX_PASS, Pass};
pub use policy::{AUDIENCE, Accounts as AccountPolicy, Policy, Ways as WayPolicy};
pub use proved_pod::PODS_PATIENCE;
pub use refused::{Grounds, Refused};

use accounts::Accounts;
use certificates::{Certificates, Shown};
use namespace_tokens::NamespaceTokens;
use pass::Proof;

/// How long it may take to find out who reports. A collector waits 10 s for the answer to its hello.
pub const ADMISSION_TIMEOUT: Duration = Duration::from_secs(8);

/// Streams at once of which it is not known whose they are. Each waits for a hello and an answer, some
/// milliseconds, so that as many collectors can come back in a second as a gateway keeps.
pub const MAX_UNPROVED: usize = 1024;

/// The same of one address. A pod has one, but nodes may put theirs before those of all their pods.
pub const MAX_UNPROVED_OF_PEER: usize = 128;

/// Who may report. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Collectors(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// `None`: anybody.
    ways: Option<Ways>,
    pods: pods::Shared,
    /// Streams of which it is not known whose they are.
    unproved: Arc<Crowd>,
    refusals: Refusals,
}

/// How collectors can prove who they are.
#[derive(Debug)]
struct Ways {
    certificates: Option<Certificates>,
    tokens: Option<NamespaceTokens>,
    accounts: Option<Accounts>,
}

/// The collector at the other end of one connection.
#[derive(Debug)]
pub struct Caller {
    collectors: Collectors,
    peer: SocketAddr,
    shown: Option<Shown>,
}

impl Collectors {
    /// Those of a policy, whose questions to Kubernetes are counted. Reads the files that it names for
    /// the first time.
    ///
    /// # Errors
    ///
    /// When nobody could ever report, or when a file cannot be used.
    pub fn new(
        policy: &Policy,
        kubernetes: Option<&Kubernetes>,
        pods: &pods::Shared,
        counters: &Arc<Authorization>,
    ) -> Result<Self, PolicyError> {
        let Policy::Proved(wanted) = policy else { return Ok(Self::by(None, pods)) };
        let key = || token::random_key().ok_or(PolicyError::NoRandomNumbers);
        let certificates = wanted.authority.as_ref().map(|file| {
            Certificates::read(file, wanted.by_namespace)
                .map_err(|problem| PolicyError::CollectorCa { path: file.clone(), problem })
        });
        let tokens = wanted.token_dir.as_ref().map(|dir| {
            NamespaceTokens::read(dir, key()?)
                .map_err(|problem| PolicyError::TokenDir { path: dir.clone(), problem })
        });
        let accounts = kubernetes.zip(wanted.accounts.as_ref()).map(|(kubernetes, accounts)| {
            Ok(Accounts::new(kubernetes, key()?, accounts, wanted.by_namespace, counters))
        });
        let ways = Ways {
            certificates: certificates.transpose()?,
            tokens: tokens.transpose()?,
            accounts: accounts.transpose()?,
        };
        if ways.certificates.is_none() && ways.tokens.is_none() && ways.accounts.is_none() {
            return Err(PolicyError::NobodyReports);
        }
        Ok(Self::by(Some(ways), pods))
    }

    fn by(ways: Option<Ways>, pods: &pods::Shared) -> Self {
        Self(Arc::new(Inner {
            ways,
            pods: pods.clone(),
            unproved: Crowd::new(MAX_UNPROVED, MAX_UNPROVED_OF_PEER),
            refusals: Refusals::default(),
        }))
    }

    /// The collector of a connection, which has shown these certificates, its own first.
    pub fn on(&self, peer: SocketAddr, certificates: Vec<CertificateDer<'static>>) -> Caller {
        Caller { collectors: self.clone(), peer, shown: Shown::new(certificates) }
    }

    /// Reads the files again and again, for ever; returns where there are none.
    pub async fn follow(&self) {
        let ways = self.0.ways.as_ref();
        if !ways.is_some_and(|ways| ways.certificates.is_some() || ways.tokens.is_some()) {
            return;
        }
        let mut tick = tokio::time::interval(RELOAD_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let this = self.clone();
            // They may lie on a slow volume, and reading blocks.
            let read = tokio::task::spawn_blocking(move || this.reload()).await;
            if let Err(error) = read {
                tracing::error!(%error, "the files of collectors' credentials cannot be read again");
            }
        }
    }

    /// Reads the files again.
    fn reload(&self) {
        let Some(ways) = &self.0.ways else { return };
        if let Some(certificates) = &ways.certificates {
            certificates.reload();
        }
        if let Some(tokens) = &ways.tokens {
            tokens.reload();
        }
    }
}

impl Caller {
    /// Lets a stream in that has proved nothing yet.
    ///
    /// # Errors
    ///
    /// When there are too many of these.
    pub fn enter(&self) -> Result<Place, Refused> {
        self.collectors.0.unproved.enter(self.peer.ip()).map_err(|Full { of_peer, all }| {
            Refused::too_many(format!(
                "too many collectors come at once ({of_peer} from this address, {all} in all): try again"
            ))
        })
    }

    /// What a stream may do that was opened with these headers and claims this. Asks Kubernetes where
    /// it must.
    ///
    /// # Errors
    ///
    /// When it may do nothing, or when nobody says so in time.
    pub async fn admit(
        &self,
        headers: &HeaderMap,
        claim: &Claim,
        now: Moment,
    ) -> Result<Pass, Refused> {
        let Some(ways) = &self.collectors.0.ways else {
            return Ok(Pass::of_anybody(&self.collectors));
        };
        let admitted = timeout(ADMISSION_TIMEOUT, Box::pin(self.prove(ways, headers, now))).await;
        let proof = admitted.unwrap_or_else(|_| {
            let seconds = ADMISSION_TIMEOUT.as_secs();
            Err(Refused::undecided(format!(
                "whether this collector may report was not found out within {seconds} s: try again"
            )))
        })?;
        Pass::new(&self.collectors, proof, claim, now)
    }

    async fn prove(&self, ways: &Ways, headers: &HeaderMap, now: Moment) -> Result<Proof, Refused> {
        let mut unproved = None;
        if let (Some(certificates), Some(shown)) = (&ways.certificates, &self.shown) {
            match certificates.prove(shown, now) {
                Ok(proof) => return Ok(proof),
                Err(refused) => unproved = Some(refused),
            }
        }
        let Some(token) = Token::of(headers) else {
            let nothing =
                || Refused::unproved(format!("no credential was sent: {}", ways.wanted()));
            return Err(unproved.unwrap_or_else(nothing));
        };
        if let Some(known) = ways.tokens.as_ref().and_then(|tokens| tokens.prove(&token)) {
            return known;
        }
        match &ways.accounts {
            // Others are none of Kubernetes', and not for its log.
            Some(accounts) if token.says().anything => {
                accounts.prove(&token, &self.collectors.0.pods, now).await
            }
            _ => Err(Refused::unproved(format!("the token is not known here: {}", ways.wanted()))),
        }
    }

    /// Writes a line about a stream that was refused, who, what and why, unless there were many lately.
    pub fn audit(&self, who: Option<&str>, claim: Option<&Claim>, why: &str, now: Instant) {
        if self.collectors.0.refusals.has_room(now) {
            refused::tell(self.peer, who, claim, why);
        }
    }
}

impl Ways {
    /// What a collector could send, and how it gets it.
    fn wanted(&self) -> String {
        let ways = [
            self.accounts.as_ref().map(|_| {
                "the token of its pod (spec.pod.automountServiceAccountToken: true in the MiniCluster, \
                 or FLUXGAUGE_TOKEN_FILE)"
            }),
            self.tokens.as_ref().map(|_| "the token of its namespace (FLUXGAUGE_TOKEN)"),
            self.certificates.as_ref().map(|_| {
                "a certificate of the collectors' authority (FLUXGAUGE_CERT and FLUXGAUGE_KEY)"
            }),
        ];
        let ways: Vec<_> = ways.into_iter().flatten().collect();
        format!("this gateway wants {}", ways.join(", or "))
    }
}

#[cfg(test)]
mod tests;
