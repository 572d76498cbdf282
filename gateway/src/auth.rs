//! Who reads, and whether they may; who reports is in [`collectors`].
//!
//! ```text
//!  certificate ──▶ certificate ◀── trust ◀── config_map ◀── kube-apiserver's ConfigMap
//!                      │ a front proxy, or a client
//!  headers ────────────┴──▶ Claim ──▶ token ────▶ User ────▶ access ────▶ api
//!  (taken out of the request)          TokenReview           SubjectAccessReview
//!                                      └── each remembered for 10 s ──┘
//! ```
//!
//! In the order of Kubernetes: what a front proxy says, else the certificate's own subject, else the
//! token, else nobody in particular. What cannot be decided is refused. A claim is made and, where
//! the answers are remembered, judged without waiting: a kube-apiserver asks the same for the same
//! users again and again.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use http::HeaderMap;
use metrics_api::Status;
use rustls_pki_types::CertificateDer;

use crate::{
    clock::Moment,
    crowd::{Crowd, Full},
    kubernetes::Kubernetes,
    telemetry::Authorization,
};

mod access;
mod certificate;
mod claims;
pub mod collectors;
mod config_map;
mod digest;
mod headers;
mod policy;
mod question;
mod recent;
mod refusals;
mod review;
mod said;
mod shared_token;
mod token;
pub mod trust;
mod user;

pub use access::{DECISION_LASTS, MAX_DECISIONS, REVIEWS, REVIEWS_OF_STRANGERS};
pub use config_map::follow;
pub use policy::{Policy, PolicyError};
pub use question::Question;
pub use refusals::Refusal;
pub use review::Unanswered;
pub use token::{MAX_TOKENS, TOKEN_LASTS, TOKEN_REVIEWS};
pub use trust::Trust;
pub use user::{Reader, User};

use access::{Access, Decision};
use certificate::Shown;
use headers::Names;
use recent::Recent;
use refusals::Refusals;
use shared_token::SharedToken;
use token::{Token, Tokens};

/// Requests that wait at once until Kubernetes has said who asks or what they may, but for those of a
/// front proxy, which kube-apiserver has let through. Anybody can send them: at 64 KiB of headers each
/// these are 16 MiB.
pub const MAX_WAITING: usize = 256;

/// The same of one address, so that others are heard.
pub const MAX_WAITING_OF_PEER: usize = 64;

/// Who may read, and what is remembered of that. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Readers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    rule: Rule,
    anonymous: Arc<Reader>,
    refusals: Refusals,
    counters: Arc<Authorization>,
}

#[derive(Debug)]
enum Rule {
    Anybody,
    SharedToken(Box<SharedToken>),
    Kubernetes(Box<Delegated>),
}

/// Kubernetes decides.
#[derive(Debug)]
struct Delegated {
    trust: trust::Shared,
    tokens: Tokens,
    access: Access,
    waiting: Arc<Crowd>,
}

/// The client of one connection.
#[derive(Debug)]
pub struct Caller {
    readers: Readers,
    peer: IpAddr,
    shown: Option<Shown>,
    recent: Recent,
}

/// Who asks, as far as a request and its connection say.
#[derive(Clone, Debug)]
pub struct Claim(Identity);

#[derive(Clone, Debug)]
enum Identity {
    User {
        user: Arc<Reader>,
        /// Whether a front proxy says so.
        proxied: bool,
    },
    Token(Token),
    /// What was shown proves nothing, and why.
    Unproved(String),
}

