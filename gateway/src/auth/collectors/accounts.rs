//! Tokens of service accounts: whose they are, and which pod they were made for.

use std::sync::Arc;

use ring::hmac;

use super::{
    AccountPolicy, Refused,
    identity::Identity,
    owners::Owners,
    pass::{Credential, Proof},
    proved_pod::{self, PodRef},
};
use crate::{
    auth::{
        User,
        token::{TOKEN_LASTS, Token, Tokens},
    },
    clock::Moment,
    kubernetes::Kubernetes,
    pods,
    telemetry::Authorization,
};

/// What a service account's user name begins with; namespace and name follow.
const PREFIX: &str = "system:serviceaccount:";

/// Where Kubernetes says which pod a token was made for.
const POD_NAME: &str = "authentication.kubernetes.io/pod-name";
const POD_UID: &str = "authentication.kubernetes.io/pod-uid";

/// What Kubernetes knows of tokens, and what it takes to know their pods.
#[derive(Debug)]
pub(super) struct Accounts {
    tokens: Tokens,
    audience: String,
    owners: Owners,
    by_namespace: bool,
}

/// Whom a token is of.
#[derive(Debug, PartialEq, Eq)]
struct Account {
    namespace: Arc<str>,
    /// `None`: it was made for no pod.
    pod: Option<PodRef>,
}

impl Accounts {
    pub(super) fn new(
        kubernetes: &Kubernetes,
        key: hmac::Key,
        policy: &AccountPolicy,
        by_namespace: bool,
        counters: &Arc<Authorization>,
    ) -> Self {
        let audience = policy.audience.clone();
        Self {
            tokens: Tokens::new(kubernetes, key, TOKEN_LASTS, counters).of_collectors(&audience),
            audience,
            owners: Owners::new(kubernetes),
            by_namespace,
        }
    }

    pub(super) async fn prove(
        &self,
        token: &Token,
        pods: &pods::Shared,
        now: Moment,
    ) -> Result<Proof, Refused> {
        let user = self.tokens.whose(token).await.map_err(|unanswered| {
            let why = "whose the token is is not known: this gateway cannot ask the Kubernetes API \
                       server, and its log says why: try again";
            Refused::undecided(why.to_owned()).since(&unanswered)
        })?;
        let user = user.ok_or_else(|| self.nobodys(token, now))?;
        let who = user.name.as_str().into();
        let identity = self.identity(&user, pods).await.map_err(|refused| refused.of(&who))?;
        let who = match &identity {
            Identity::Pod(pod) => format!("{who} in pod {}", pod.name).into(),
            _ => who,
        };
        let expires = token.says().expires;
        Ok(Proof { who, identity, credential: Credential::Reviewed, expires })
    }

    async fn identity(&self, user: &User, pods: &pods::Shared) -> Result<Identity, Refused> {
        let account = Account::of(user).ok_or_else(|| {
            Refused::denied(format!("the token is of {}, which is no service account", user.name))
        })?;
        match account.pod {
            Some(pod) => proved_pod::find(pods, &self.owners, &pod).await.map(Identity::Pod),
            None if self.by_namespace => Ok(Identity::Namespace(account.namespace)),
            None => Err(Refused::denied(format!(
                "the token of {} was made for no pod, so that it does not say for which MiniCluster it \
                 may report: send the token that is mounted into the pod (or let the gateway take it for \
                 all of its namespace, by --collectors-by-namespace)",
                user.name
            ))),
        }
    }

    /// What is wrong with a token that Kubernetes does not know.
    fn nobodys(&self, token: &Token, now: Moment) -> Refused {
        let says = token.says();
        let why = if says.expires.is_some_and(|expires| expires <= now.wall) {
            "it has expired: is the file read that the kubelet renews?".to_owned()
        } else {
            format!(
                "it was taken back, its pod is gone, or it was made for another audience than that of the \
                 API server and {:?}",
                self.audience
            )
        };
        Refused::unproved(format!("Kubernetes does not know the token: {why}"))
    }
}

impl Account {
    fn of(user: &User) -> Option<Self> {
        let (namespace, name) = user.name.strip_prefix(PREFIX)?.split_once(':')?;
        if namespace.is_empty() || name.is_empty() {
            return None;
        }
        let namespace: Arc<str> = namespace.into();
        let only = |key| match user.extra.get(key).map(Vec::as_slice) {
            Some([one]) if !one.is_empty() => Some(one.clone()),
            _ => None,
        };
        let pod = only(POD_NAME).zip(only(POD_UID));
        let pod = pod.map(|(name, uid)| PodRef { namespace: Arc::clone(&namespace), name, uid });
        Some(Self { namespace, pod })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str, extra: &[(&str, &[&str])]) -> Option<Account> {
        let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        let extra = extra.iter().map(|(key, values)| ((*key).to_owned(), owned(values))).collect();
        Account::of(&User { name: name.to_owned(), extra, ..User::default() })
    }

    #[test]
    fn a_token_names_its_account_and_its_pod_by_name_and_uid() {
        let pod = [(POD_NAME, &["mc0-0-abcde"][..]), (POD_UID, &["u1"])];
        let found = account("system:serviceaccount:hpc:default", &pod).unwrap();
        let wanted = PodRef {
            namespace: "hpc".into(),
            name: "mc0-0-abcde".to_owned(),
            uid: "u1".to_owned(),
        };
        assert_eq!(found.pod, Some(wanted));
        // Half a pod is none, and neither are two.
        for extra in [
            &[][..],
            &[(POD_NAME, &["mc0-0-abcde"][..])],
            &[(POD_NAME, &["a", "b"]), (POD_UID, &["u1"])],
        ] {
            let found = account("system:serviceaccount:hpc:default", extra).unwrap();
            assert_eq!((&*found.namespace, found.pod), ("hpc", None));
        }
    }

    #[test]
    fn users_that_are_no_service_accounts_are_nobody_here() {
        for name in ["admin", "system:serviceaccount:", "system:serviceaccount:hpc", "hpc:default"]
        {
            assert_eq!(account(name, &[]), None, "{name}");
        }
    }
}
