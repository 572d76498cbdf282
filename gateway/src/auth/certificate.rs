//! What the certificate of a client proves.
//!
//! The handshake has only proved that the client holds the key. Who signed the certificate is looked
//! at here, against what is trusted at the moment, and remembered for the connection.

use std::{sync::Arc, time::SystemTime};

use arc_swap::ArcSwapOption;
use ring::digest::{SHA256, digest};
use rustls_pki_types::{CertificateDer, UnixTime};
use thiserror::Error;
use tokio::time::{Duration, Instant};
use x509_parser::prelude::{FromDer as _, X509Certificate, X509Name};

use super::{
    User,
    said::Said,
    trust::{Authorities, Trust},
    user::Reader,
};
use crate::clock::Moment;

/// How long a proof counts before its dates are looked at again.
pub(super) const PROOF_LASTS: Duration = Duration::from_secs(10);

/// What tells in a user's extras which certificate proved it, as in Kubernetes.
const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";

/// The certificates that a client has shown, its own first.
#[derive(Debug)]
pub(super) struct Shown {
    chain: Vec<CertificateDer<'static>>,
    proved: ArcSwapOption<Proved>,
}

/// What certificates prove at some moment.
#[derive(Debug)]
pub(super) struct Proved {
    /// Whether this is a front proxy; `None` where none is trusted.
    pub(super) proxy: Option<Result<(), Unproved>>,
    /// Who it is; `None` where no client is trusted, or where it has no name.
    pub(super) client: Option<Result<Arc<Reader>, Unproved>>,
    /// Whom a front proxy named last: believed for as long as this proof counts.
    pub(super) said: Said,
    by: Arc<Trust>,
    until: Instant,
}

/// Why a certificate proves nothing.
#[derive(Debug, Error)]
pub(super) enum Unproved {
    #[error("the client's certificate is not trusted: {0}")]
    Untrusted(rustls::Error),
    #[error("the common name {0:?} is none of a front proxy")]
    NotAllowed(String),
    #[error("the subject of the client's certificate cannot be read")]
    Subject,
}

impl Shown {
    /// `None` where the client has shown none.
    pub(super) fn new(chain: Vec<CertificateDer<'static>>) -> Option<Self> {
        (!chain.is_empty()).then(|| Self { chain, proved: ArcSwapOption::empty() })
    }

    /// What it proves now. Costs two comparisons, but for once every [`PROOF_LASTS`] and when other
    /// authorities are trusted.
    pub(super) fn proves(&self, trust: &Arc<Trust>, now: Moment) -> Arc<Proved> {
        let last = self.proved.load();
        if let Some(last) = &*last
            && Arc::ptr_eq(&last.by, trust)
            && now.instant < last.until
        {
            return Arc::clone(last);
        }
        let proved = Arc::new(Proved {
            proxy: trust.proxy.as_ref().map(|proxy| {
                self.verify(&proxy.authorities, now.wall)?;
                self.is_called(&proxy.names)
            }),
            client: trust.clients.as_ref().and_then(|authorities| {
                match self.verify(authorities, now.wall) {
                    Ok(()) => self.user().map(|user| Some(Arc::new(user?.into()))).transpose(),
                    Err(unproved) => Some(Err(unproved)),
                }
            }),
            said: Said::default(),
            by: Arc::clone(trust),
            until: now.instant + PROOF_LASTS,
        });
        self.proved.store(Some(Arc::clone(&proved)));
        proved
    }

    /// Whether the chain leads to an authority, is for clients, and is of this time.
    fn verify(&self, authorities: &Authorities, now: SystemTime) -> Result<(), Unproved> {
        let (own, others) = self.chain.split_first().ok_or(Unproved::Subject)?;
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        authorities
            .verify_client_cert(own, others, UnixTime::since_unix_epoch(now))
            .map(drop)
            .map_err(Unproved::Untrusted)
    }

    /// Whether the common name is one of these, or they are none.
    fn is_called(&self, names: &[String]) -> Result<(), Unproved> {
        if names.is_empty() {
            return Ok(());
        }
        let name = self.subject(common_name)?;
        if names.contains(&name) { Ok(()) } else { Err(Unproved::NotAllowed(name)) }
    }

    /// The common name is the user's, each organization is a group; `None` without a common name.
    fn user(&self) -> Result<Option<User>, Unproved> {
        let (name, groups) = self.subject(|subject| {
            let organizations = subject.iter_organization();
            let groups = organizations.map(|attribute| attribute.as_str().map(str::to_owned));
            let groups = groups.collect::<Result<Vec<_>, _>>().map_err(|_| Unproved::Subject)?;
            Ok((common_name(subject)?, groups))
        })?;
        if name.is_empty() {
            return Ok(None);
        }
        let own = self.chain.first().map(AsRef::as_ref).unwrap_or_default();
        let digest = digest(&SHA256, own);
        let digest: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let id = format!("X509SHA256={digest}");
        let extra = [(CREDENTIAL_ID.to_owned(), vec![id])].into();
        Ok(Some(User { name, groups, extra, ..User::default() }.authenticated()))
    }

    fn subject<T>(
        &self,
        read: impl FnOnce(&X509Name<'_>) -> Result<T, Unproved>,
    ) -> Result<T, Unproved> {
        let own = self.chain.first().ok_or(Unproved::Subject)?;
        let (_, certificate) = X509Certificate::from_der(own).map_err(|_| Unproved::Subject)?;
        read(certificate.subject())
    }
}

/// The last common name, as Go takes it; empty where there is none.
fn common_name(subject: &X509Name<'_>) -> Result<String, Unproved> {
    let name = subject.iter_common_name().last().map(|name| name.as_str());
    Ok(name.transpose().map_err(|_| Unproved::Subject)?.unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests;
