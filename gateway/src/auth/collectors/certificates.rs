//! Certificates of collectors: which authority may sign them, and what they prove.
//!
//! ```text
//!  URI spiffe://DOMAIN/ns/NAMESPACE/minicluster/NAME            any rank of the MiniCluster
//!  URI spiffe://DOMAIN/ns/NAMESPACE/minicluster/NAME/index/N    this one
//!  URI spiffe://DOMAIN/ns/NAMESPACE/sa/NAME                     any MiniCluster of the namespace,
//!                                                               with --collectors-by-namespace
//!  without a URI: common name minicluster:NAMESPACE:NAME or minicluster:NAMESPACE:NAME:N
//! ```
//!
//! The domain is whatever the authority says: a gateway has one, and trusts it.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::{
    Refused,
    identity::Identity,
    pass::{Credential, Proof},
};
use crate::{
    auth::trust::{Authorities, authorities_in},
    clock::Moment,
    model::ClusterKey,
    tls::MAX_PEM_BYTES,
};

/// What all identities begin with that are URIs.
const SPIFFE: &str = "spiffe://";

/// What common names begin with.
const MINICLUSTER: &str = "minicluster";

/// The certificates that a collector has shown, its own first. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Shown(Arc<[CertificateDer<'static>]>);

impl Shown {
    /// `None` where it has shown none.
    pub(super) fn new(chain: Vec<CertificateDer<'static>>) -> Option<Self> {
        (!chain.is_empty()).then(|| Self(chain.into()))
    }
}

/// The authority of collectors, as its file says.
#[derive(Debug)]
pub(super) struct Certificates {
    file: PathBuf,
    trusted: ArcSwap<Trusted>,
    /// What was wrong with the file, and said.
    complaint: Mutex<Option<String>>,
    by_namespace: bool,
}

#[derive(Debug)]
struct Trusted {
    pem: Vec<u8>,
    authorities: Authorities,
}

/// What a certificate says.
#[derive(Debug, PartialEq)]
struct Says {
    /// The URI or common name.
    name: String,
    identity: Identity,
    /// Whether it names an account, and so takes a gateway that goes by namespaces.
    account: bool,
    expires: SystemTime,
}

impl Certificates {
    /// Reads the file for the first time.
    ///
    /// # Errors
    ///
    /// In words that follow its name, when it cannot be used.
    pub(super) fn read(file: &Path, by_namespace: bool) -> Result<Self, String> {
        let trusted = ArcSwap::from_pointee(Trusted::new(read(file)?)?);
        Ok(Self { file: file.to_owned(), trusted, complaint: Mutex::default(), by_namespace })
    }

    /// Reads it again. Where it cannot be used, what was trusted stays.
    pub(super) fn reload(&self) {
        let next = read(&self.file).and_then(|pem| {
            let is_new = pem != self.trusted.load().pem;
            is_new.then(|| Trusted::new(pem)).transpose()
        });
        let problem = match next {
            Ok(None) => None,
            Ok(Some(trusted)) => {
                self.trusted.store(Arc::new(trusted));
                tracing::info!(file = %self.file.display(), "another authority signs for collectors");
                None
            }
            Err(problem) => Some(problem),
        };
        let mut complaint = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(problem) = problem.as_ref().filter(|_| *complaint != problem) {
            let file = self.file.display();
            tracing::warn!(%file, "--collector-ca: it {problem}; what was trusted before stays");
        }
        *complaint = problem;
    }

    /// Who the collector is.
    pub(super) fn prove(&self, shown: &Shown, now: Moment) -> Result<Proof, Refused> {
        self.still_trusts(shown, now)?;
        let says = Says::of(shown).map_err(Refused::unproved)?;
        let who: Arc<str> = says.name.as_str().into();
        if says.account && !self.by_namespace {
            return Err(Refused::denied(format!(
                "{who} names an account, and this gateway takes certificates of MiniClusters alone \
                 (or those of accounts for all of their namespaces, by --collectors-by-namespace)"
            ))
            .of(&who));
        }
        let credential = Credential::Certificate(shown.clone());
        Ok(Proof { who, identity: says.identity, credential, expires: Some(says.expires) })
    }

