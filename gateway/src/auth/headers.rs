//! The headers in which a front proxy says who asks.

use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};
use metrics_api::percent;
use thiserror::Error;

use super::User;

/// What the names of kube-apiserver's headers begin with unless it is told otherwise, in lower case as
/// all names here. Nobody behind the authentication sees them, whoever sent them.
const STANDARD: &str = "x-remote-";

/// Which headers say what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// Of the name; the first that is not empty counts.
    pub(super) user: Vec<HeaderName>,
    /// Of the UID, likewise. None: nobody is believed who says one.
    pub(super) uid: Vec<HeaderName>,
    /// Of groups; all count.
    pub(super) group: Vec<HeaderName>,
    /// What the names of headers for extras begin with, in lower case.
    pub(super) extra: Vec<String>,
}

/// A header that says who asks is no text in UTF-8. Anything else made of it would be somebody
/// else's name.
#[derive(Debug, Error)]
#[error("the header {0} is not UTF-8")]
pub(super) struct NotText(HeaderName);

impl Names {
    /// The user that headers name; `None` where they name none. Only to be asked about a request
    /// that a front proxy sent.
    ///
    /// # Errors
    ///
    /// When a header is no text.
    pub(super) fn user(&self, headers: &HeaderMap) -> Result<Option<User>, NotText> {
        let Some(name) = first(headers, &self.user)? else {
            return Ok(None);
        };
        let mut user = User { name, ..User::default() };
        user.uid = first(headers, &self.uid)?.unwrap_or_default();
        for group in &self.group {
            for value in headers.get_all(group) {
                let value = text(group, value)?;
                if !value.is_empty() {
                    user.groups.push(value.to_owned());
                }
            }
        }
        for prefix in &self.extra {
            for (name, value) in headers {
                let Some(key) = name.as_str().strip_prefix(prefix.as_str()) else {
                    continue;
                };
                // One that is no escape is taken as it is, as Kubernetes does.
                let key = percent::segment(key).unwrap_or_else(|| key.into());
                let value = text(name, value)?.to_owned();
                user.extra.entry(key.into_owned()).or_default().push(value);
            }
        }
        Ok(Some(user))
    }

    /// Those of a request's headers that say or prove who asks, by these names and by the usual ones.
    pub(super) fn of<'a>(&self, headers: &'a HeaderMap) -> impl Iterator<Item = &'a HeaderName> {
        headers.keys().filter(|name| self.has(name))
    }

    /// Removes whatever says or proves who asks.
    pub(super) fn strip(&self, headers: &mut HeaderMap) {
        let names: Vec<_> = self.of(headers).cloned().collect();
        for name in names {
            headers.remove(name);
        }
    }

    /// Whether a header says or proves who asks.
    pub(super) fn has(&self, name: &HeaderName) -> bool {
        let mut own = [&self.user, &self.uid, &self.group].into_iter().flatten();
        name.as_str().starts_with(STANDARD)
            || name == AUTHORIZATION
            || own.any(|own| own == name)
            || self.extra.iter().any(|prefix| name.as_str().starts_with(prefix))
    }
}

/// The first value that is not empty of the first header that has one.
fn first(headers: &HeaderMap, names: &[HeaderName]) -> Result<Option<String>, NotText> {
    for name in names {
        // As in Kubernetes, only the first header of a name is looked at.
        if let Some(value) = headers.get(name) {
            let value = text(name, value)?;
            if !value.is_empty() {
                return Ok(Some(value.to_owned()));
            }
        }
    }
    Ok(None)
}

fn text<'a>(name: &HeaderName, value: &'a HeaderValue) -> Result<&'a str, NotText> {
    std::str::from_utf8(value.as_bytes()).map_err(|_| NotText(name.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let of = |name| vec![HeaderName::from_static(name)];
        let [user, uid, group] = ["x-remote-user", "x-remote-uid", "x-remote-group"].map(of);
        Names { user, uid, group, extra: vec!["x-remote-extra-".to_owned()] }
    }

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        list.iter().map(pair).collect()
    }

    const ALL: [(&str, &str); 8] = [
        ("x-remote-user", "system:serviceaccount:a:b"),
        ("x-remote-uid", "7"),
        ("x-remote-group", "one"),
        ("x-remote-group", "two, three"),
        ("x-remote-extra-scopes", "x"),
        ("x-remote-extra-scopes", "y"),
        ("x-remote-extra-example.org%2fpod%20name", "mc0-0"),
        ("x-remote-extra-broken%2", ""),
    ];

    #[test]
    fn a_user_has_all_groups_and_decoded_extras_as_sent() {
        let user = names().user(&headers(&ALL)).unwrap().unwrap();
        assert_eq!((&*user.name, &*user.uid), ("system:serviceaccount:a:b", "7"));
        assert_eq!(user.groups, ["one", "two, three"]);
        assert_eq!(user.extra["scopes"], ["x", "y"]);
        assert_eq!(user.extra["example.org/pod name"], ["mc0-0"]);
        assert_eq!(user.extra["broken%2"], [""]);
        assert_eq!(user.extra.len(), 3);
    }

    #[test]
    fn a_uid_is_not_honoured_where_no_header_is_configured_for_it() {
        let names = Names { uid: Vec::new(), ..names() };
        assert_eq!(names.user(&headers(&ALL)).unwrap().unwrap().uid, "");
    }

    #[test]
    fn the_first_name_that_is_not_empty_wins() {
        let user = ["x-first", "x-second"].map(HeaderName::from_static).to_vec();
        let names = Names { user, ..names() };
        let name = |list: &[_]| names.user(&headers(list)).unwrap().map(|user| user.name);
        assert_eq!(name(&[("x-second", "b"), ("x-first", "a")]).as_deref(), Some("a"));
        assert_eq!(name(&[("x-second", "b"), ("x-first", "")]).as_deref(), Some("b"));
        assert_eq!(name(&[("x-remote-user", "c"), ("x-first", "")]), None);
    }

    #[test]
    fn a_header_that_is_no_text_names_nobody() {
        let mut headers = headers(&ALL);
        headers.append("x-remote-group", HeaderValue::from_bytes(b"\xff").unwrap());
        let error = names().user(&headers).unwrap_err().to_string();
        assert_eq!(error, "the header x-remote-group is not UTF-8");
    }

    #[test]
    fn nothing_that_says_who_asks_is_left() {
        let mut own = headers(&ALL);
        own.extend(headers(&[
            ("authorization", "Bearer secret"),
            ("x-own-user", "u"),
            ("x-own-extra-a", "b"),
            ("audit-id", "a-1"),
        ]));
        let mut unknown = own.clone();
        let own_names = Names {
            user: vec![HeaderName::from_static("x-own-user")],
            extra: vec!["x-own-extra-".to_owned()],
            ..Names::default()
        };
        own_names.strip(&mut own);
        assert_eq!(own, headers(&[("audit-id", "a-1")]));
        // What a gateway does that trusts no proxy.
        Names::default().strip(&mut unknown);
        let left = [("x-own-user", "u"), ("x-own-extra-a", "b"), ("audit-id", "a-1")];
        assert_eq!(unknown, headers(&left));
    }
}