impl Readers {
    /// Those of a policy, with what is trusted from `trust`.
    ///
    /// # Errors
    ///
    /// When the policy would let nobody read, ever.
    pub fn new(
        policy: &Policy,
        kubernetes: Option<&Kubernetes>,
        trust: &trust::Shared,
    ) -> Result<Self, PolicyError> {
        let counters = Arc::default();
        let key = || token::random_key().ok_or(PolicyError::NoRandomNumbers);
        Ok(match (policy, kubernetes) {
            (Policy::Anybody, _) => Self::anybody(),
            (Policy::TokenFile(path), _) => {
                let token = SharedToken::read(path, key()?);
                let token = token.map_err(|problem| {
                    let path = path.clone();
                    PolicyError::TokenFile { path, problem }
                });
                Self::by(Rule::SharedToken(Box::new(token?)), counters)
            }
            (Policy::Kubernetes, Some(kubernetes)) => {
                let delegated = Delegated {
                    trust: trust.clone(),
                    tokens: Tokens::new(kubernetes, key()?, TOKEN_LASTS, &counters),
                    access: Access::new(kubernetes, DECISION_LASTS, &counters),
                    waiting: Crowd::new(MAX_WAITING, MAX_WAITING_OF_PEER),
                };
                Self::by(Rule::Kubernetes(Box::new(delegated)), counters)
            }
            (Policy::Kubernetes, None) => return Err(PolicyError::NobodyToAsk),
        })
    }

    /// Lets anybody read.
    pub fn anybody() -> Self {
        Self::by(Rule::Anybody, Arc::default())
    }

    fn by(rule: Rule, counters: Arc<Authorization>) -> Self {
        let anonymous = Arc::new(User::anonymous().into());
        Self(Arc::new(Inner { rule, anonymous, refusals: Refusals::default(), counters }))
    }

    /// What is remembered and asked about them.
    pub fn counters(&self) -> &Arc<Authorization> {
        &self.0.counters
    }

    /// The client of a connection, which has shown these certificates, its own first.
    pub fn on(&self, certificates: Vec<CertificateDer<'static>>) -> Caller {
        let peer = Ipv4Addr::UNSPECIFIED.into();
        let shown = Shown::new(certificates);
        Caller { readers: self.clone(), peer, shown, recent: Recent::default() }
    }
}

impl Caller {
    /// The same, from this address.
    #[must_use]
    pub fn at(self, peer: IpAddr) -> Self {
        Self { peer, ..self }
    }

    /// Takes out of a request what says who asks, so that nothing after this sees it.
    pub fn claim(&self, headers: &mut HeaderMap, now: Moment) -> Claim {
        match &self.readers.0.rule {
            Rule::Kubernetes(delegated) => {
                let trust = delegated.trust.load();
                let identity = self.identity(&trust, headers, now);
                match (&identity, &trust.proxy) {
                    // What a proxy says is taken out as it is read.
                    (Identity::User { proxied: true, .. }, _) => {}
                    (_, Some(proxy)) => proxy.headers.strip(headers),
                    (_, None) => Names::default().strip(headers),
                }
                Claim(identity)
            }
            Rule::SharedToken(_) | Rule::Anybody => {
                let token = Token::of(headers);
                Names::default().strip(headers);
                Claim(token.map_or_else(|| self.anonymous(), Identity::Token))
            }
        }
    }

    fn identity(&self, trust: &Arc<Trust>, headers: &mut HeaderMap, now: Moment) -> Identity {
        let mut unproved = None;
        if let Some(shown) = &self.shown {
            let proved = shown.proves(trust, now);
            match (&proved.proxy, &trust.proxy) {
                (Some(Ok(())), Some(proxy)) => match proved.said.take(&proxy.headers, headers) {
                    Ok(Some(user)) => return Identity::User { user, proxied: true },
                    Ok(None) => {}
                    Err(error) => unproved = Some(error.to_string()),
                },
                (Some(Err(error)), _) => unproved = Some(error.to_string()),
                _ => {}
            }
            match &proved.client {
                Some(Ok(user)) => {
                    return Identity::User { user: Arc::clone(user), proxied: false };
                }
                Some(Err(error)) => {
                    unproved.get_or_insert_with(|| error.to_string());
                }
                None => {}
            }
        }
        match (Token::of(headers), unproved) {
            (Some(token), _) => Identity::Token(token),
            (None, Some(why)) => Identity::Unproved(why),
            (None, None) => self.anonymous(),
        }
    }

