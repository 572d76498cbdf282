//! A user, in the words of Kubernetes.

use std::{collections::BTreeMap, ops::Deref};

use k8s_openapi::api::authentication::v1::UserInfo;

use super::digest::{Digest, Texts};

/// The name of whoever shows no credentials.
pub(super) const ANONYMOUS: &str = "system:anonymous";

/// The group of whoever shows no credentials.
pub(super) const UNAUTHENTICATED: &str = "system:unauthenticated";

/// The group of all others.
pub(super) const AUTHENTICATED: &str = "system:authenticated";

/// The group of those who may do everything.
pub(super) const MASTERS: &str = "system:masters";

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// What rights are bound to.
    pub name: String,
    /// What tells two users of one name apart; empty where nobody says.
    pub uid: String,
    /// What rights are bound to as well.
    pub groups: Vec<String>,
    /// What else the authenticator says.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl User {
    /// Whoever shows no credentials.
    pub fn anonymous() -> Self {
        let groups = vec![UNAUTHENTICATED.to_owned()];
        Self { name: ANONYMOUS.to_owned(), groups, ..Self::default() }
    }

    /// The same user in the group of those who have shown credentials, as in Kubernetes.
    #[must_use]
    pub fn authenticated(mut self) -> Self {
        let decided = [AUTHENTICATED, UNAUTHENTICATED];
        if self.name != ANONYMOUS && !decided.iter().any(|group| self.is_in(group)) {
            self.groups.push(AUTHENTICATED.to_owned());
        }
        self
    }

    /// Whether the user is in a group.
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|own| own == group)
    }
}

/// A user who reads, and the digest of all that is said of them, made once: what they may is
/// remembered by it.
#[derive(Debug)]
pub struct Reader {
    user: User,
    digest: Digest,
}

impl Reader {
    pub(super) const fn digest(&self) -> &Digest {
        &self.digest
    }
}

impl From<User> for Reader {
    fn from(user: User) -> Self {
        let mut texts = Texts::new();
        texts.text(&user.name);
        texts.text(&user.uid);
        texts.list(&user.groups);
        texts.number(user.extra.len());
        for (key, values) in &user.extra {
            texts.text(key);
            texts.list(values);
        }
        Self { user, digest: texts.digest() }
    }
}

impl Deref for Reader {
    type Target = User;

    fn deref(&self) -> &User {
        &self.user
    }
}

impl From<UserInfo> for User {
    fn from(info: UserInfo) -> Self {
        Self {
            name: info.username.unwrap_or_default(),
            uid: info.uid.unwrap_or_default(),
            groups: info.groups.unwrap_or_default(),
            extra: info.extra.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(name: &str, groups: &[&str]) -> Vec<String> {
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        User { name: name.to_owned(), groups, ..User::default() }.authenticated().groups
    }

    #[test]
    fn who_has_shown_credentials_is_in_the_group_of_those_once() {
        assert_eq!(groups("system:aggregator", &[]), [AUTHENTICATED]);
        assert_eq!(groups("u", &["a", AUTHENTICATED]), ["a", AUTHENTICATED]);
    }

    #[test]
    fn who_was_anonymous_to_the_front_proxy_stays_anonymous() {
        assert_eq!(groups(ANONYMOUS, &[UNAUTHENTICATED]), [UNAUTHENTICATED]);
        assert_eq!(groups(ANONYMOUS, &[]), [""; 0]);
        assert_eq!(groups("u", &[UNAUTHENTICATED]), [UNAUTHENTICATED]);
    }
}
