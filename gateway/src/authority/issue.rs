//! Keys and certificates, made.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SerialNumber,
};
use ring::rand::{SecureRandom as _, SystemRandom};
use thiserror::Error;
use x509_parser::time::ASN1Time;

use super::certificate::{BACKDATED, Certificate, earlier, later};

/// Random bytes of a serial number: as many as RFC 5280 lets be, less four.
const SERIAL_BYTES: usize = 16;

/// Why no certificate could be made.
#[derive(Debug, Error)]
pub enum IssueError {
    /// The system gives no random numbers, or a name cannot be in a certificate.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// What was made cannot be read.
    #[error("cannot read the certificate that was made: {0}")]
    Read(String),
    /// A date that X.509 cannot write.
    #[error("the lifetimes end at a date that no certificate can say")]
    Date,
}

/// A certificate and its key.
pub(super) struct Issued {
    pub(super) certificate: Certificate,
    /// In PEM form.
    pub(super) key: String,
}

/// Makes an authority.
pub(super) fn authority(now: Timestamp, lifetime: Duration) -> Result<Issued, IssueError> {
    let mut params = params(now, later(now, lifetime), &format!("Fluxgauge CA {now:.0}"))?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let key = KeyPair::generate()?;
    let pem = params.self_signed(&key)?.pem();
    issued(&pem, &key)
}

/// Makes a serving certificate of an authority, which ends no later than that.
pub(super) fn serving(
    authority: &Certificate,
    authority_key: &str,
    names: &BTreeSet<String>,
    now: Timestamp,
    lifetime: Duration,
) -> Result<Issued, IssueError> {
    let issuer = Issuer::new(of(&authority.common_name), KeyPair::from_pem(authority_key)?);
    let mut params = params(now, later(now, lifetime).min(authority.ends), "fluxgauge-gateway")?;
    let named = CertificateParams::new(names.iter().cloned().collect::<Vec<_>>())?;
    params.subject_alt_names = named.subject_alt_names;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let pem = params.signed_by(&key, &issuer)?.pem();
    issued(&pem, &key)
}

/// Makes a pair that nobody trusts, to answer probes with as long as there is no other.
pub(super) fn nobodys(now: Timestamp, lifetime: Duration) -> Result<Issued, IssueError> {
    let params =
        params(now, later(now, lifetime), "fluxgauge-gateway that has no certificate yet")?;
    let key = KeyPair::generate()?;
    let pem = params.self_signed(&key)?.pem();
    issued(&pem, &key)
}

fn issued(pem: &str, key: &KeyPair) -> Result<Issued, IssueError> {
    let certificate = Certificate::read(pem).map_err(IssueError::Read)?;
    Ok(Issued { certificate, key: key.serialize_pem() })
}

fn params(
    now: Timestamp,
    ends: Timestamp,
    common_name: &str,
) -> Result<CertificateParams, IssueError> {
    let date = |moment: Timestamp| ASN1Time::from_timestamp(moment.as_second());
    let date = |moment| date(moment).map_err(|_| IssueError::Date);
    let mut serial = [0; SERIAL_BYTES];
    SystemRandom::new().fill(&mut serial).map_err(|_| rcgen::Error::RingUnspecified)?;
    let mut params = of(common_name);
    params.not_before = date(earlier(now, BACKDATED))?.to_datetime();
    params.not_after = date(ends)?.to_datetime();
    params.serial_number = Some(SerialNumber::from(serial.to_vec()));
    Ok(params)
}

fn of(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}

#[cfg(test)]
mod tests;