    /// Whether the chain leads to the authority, is for clients, and is of this time.
    pub(super) fn still_trusts(&self, shown: &Shown, now: Moment) -> Result<(), Refused> {
        let trusted = self.trusted.load();
        let Some((own, others)) = shown.0.split_first() else {
            return Err(Refused::unproved("no certificate was shown".to_owned()));
        };
        let time = now.wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let time = UnixTime::since_unix_epoch(time);
        match trusted.authorities.verify_client_cert(own, others, time) {
            Ok(_) => Ok(()),
            Err(error) => Err(Refused::unproved(format!(
                "the certificate is not trusted ({error}): reconnect with one that is signed by the \
                 authority of --collector-ca and has not expired"
            ))),
        }
    }
}

impl Trusted {
    fn new(pem: Vec<u8>) -> Result<Self, String> {
        let authorities = authorities_in(&pem)?;
        Ok(Self { pem, authorities })
    }
}

impl Says {
    fn of(shown: &Shown) -> Result<Self, String> {
        let unreadable = || "the certificate cannot be read".to_owned();
        let own = shown.0.first().ok_or_else(unreadable)?;
        let (_, certificate) = X509Certificate::from_der(own).map_err(|_| unreadable())?;
        let alternatives = certificate.subject_alternative_name().map_err(|_| unreadable())?;
        let alternatives = alternatives.iter().flat_map(|names| &names.value.general_names);
        let uris = alternatives.filter_map(|name| match name {
            GeneralName::URI(uri) => Some(*uri),
            _ => None,
        });
        let uris: Vec<_> = uris.collect();
        let (name, found) = match uris[..] {
            [uri] => (uri, of_uri(uri)),
            [] => {
                let common = certificate.subject().iter_common_name().last();
                let common = common.and_then(|name| name.as_str().ok()).unwrap_or_default();
                (common, of_common_name(common).map(|identity| (identity, false)))
            }
            _ => return Err("the certificate has several URIs, and so several names".to_owned()),
        };
        let (identity, account) = found.ok_or_else(|| {
            format!(
                "the certificate's name {name:?} is neither spiffe://DOMAIN/ns/NAMESPACE/minicluster/NAME, \
                 with /index/N or not, nor minicluster:NAMESPACE:NAME, with :N or not"
            )
        })?;
        let end = certificate.validity().not_after.timestamp();
        let end = Duration::from_secs(u64::try_from(end).unwrap_or_default());
        let expires = SystemTime::UNIX_EPOCH.checked_add(end).ok_or_else(unreadable)?;
        Ok(Self { name: name.to_owned(), identity, account, expires })
    }
}

/// The identity that a URI names, and whether it is an account's.
fn of_uri(uri: &str) -> Option<(Identity, bool)> {
    let (domain, path) = uri.strip_prefix(SPIFFE)?.split_once('/')?;
    let parts: Vec<_> = path.split('/').collect();
    if domain.is_empty() || parts.iter().any(|part| part.is_empty()) {
        return None;
    }
    match parts[..] {
        ["ns", namespace, "sa", _] => Some((Identity::Namespace(namespace.into()), true)),
        ["ns", namespace, MINICLUSTER, name] => Some((minicluster(namespace, name, None), false)),
        ["ns", namespace, MINICLUSTER, name, "index", index] => {
            Some((minicluster(namespace, name, Some(number(index)?)), false))
        }
        _ => None,
    }
}

fn of_common_name(name: &str) -> Option<Identity> {
    let parts: Vec<_> = name.split(':').collect();
    if parts.iter().any(|part| part.is_empty()) {
        return None;
    }
    match parts[..] {
        [MINICLUSTER, namespace, name] => Some(minicluster(namespace, name, None)),
        [MINICLUSTER, namespace, name, index] => {
            Some(minicluster(namespace, name, Some(number(index)?)))
        }
        _ => None,
    }
}

fn minicluster(namespace: &str, name: &str, index: Option<u32>) -> Identity {
    let cluster = ClusterKey { namespace: namespace.into(), name: name.into() };
    Identity::MiniCluster { cluster, index }
}

/// A number as it is written, without a sign or zeros before it.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number: &u32| number.to_string() == text)
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    File::open(file)
        .and_then(|file| file.take(MAX_PEM_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > MAX_PEM_BYTES {
        return Err(format!("is larger than {MAX_PEM_BYTES} bytes"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
