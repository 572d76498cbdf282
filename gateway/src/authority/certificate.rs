//! What is read of a certificate: when it was made and ends, for which names, and who signed it.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use jiff::Timestamp;
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use x509_parser::{
    extensions::{GeneralName, ParsedExtension},
    prelude::{FromDer as _, X509Certificate},
};

/// How long before it was made a certificate counts, for clients whose clocks are behind.
pub(super) const BACKDATED: Duration = Duration::from_secs(5 * 60);

/// What ends each certificate in PEM form.
const PEM_FOOTER: &str = "-----END CERTIFICATE-----";

/// A certificate, and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Certificate {
    /// In PEM form.
    pub(super) pem: String,
    /// When one of ours was made.
    pub(super) made: Timestamp,
    /// Until when it counts.
    pub(super) ends: Timestamp,
    /// What its owner is called: DNS names and IP addresses.
    pub(super) names: BTreeSet<String>,
    /// The common name of its owner.
    pub(super) common_name: String,
    /// The owner's public key, as `SubjectPublicKeyInfo`.
    pub(super) public_key: Vec<u8>,
    /// What the owner's key is called by those who sign with it.
    key_id: Option<Vec<u8>>,
    /// What the signer's key is called.
    signer_key_id: Option<Vec<u8>>,
}

impl Certificate {
    /// Reads the first certificate in a text.
    pub(super) fn read(pem: &str) -> Result<Self, String> {
        let der = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|error| format!("no certificate in PEM form: {error}"))?;
        let (_, parsed) = X509Certificate::from_der(&der)
            .map_err(|error| format!("no valid X.509 certificate: {error}"))?;
        let validity = parsed.validity();
        let mut this = Self {
            pem: pem.to_owned(),
            made: later(moment(validity.not_before.timestamp()), BACKDATED),
            ends: moment(validity.not_after.timestamp()),
            names: BTreeSet::new(),
            common_name: common_name(&parsed),
            public_key: parsed.public_key().raw.to_vec(),
            key_id: None,
            signer_key_id: None,
        };
        for extension in parsed.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::SubjectAlternativeName(names) => {
                    this.names = names.general_names.iter().filter_map(name).collect();
                }
                ParsedExtension::SubjectKeyIdentifier(id) => this.key_id = Some(id.0.to_vec()),
                ParsedExtension::AuthorityKeyIdentifier(id) => {
                    this.signer_key_id = id.key_identifier.as_ref().map(|id| id.0.to_vec());
                }
                _ => {}
            }
        }
        Ok(this)
    }

    /// Reads all certificates in a text.
    pub(super) fn read_all(bundle: &str) -> Result<Vec<Self>, String> {
        let whole = bundle.split_inclusive(PEM_FOOTER).filter(|text| text.contains(PEM_FOOTER));
        whole.map(|pem| Self::read(&format!("{}\n", pem.trim()))).collect()
    }

    /// Whether the owner of this one has signed `other`.
    pub(super) fn has_signed(&self, other: &Self) -> bool {
        self.key_id.is_some() && self.key_id == other.signer_key_id
    }

    /// How long it counts, from when it was made.
    pub(super) fn life(&self) -> Duration {
        Duration::try_from(self.made.duration_until(self.ends)).unwrap_or_default()
    }
}

/// A moment some time after another.
pub(super) fn later(moment: Timestamp, time: Duration) -> Timestamp {
    moment.checked_add(time).unwrap_or(Timestamp::MAX)
}

/// A moment some time before another.
pub(super) fn earlier(moment: Timestamp, time: Duration) -> Timestamp {
    moment.checked_sub(time).unwrap_or(Timestamp::MIN)
}

fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}

fn common_name(certificate: &X509Certificate<'_>) -> String {
    let name = certificate.subject().iter_common_name().next();
    name.and_then(|name| name.as_str().ok()).unwrap_or_default().to_owned()
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes).ok().map(|bytes| IpAddr::from(bytes).to_string()),
            16 => <[u8; 16]>::try_from(*bytes).ok().map(|bytes| IpAddr::from(bytes).to_string()),
            _ => None,
        },
        _ => None,
    }
}
