//! What a front proxy said last on a connection: it says the same of the same users again and again.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};

use super::{
    headers::{Names, NotText},
    user::Reader,
};

/// What was said last. At most the headers of one request.
#[derive(Debug, Default)]
pub(super) struct Said(ArcSwapOption<Last>);

#[derive(Debug)]
struct Last {
    /// Every header that says who asks, with its values. They are copies: the request's own share
    /// its buffer.
    headers: Vec<(HeaderName, Vec<Box<[u8]>>)>,
    reader: Arc<Reader>,
}

impl Said {
    /// Who asks, by headers that are taken out of the request where they are known; `None` where
    /// they name nobody.
    ///
    /// # Errors
    ///
    /// As [`Names::user`].
    pub(super) fn take(
        &self,
        names: &Names,
        headers: &mut HeaderMap,
    ) -> Result<Option<Arc<Reader>>, NotText> {
        if let Some(last) = &*self.0.load()
            && last.is_said_by(names, headers)
        {
            for (name, _) in &last.headers {
                headers.remove(name);
            }
            return Ok(Some(Arc::clone(&last.reader)));
        }
        let Some(user) = names.user(headers)? else {
            return Ok(None);
        };
        let reader = Arc::new(Reader::from(user.authenticated()));
        // No token is kept.
        if !headers.contains_key(AUTHORIZATION) {
            let last = Last { headers: copied(names, headers), reader: Arc::clone(&reader) };
            self.0.store(Some(Arc::new(last)));
        }
        Ok(Some(reader))
    }
}

impl Last {
    /// Whether headers say this and nothing else of who asks. The order of names means nothing.
    fn is_said_by(&self, names: &Names, headers: &HeaderMap) -> bool {
        let values = |name| headers.get_all(name).iter().map(HeaderValue::as_bytes);
        names.of(headers).count() == self.headers.len()
            && self.headers.iter().all(|(name, said)| values(name).eq(said.iter().map(|v| &**v)))
    }
}

fn copied(names: &Names, headers: &HeaderMap) -> Vec<(HeaderName, Vec<Box<[u8]>>)> {
    let values = |name| headers.get_all(name).iter().map(|value| value.as_bytes().into());
    names.of(headers).map(|name| (name.clone(), values(name).collect())).collect()
}

#[cfg(test)]
mod tests;
