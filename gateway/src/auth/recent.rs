//! What was decided last on a connection: a kube-apiserver asks the same for the same users again and
//! again, and finds it here without a digest and without the caches that all connections share.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use tokio::time::Instant;

use super::{access::Decision, question::Question, token::Whose, user::Reader};

/// What was decided, for a while.
#[derive(Clone, Debug)]
pub(super) struct Lasting<T> {
    pub(super) what: T,
    /// Until when this counts.
    pub(super) until: Instant,
}

impl<T> Lasting<T> {
    pub(super) fn counts(&self, now: Instant) -> bool {
        now < self.until
    }
}

/// The last token and the last decision.
#[derive(Debug, Default)]
pub(super) struct Recent {
    token: ArcSwapOption<(Mark, Whose)>,
    decision: ArcSwapOption<Last>,
}

/// A keyed hash of a token, which is not kept itself. One that is guessed by whoever does not know the
/// token is right once in 2^64.
pub(super) type Mark = u64;

#[derive(Debug)]
struct Last {
    /// Who asked what, as [`Question::texts`] writes it.
    texts: Vec<u8>,
    decision: Decision,
}

impl Recent {
    /// Whose a token is, if it is the last one and that still counts.
    pub(super) fn whose(&self, token: Mark, now: Instant) -> Option<Whose> {
        let last = self.token.load();
        let (mark, whose) = &**last.as_ref()?;
        (*mark == token && whose.counts(now)).then(|| whose.clone())
    }

    pub(super) fn keep_whose(&self, token: Mark, whose: &Whose) {
        self.token.store(Some(Arc::new((token, whose.clone()))));
    }

    /// What was decided, if it is what is asked and still counts.
    pub(super) fn find(
        &self,
        reader: &Reader,
        question: &Question<'_>,
        now: Instant,
    ) -> Option<Decision> {
        let last = self.decision.load();
        let last = last.as_ref().filter(|last| last.decision.counts(now))?;
        question.is_written_in(reader, &last.texts).then(|| last.decision.clone())
    }

    pub(super) fn keep(&self, reader: &Reader, question: &Question<'_>, decision: &Decision) {
        let texts = question.texts(reader).into_bytes();
        self.decision.store(Some(Arc::new(Last { texts, decision: decision.clone() })));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::auth::User;

    #[test]
    fn the_last_token_is_known_until_it_is_to_be_asked_about_again() {
        let (recent, now) = (Recent::default(), Instant::now());
        let alice: Arc<Reader> = Arc::new(User::anonymous().into());
        let until = now + Duration::from_secs(10);
        assert!(recent.whose(7, now).is_none());
        recent.keep_whose(7, &Whose { what: Some(Arc::clone(&alice)), until });
        let user = |token, now| recent.whose(token, now).map(|whose| whose.what);
        assert!(user(7, now).flatten().is_some_and(|user| Arc::ptr_eq(&user, &alice)));
        assert!(user(8, now).is_none(), "another token");
        assert!(user(7, until).is_none(), "too old");
        recent.keep_whose(8, &Whose { what: None, until });
        assert!(user(8, now).is_some_and(|user| user.is_none()), "nobody's");
        assert!(user(7, now).is_none());
    }
}
