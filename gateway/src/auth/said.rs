//! What a front proxy said last on a connection: it says the same of the same users again and again.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use http::{HeaderMap, HeaderName, header::AUTHORIZATION};

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
    /// Who asks, by headers that are taken out of the request with all that proves who asks; `None`
    /// where they name nobody, and are left.
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
        names.strip(headers);
        Ok(Some(reader))
    }
}

impl Last {
    /// Whether headers say this and nothing else of who asks. The order of names means nothing, that of
    /// the values of a name does. No name is hashed: there are a handful.
    fn is_said_by(&self, names: &Names, headers: &HeaderMap) -> bool {
        let mut left: usize = self.headers.iter().map(|(_, values)| values.len()).sum();
        let (mut name, mut values): (_, &[Box<[u8]>]) = (None, &[]);
        // All values of a name come in a row.
        for (own, value) in headers.iter().filter(|(own, _)| names.has(own)) {
            if name != Some(own) {
                let said = self.headers.iter().find(|(said, _)| said == own);
                (name, values) = (Some(own), said.map_or(&[][..], |(_, values)| values));
            }
            match values.split_first() {
                Some((said, rest)) if **said == *value.as_bytes() => values = rest,
                _ => return false,
            }
            left -= 1;
        }
        left == 0
    }
}

fn copied(names: &Names, headers: &HeaderMap) -> Vec<(HeaderName, Vec<Box<[u8]>>)> {
    let values = |name| headers.get_all(name).iter().map(|value| value.as_bytes().into());
    names.of(headers).map(|name| (name.clone(), values(name).collect())).collect()
}

#[cfg(test)]
mod tests;
