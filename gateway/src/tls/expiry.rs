//! When the certificate that is served with ends, for those who watch it.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering::Relaxed},
};

use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::Pair;

/// The end of the certificate that is served with. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Expiry(Arc<AtomicI64>);

impl Expiry {
    /// In seconds since 1970; `None` where none is served with, or it does not say.
    pub fn not_after(&self) -> Option<i64> {
        Some(self.0.load(Relaxed)).filter(|seconds| *seconds != 0)
    }

    /// Notes that this is served with now. A chain ends when the first of its certificates does.
    pub fn note(&self, served: &Pair) {
        let chain = CertificateDer::pem_slice_iter(&served.cert).filter_map(Result::ok);
        let ends = chain.filter_map(|certificate| {
            let (_, parsed) = X509Certificate::from_der(&certificate).ok()?;
            Some(parsed.validity().not_after.timestamp())
        });
        self.0.store(ends.min().unwrap_or_default(), Relaxed);
    }
}