    fn anonymous(&self) -> Identity {
        Identity::User { user: Arc::clone(&self.readers.0.anonymous), proxied: false }
    }

    /// Who asks, if they may, as far as that is known without asking anybody.
    pub fn remembered(
        &self,
        claim: &Claim,
        question: &Question<'_>,
        now: Moment,
    ) -> Option<Result<Arc<Reader>, Refusal>> {
        let Rule::Kubernetes(delegated) = &self.readers.0.rule else {
            return Some(self.without_kubernetes(claim, question));
        };
        let (user, proxied) = match &claim.0 {
            Identity::User { user, proxied } => (Arc::clone(user), *proxied),
            Identity::Token(token) => {
                match delegated.tokens.remembered(token, &self.recent, now.instant)? {
                    Some(user) => (user, false),
                    None => return Some(Err(Refusal::invalid_token())),
                }
            }
            Identity::Unproved(why) => return Some(Err(Refusal::Unauthenticated(why.clone()))),
        };
        if question.is_granted_to(&user, proxied) {
            return Some(Ok(user));
        }
        let decision = delegated.access.remembered(&user, question, &self.recent, now.instant)?;
        Some(judge(user, decision))
    }

    /// Who asks, if they may. Asks Kubernetes where it must.
    ///
    /// # Errors
    ///
    /// When they may not, or when nobody says so.
    pub async fn ask(
        &self,
        claim: &Claim,
        question: &Question<'_>,
    ) -> Result<Arc<Reader>, Refusal> {
        let Rule::Kubernetes(delegated) = &self.readers.0.rule else {
            return self.without_kubernetes(claim, question);
        };
        let unanswered = |error: Unanswered| Refusal::Unanswered(error.to_string());
        let is_proxied = matches!(claim.0, Identity::User { proxied: true, .. });
        let place = (!is_proxied).then(|| delegated.waiting.enter(self.peer)).transpose();
        let _place = place.map_err(|Full { of_peer, all }| {
            Refusal::Unanswered(format!(
                "too many requests wait for Kubernetes ({of_peer} from this address, {all} in all)"
            ))
        })?;
        let (user, proxied) = match &claim.0 {
            Identity::User { user, proxied } => (Arc::clone(user), *proxied),
            Identity::Token(token) => {
                let user = delegated.tokens.whose(token).await.map_err(unanswered)?;
                (user.ok_or_else(Refusal::invalid_token)?, false)
            }
            Identity::Unproved(why) => return Err(Refusal::Unauthenticated(why.clone())),
        };
        if question.is_granted_to(&user, proxied) {
            return Ok(user);
        }
        let decision = delegated.access.decide(&user, question).await.map_err(unanswered)?;
        judge(user, decision)
    }

    fn without_kubernetes(
        &self,
        claim: &Claim,
        question: &Question<'_>,
    ) -> Result<Arc<Reader>, Refusal> {
        let anonymous = &self.readers.0.anonymous;
        match (&self.readers.0.rule, &claim.0) {
            (Rule::SharedToken(known), Identity::Token(token)) if !known.is(token) => {
                Err(Refusal::invalid_token())
            }
            (Rule::SharedToken(_), Identity::User { .. }) if !question.is_harmless() => {
                let reason = "this gateway lets those read who send the token of its file".into();
                Err(Refusal::Forbidden { user: Arc::clone(anonymous), reason })
            }
            _ => Ok(Arc::clone(anonymous)),
        }
    }

    /// What a refused request is told. A line in the log tells more.
    pub fn refuse(&self, refusal: &Refusal, question: &Question<'_>, now: Moment) -> Status {
        self.readers.0.refusals.tell(refusal, question, now.instant);
        refusal.status(question)
    }
}

fn judge(user: Arc<Reader>, decision: Decision) -> Result<Arc<Reader>, Refusal> {
    match decision.what {
        Ok(()) => Ok(user),
        Err(reason) => Err(Refusal::Forbidden { user, reason }),
    }
}

#[cfg(test)]
mod tests;
