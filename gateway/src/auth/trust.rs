//! Whom kube-apiserver tells the servers behind it to believe.
//!
//! ```text
//!  ConfigMap extension-apiserver-authentication ──▶ Trust ─┬─ proxy:   may say who asks, by headers
//!                                                          └─ clients: are who their subject says
//! ```
//!
//! A function of what was trusted and what the ConfigMap says now: what cannot be understood leaves
//! the last that could.

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::{ArcSwap, Guard};
use http::HeaderName;
use rustls::{
    RootCertStore,
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};

use super::headers::Names;
use crate::tls;

/// The authorities of ordinary clients.
const CLIENT_CA: &str = "client-ca-file";

/// The authorities of front proxies.
const PROXY_CA: &str = "requestheader-client-ca-file";

/// The common names of front proxies; an empty list is any.
const PROXY_NAMES: &str = "requestheader-allowed-names";

const USER_HEADERS: &str = "requestheader-username-headers";
const UID_HEADERS: &str = "requestheader-uid-headers";
const GROUP_HEADERS: &str = "requestheader-group-headers";
const EXTRA_PREFIXES: &str = "requestheader-extra-headers-prefix";

/// Who may say who asks. Nobody, at first.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Those who pass on what others ask.
    pub(super) proxy: Option<Proxy>,
    /// Those who ask for themselves.
    pub(super) clients: Option<Authorities>,
}

/// Those who pass on what others ask.
#[derive(Clone, Debug)]
pub(super) struct Proxy {
    /// Who signs their certificates.
    pub(super) authorities: Authorities,
    /// Their common names; empty: any.
    pub(super) names: Vec<String>,
    /// Where they say who asks.
    pub(super) headers: Names,
}

/// Authorities that sign certificates of clients.
pub(super) type Authorities = Arc<dyn ClientCertVerifier>;

/// What is trusted at the moment: one task writes, every connection reads. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Shared(Arc<ArcSwap<Trust>>);

impl Shared {
    /// What is trusted now.
    pub(super) fn load(&self) -> Guard<Arc<Trust>> {
        self.0.load()
    }

    /// Trusts others from now on.
    pub(super) fn publish(&self, trust: Trust) {
        self.0.store(Arc::new(trust));
    }
}

impl Trust {
    /// What is to be trusted after the ConfigMap has become `data`, and what is wrong with it.
    pub(super) fn next(&self, data: &BTreeMap<String, String>) -> (Self, Vec<String>) {
        let mut problems = Vec::new();
        let mut last_where_wrong = |key, last: Option<&Authorities>| {
            authorities(key, data, last).unwrap_or_else(|problem| {
                problems.push(problem);
                last.cloned()
            })
        };
        let clients = last_where_wrong(CLIENT_CA, self.clients.as_ref());
        let last = self.proxy.as_ref();
        let proxies = last_where_wrong(PROXY_CA, last.map(|proxy| &proxy.authorities));
        let proxy = proxies.and_then(|authorities| match Proxy::of(authorities.clone(), data) {
            Ok(proxy) => Some(proxy),
            Err(problem) => {
                problems.push(problem);
                last.map(|last| Proxy { authorities, ..last.clone() })
            }
        });
        (Self { proxy, clients }, problems)
    }
}

impl Proxy {
    fn of(authorities: Authorities, data: &BTreeMap<String, String>) -> Result<Self, String> {
        let prefixes = list(EXTRA_PREFIXES, data)?.into_iter();
        let prefixes = prefixes.map(|prefix| prefix.trim().to_ascii_lowercase());
        Ok(Self {
            authorities,
            names: list(PROXY_NAMES, data)?,
            headers: Names {
                user: names(USER_HEADERS, data)?,
                uid: names(UID_HEADERS, data)?,
                group: names(GROUP_HEADERS, data)?,
                // An empty one would make an extra of every header.
                extra: prefixes.filter(|prefix| !prefix.is_empty()).collect(),
            },
        })
    }
}

/// The authorities under a key; the last ones where it has become empty.
fn authorities(
    key: &str,
    data: &BTreeMap<String, String>,
    last: Option<&Authorities>,
) -> Result<Option<Authorities>, String> {
    let pem = data.get(key).map(String::as_str).unwrap_or_default();
    if pem.trim().is_empty() {
        return match last {
            Some(_) => Err(format!("{key} is empty")),
            None => Ok(None),
        };
    }
    authorities_in(pem.as_bytes()).map(Some).map_err(|problem| format!("{key} {problem}"))
}

/// The authorities in PEM form.
///
/// # Errors
///
/// In words that follow the name of where they come from.
pub(super) fn authorities_in(pem: &[u8]) -> Result<Authorities, String> {
    let certificates = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("is not PEM: {error}"))?;
    let mut roots = RootCertStore::empty();
    // Old authorities may have odd certificates; they are no reason to refuse the others.
    let (usable, _) = roots.add_parsable_certificates(certificates);
    if usable == 0 {
        return Err("holds no certificate that can be used".to_owned());
    }
    let authorities: Authorities =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), tls::provider())
            .build()
            .map_err(|error| format!("cannot be used: {error}"))?;
    Ok(authorities)
}

fn names(key: &str, data: &BTreeMap<String, String>) -> Result<Vec<HeaderName>, String> {
    let name = |name: &String| {
        HeaderName::from_bytes(name.trim().as_bytes())
            .map_err(|_| format!("{key}: {name:?} is no name of a header"))
    };
    list(key, data)?.iter().map(name).collect()
}

/// A list in JSON; empty where there is no such key.
fn list(key: &str, data: &BTreeMap<String, String>) -> Result<Vec<String>, String> {
    match data.get(key).map(|text| text.trim()) {
        None | Some("") => Ok(Vec::new()),
        Some(text) => serde_json::from_str(text)
            .map_err(|error| format!("{key} is no list of texts in JSON: {error}")),
    }
}

#[cfg(test)]
mod tests;
