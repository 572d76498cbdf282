//! Bearer tokens: whose they are, as the API server says.
//!
//! A token is a secret that works elsewhere too, so nothing here keeps one: what is remembered has
//! a keyed digest for its name.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};

use futures_util::FutureExt as _;
use http::{HeaderMap, header::AUTHORIZATION};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use kube::Api;
use moka::future::Cache;
use ring::{hmac, rand::SystemRandom};
use tokio::{sync::Semaphore, time::Instant};

use super::{
    User,
    claims::Says,
    digest::{self, Digest},
    recent::{Lasting, Mark, Recent},
    review::{self, Complaint, Unanswered},
    user::Reader,
};
use crate::{kubernetes::Kubernetes, telemetry::Authorization};

/// How long it is remembered whose a token is, or that it is nobody's; as in Kubernetes.
pub const TOKEN_LASTS: Duration = Duration::from_secs(10);

/// Tokens that are remembered; with a user of 1 KiB each these are 4 MiB.
pub const MAX_TOKENS: u64 = 4096;

/// Tokens that are asked about at once. Anybody can send one.
pub const TOKEN_REVIEWS: usize = 16;

/// A token that a request carries.
#[derive(Clone)]
pub(super) struct Token(String);

// Not derived: a token is not for logs.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Token {
    /// This text.
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// What it says of itself.
    pub(super) fn says(&self) -> Says {
        Says::of(&self.0)
    }

    /// The token of `Authorization: Bearer TOKEN`, if there is one.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(AUTHORIZATION)?.as_bytes();
        // Faster than `to_str`, for a thousand bytes.
        let text = str::from_utf8(value).ok().filter(|text| text.is_ascii())?;
        let mut words = text.trim().split(' ');
        let is_bearer = words.next()?.eq_ignore_ascii_case("bearer");
        let token = words.next().filter(|token| is_bearer && !token.is_empty())?;
        Some(Self(token.to_owned()))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The digest that only who has the key can make.
    pub(super) fn digest(&self, key: &hmac::Key) -> Digest {
        digest::sized(hmac::sign(key, self.as_bytes()).as_ref())
    }
}

/// Whose a token is; `None`: nobody's.
pub(super) type Whose = Lasting<Option<Arc<Reader>>>;

/// Whose tokens are.
#[derive(Debug)]
pub(super) struct Tokens {
    api: Api<TokenReview>,
    slots: Semaphore,
    key: hmac::Key,
    /// Keys of what connections know their last token by.
    marks: RandomState,
    lasts: Duration,
    /// For whom tokens may be made beside the API server.
    audience: Option<String>,
    /// By digests that only this process can make.
    known: Cache<Digest, Whose>,
    complaint: Complaint,
    counters: Arc<Authorization>,
}

impl Tokens {
    pub(super) fn new(
        kubernetes: &Kubernetes,
        key: hmac::Key,
        lasts: Duration,
        counters: &Arc<Authorization>,
    ) -> Self {
        Self {
            api: Api::all(kubernetes.client()),
            slots: Semaphore::new(TOKEN_REVIEWS),
            key,
            marks: RandomState::new(),
            lasts,
            audience: None,
            known: Cache::builder().max_capacity(MAX_TOKENS).time_to_live(lasts).build(),
            complaint: Complaint::of("cannot ask whose tokens are, so that nobody may read by one"),
            counters: Arc::clone(counters),
        }
    }

    /// The same of collectors, that also takes tokens made for this audience alone.
    #[must_use]
    pub(super) fn of_collectors(self, audience: &str) -> Self {
        let what = "cannot ask whose tokens are, so that no collector may report by one";
        let audience = Some(audience.to_owned());
        Self { audience, complaint: Complaint::of(what), ..self }
    }

    /// Whose a token is, where that is remembered: on the connection, or by all. Inside, `None` is
    /// nobody's.
    pub(super) fn remembered(
        &self,
        token: &Token,
        recent: &Recent,
        now: Instant,
    ) -> Option<Option<Arc<Reader>>> {
        let mark: Mark = self.marks.hash_one(token.as_bytes());
        let known = recent.whose(mark, now).or_else(|| {
            let known = self.known.get(&token.digest(&self.key)).now_or_never().flatten()?;
            recent.keep_whose(mark, &known);
            Some(known)
        });
        self.counters.tokens.note(known.is_some());
        known.map(|whose| whose.what)
    }

    /// Whose a token is; `None`: nobody's. Asks once for all who ask at the same time.
    ///
    /// # Errors
    ///
    /// When the API server does not say. That is not remembered.
    pub(super) async fn whose(&self, token: &Token) -> Result<Option<Arc<Reader>>, Unanswered> {
        let digest = token.digest(&self.key);
        let asked = self.known.try_get_with(digest, Box::pin(self.ask(token))).await;
        asked.map(|whose| whose.what).map_err(|unanswered| (*unanswered).clone())
    }

    async fn ask(&self, token: &Token) -> Result<Whose, Unanswered> {
        // A review is of one audience's tokens or of the API server's own; the token says whose it is.
        let own = self.audience.as_ref().filter(|own| token.says().is_for(own));
        let audiences = own.map(|own| vec![own.clone()]);
        let spec = TokenReviewSpec { token: Some(token.0.clone()), audiences };
        let review = TokenReview { spec, ..TokenReview::default() };
        let asked =
            review::ask(&self.api, &self.slots, &self.counters.token_reviews, &review).await;
        self.complaint.note(&asked);
        let status = asked?.status.unwrap_or_default();
        // An API server that knows nothing of audiences names none, and has not looked.
        let looked = own.is_none_or(|own| status.audiences.iter().flatten().any(|one| one == own));
        let user = status.user.filter(|_| status.authenticated == Some(true) && looked);
        let user = user.map(|user| Arc::new(User::from(user).authenticated().into()));
        Ok(Lasting { what: user, until: Instant::now() + self.lasts })
    }
}

/// A key that no other process has; `None` where the system gives no random numbers.
pub(super) fn random_key() -> Option<hmac::Key> {
    hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn token(value: &'static str) -> Option<String> {
        let headers = [(AUTHORIZATION, HeaderValue::from_static(value))].into_iter().collect();
        Token::of(&headers).map(|token| token.0)
    }

    #[test]
    fn a_bearer_token_is_found_as_kubernetes_finds_it() {
        for value in ["Bearer abc", "bearer abc", "  BEARER abc ", "Bearer abc def"] {
            assert_eq!(token(value).as_deref(), Some("abc"), "{value:?}");
        }
        for value in ["", "Bearer", "Bearer ", "Bearer  abc", "Basic abc", "abc"] {
            assert_eq!(token(value), None, "{value:?}");
        }
        assert!(Token::of(&HeaderMap::new()).is_none());
    }

    #[test]
    fn a_token_shows_itself_in_no_log() {
        let headers = [(AUTHORIZATION, HeaderValue::from_static("Bearer secret"))];
        let token = Token::of(&headers.into_iter().collect()).unwrap();
        assert!(!format!("{token:?}").contains("secret"));
    }
}
