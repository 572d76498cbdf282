use std::{collections::BTreeSet, sync::Arc};

use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::*;
use crate::tls;

const LIFE: Duration = Duration::from_secs(3_000);

fn now() -> Timestamp {
    "2026-11-26T07:00:00Z".parse().unwrap()
}

/// What a client that trusts the authority alone has against a certificate, for a name and a moment.
fn refusal(
    authority: &Certificate,
    certificate: &Certificate,
    name: &'static str,
    at: Timestamp,
) -> Option<rustls::Error> {
    let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(der(&authority.pem)).unwrap();
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), tls::provider());
    let name = ServerName::try_from(name).unwrap();
    let at = UnixTime::since_unix_epoch(Duration::from_secs(at.as_second().try_into().unwrap()));
    let verifier = verifier.build().unwrap();
    verifier.verify_server_cert(&der(&certificate.pem), &[], &name, &[], at).err()
}

#[test]
fn clients_that_trust_the_authority_trust_what_it_has_signed_for_its_names_and_its_time() {
    let names = ["fluxgauge-api.fluxgauge.svc", "fluxgauge-ingest.fluxgauge.svc", "192.0.2.1"];
    let all: BTreeSet<_> = names.map(str::to_owned).into();
    let authority = authority(now(), LIFE * 3).unwrap();
    let signed = serving(&authority.certificate, &authority.key, &all, now(), LIFE).unwrap();
    let ask = |name, at| refusal(&authority.certificate, &signed.certificate, name, at);
    for name in names {
        assert_eq!(ask(name, now()), None, "{name}");
    }
    assert!(ask("example.com", now()).is_some());
    // Clocks may be five minutes behind.
    assert_eq!(ask(names[0], earlier(now(), BACKDATED)), None);
    assert!(ask(names[0], earlier(now(), BACKDATED * 2)).is_some());
    assert_eq!(ask(names[0], later(now(), LIFE)), None);
    assert!(ask(names[0], later(now(), LIFE + Duration::from_secs(1))).is_some());
    let other = super::authority(now(), LIFE * 3).unwrap();
    assert!(refusal(&other.certificate, &signed.certificate, names[0], now()).is_some());
    assert!(authority.certificate.has_signed(&signed.certificate));
    assert!(!other.certificate.has_signed(&signed.certificate));
}

#[test]
fn no_certificate_outlives_its_authority_or_may_sign_itself() {
    let authority = authority(now(), LIFE).unwrap();
    let names = BTreeSet::from(["a.example".to_owned()]);
    let late = later(now(), LIFE / 2);
    let (certificate, key) = (&authority.certificate, &authority.key);
    let signed = serving(certificate, key, &names, late, LIFE).unwrap();
    assert_eq!(signed.certificate.ends, authority.certificate.ends);
    let der = CertificateDer::from_pem_slice(signed.certificate.pem.as_bytes()).unwrap();
    let (_, parsed) = X509Certificate::from_der(&der).unwrap();
    assert!(!parsed.is_ca());
    let usage = parsed.key_usage().unwrap().unwrap().value;
    assert!(usage.digital_signature() && !usage.key_cert_sign());
    let purposes = parsed.extended_key_usage().unwrap().unwrap().value;
    assert!(purposes.server_auth && !purposes.client_auth);
    let again = serving(certificate, key, &names, late, LIFE).unwrap();
    let der = CertificateDer::from_pem_slice(again.certificate.pem.as_bytes()).unwrap();
    let (_, other) = X509Certificate::from_der(&der).unwrap();
    assert_ne!(parsed.raw_serial(), other.raw_serial());
}
