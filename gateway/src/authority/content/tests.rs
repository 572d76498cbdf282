use std::{collections::BTreeSet, time::Duration};

use rustls::server::WebPkiClientVerifier;

use super::*;
use crate::{
    authority::{
        issue,
        renewal::{Change, Terms, after, first},
    },
    tls::{self, Names, test_ca::TestCa},
};

const TERMS: Terms =
    Terms { ca: Duration::from_secs(9_000), certificate: Duration::from_secs(3_000) };

fn names() -> BTreeSet<String> {
    BTreeSet::from(["fluxgauge-api.fluxgauge.svc".to_owned(), "::1".to_owned()])
}

fn now() -> jiff::Timestamp {
    "2026-11-26T07:00:00Z".parse().unwrap()
}

fn secret(data: BTreeMap<String, ByteString>) -> Secret {
    Secret { data: Some(data), ..Secret::default() }
}

/// What becomes of it with some keys written anew; empty: taken out.
fn changed(own: &Own, change: &[(&str, &str)]) -> Result<Content, String> {
    let mut data = own.data();
    for (key, value) in change {
        data.insert((*key).to_owned(), ByteString(value.as_bytes().to_vec()));
    }
    Content::read(&secret(data))
}

#[test]
fn what_is_written_is_read_again_in_every_phase_of_a_rotation() {
    let own = first(&names(), TERMS, now()).unwrap();
    let rotated = after(Change::Rotate, &own, &names(), TERMS, now()).unwrap();
    let signed = after(Change::Renew, &rotated, &names(), TERMS, now()).unwrap();
    let retired = after(Change::Retire, &signed, &names(), TERMS, now()).unwrap();
    for written in [&own, &rotated, &signed, &retired] {
        let Ok(Content::Own(read)) = Content::read(&secret(written.data())) else {
            panic!("not our own");
        };
        assert_eq!(read.newest, written.newest);
        assert_eq!(read.older, written.older);
        assert_eq!(read.serving, written.serving);
        assert_eq!(read.data(), written.data());
        assert_eq!(read.serving.names, names());
        let pair = Content::Own(read).pair();
        let of = Names { cert: String::new(), key: String::new() };
        tls::configure(&pair, &of, &WebPkiClientVerifier::no_client_auth()).unwrap();
    }
}

#[test]
fn what_an_administrator_has_filled_is_given_and_only_its_pair_is_needed() {
    let ca = TestCa::new();
    let leaf = ca.leaf();
    let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
    let mut data = BTreeMap::from([
        (TLS_CERT.to_owned(), bytes(&leaf.cert)),
        (TLS_KEY.to_owned(), bytes(&leaf.key)),
    ]);
    let Ok(Content::Given { pair, bundle: None }) = Content::read(&secret(data.clone())) else {
        panic!("not given");
    };
    assert_eq!((pair.cert, pair.key), (leaf.cert.into_bytes(), leaf.key.into_bytes()));
    data.insert(CA_CERT.to_owned(), bytes(&ca.pem()));
    let content =
        Content::read(&secret(data.clone())).unwrap_or_else(|problem| panic!("{problem}"));
    assert!(matches!(content, Content::Given { .. }));
    assert_eq!(content.bundle(), Some(ca.pem()));

    // What clients cannot read is not told them.
    data.insert(CA_CERT.to_owned(), bytes("hello"));
    let problem = Content::read(&secret(data)).err().unwrap();
    assert_eq!(problem, "ca.crt holds no certificates in PEM form");
}

#[test]
fn what_cannot_be_used_says_which_key_is_wrong() {
    let own = first(&names(), TERMS, now()).unwrap();
    let other = issue::authority(now(), TERMS.ca).unwrap();
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let cases = [
        ((TLS_CERT, ""), "tls.crt is missing or empty"),
        ((TLS_KEY, ""), "tls.key is missing or empty"),
        ((TLS_CERT, garbage), "tls.crt: no valid X.509 certificate"),
        ((CA_CERT, ""), "ca.key is there and ca.crt is not"),
        ((CA_CERT, garbage), "ca.crt: no valid X.509 certificate"),
        ((CA_CERT, "hello"), "ca.crt holds no certificates in PEM form"),
        ((CA_CERT, &other.certificate.pem), "ca.key is of no certificate in ca.crt"),
        ((CA_KEY, "hello"), "ca.key: "),
        ((CA_KEY, &other.key), "ca.key is of no certificate in ca.crt"),
    ];
    for (change, want) in cases {
        let problem = changed(&own, &[change]).err().unwrap_or_else(|| panic!("{want}"));
        assert!(problem.starts_with(want), "{want}: {problem}");
    }
    let problem = Content::read(&Secret::default()).err().unwrap();
    assert_eq!(problem, "tls.crt is missing or empty");
}
