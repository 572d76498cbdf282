use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, date_time_ymd};

use super::*;
use crate::{clock::Clock, tls::test_ca::TestCa};

/// A front proxy's authority, one of clients, and names that front proxies have.
struct World {
    proxies: TestCa,
    clients: TestCa,
    trust: Arc<Trust>,
}

impl World {
    fn new(names: &str) -> Self {
        let (proxies, clients) = (TestCa::new(), TestCa::new());
        let trust = trust(&proxies, &clients, names);
        Self { proxies, clients, trust }
    }

    fn proves(&self, certificate: CertificateDer<'static>) -> Arc<Proved> {
        Shown::new(vec![certificate]).unwrap().proves(&self.trust, Clock::system().now())
    }
}

fn trust(proxies: &TestCa, clients: &TestCa, names: &str) -> Arc<Trust> {
    let data = [
        ("client-ca-file", clients.pem()),
        ("requestheader-client-ca-file", proxies.pem()),
        ("requestheader-allowed-names", names.to_owned()),
    ];
    let data = data.map(|(key, value)| (key.to_owned(), value)).into();
    Arc::new(Trust::default().next(&data).0)
}

fn unchanged(_: &mut CertificateParams) {}

fn refusal<T>(proved: Option<&Result<T, Unproved>>) -> String {
    match proved {
        Some(Err(unproved)) => unproved.to_string(),
        Some(Ok(_)) => "proved".to_owned(),
        None => "nobody is trusted".to_owned(),
    }
}

#[test]
fn a_front_proxy_is_one_of_its_authority_and_of_an_allowed_name() {
    let world = World::new(r#"["front-proxy-client","other"]"#);
    for name in ["front-proxy-client", "other"] {
        let proved = world.proves(world.proxies.client(name, &[], unchanged));
        assert!(matches!(proved.proxy, Some(Ok(()))), "{name}: {proved:?}");
        assert!(refusal(proved.client.as_ref()).contains("is not trusted"));
    }
    let proved = world.proves(world.proxies.client("mallory", &[], unchanged));
    let refused = refusal(proved.proxy.as_ref());
    assert_eq!(refused, "the common name \"mallory\" is none of a front proxy");
}

#[test]
fn with_no_allowed_names_any_name_will_do() {
    let world = World::new("[]");
    let proved = world.proves(world.proxies.client("anything", &[], unchanged));
    assert!(matches!(proved.proxy, Some(Ok(()))), "{proved:?}");
}

#[test]
fn a_client_is_who_its_subject_says() {
    let world = World::new("[]");
    let proved = world.proves(world.clients.client("alice", &["dev", "ops"], unchanged));
    let Some(Ok(user)) = &proved.client else { panic!("{proved:?}") };
    assert_eq!(user.name, "alice");
    assert_eq!(user.groups, ["dev", "ops", "system:authenticated"]);
    let id = &user.extra["authentication.kubernetes.io/credential-id"];
    assert!(id[0].starts_with("X509SHA256=") && id[0].len() == 11 + 64, "{id:?}");
    // The proxies' authority is another one, whatever the name.
    assert!(refusal(proved.proxy.as_ref()).contains("is not trusted"));
}

#[test]
fn a_client_without_a_name_is_nobody() {
    let world = World::new("[]");
    let nameless = |params: &mut CertificateParams| params.distinguished_name = Default::default();
    assert!(world.proves(world.clients.client("", &[], nameless)).client.is_none());
}

#[test]
fn a_certificate_of_an_unknown_authority_or_of_another_time_or_use_proves_nothing() {
    let world = World::new("[]");
    let expired = |params: &mut CertificateParams| params.not_after = date_time_ymd(2020, 1, 1);
    let early = |params: &mut CertificateParams| params.not_before = date_time_ymd(4000, 1, 1);
    let of_a_server = |params: &mut CertificateParams| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    };
    let unknown = TestCa::new().client("front-proxy-client", &[], unchanged);
    for (certificate, why) in [
        (unknown, "is not trusted"),
        (world.proxies.client("p", &[], expired), "expired"),
        (world.proxies.client("p", &[], early), "not valid yet"),
        (world.proxies.client("p", &[], of_a_server), "extended key usage"),
    ] {
        let refused = refusal(world.proves(certificate).proxy.as_ref());
        assert!(refused.contains(why), "{why}: {refused}");
    }
}

#[test]
fn a_proof_is_made_once_until_others_are_trusted_or_it_is_old() {
    let world = World::new("[]");
    let certificate = world.proxies.client("p", &[], unchanged);
    let shown = Shown::new(vec![certificate]).unwrap();
    let now = Clock::system().now();
    let first = shown.proves(&world.trust, now);
    assert!(Arc::ptr_eq(&first, &shown.proves(&world.trust, now)));

    let other = trust(&TestCa::new(), &world.clients, "[]");
    let proved = shown.proves(&other, now);
    assert!(refusal(proved.proxy.as_ref()).contains("is not trusted"));

    let later = Moment { instant: now.instant + PROOF_LASTS, wall: now.wall };
    let last = shown.proves(&other, now);
    assert!(!Arc::ptr_eq(&last, &shown.proves(&other, later)));
    // The certificates of a test are of this century.
    let far = Moment { instant: later.instant + PROOF_LASTS, ..later };
    let far = Moment { wall: far.wall + Duration::from_secs(u64::from(u32::MAX) * 100), ..far };
    let refused = refusal(shown.proves(&world.trust, far).proxy.as_ref());
    assert!(refused.contains("expired"), "{refused}");
}

#[test]
fn where_nobody_is_trusted_a_certificate_says_nothing() {
    let shown = Shown::new(vec![TestCa::new().client("p", &[], unchanged)]).unwrap();
    let proved = shown.proves(&Arc::default(), Clock::system().now());
    assert!(proved.proxy.is_none() && proved.client.is_none());
    assert!(Shown::new(Vec::new()).is_none());
}

#[test]
fn bytes_that_are_no_certificate_prove_nothing() {
    let world = World::new("[]");
    let proved = world.proves(CertificateDer::from(vec![0x30, 0x03, 0x01, 0x01, 0xff]));
    assert!(refusal(proved.proxy.as_ref()).contains("is not trusted"));
    assert!(refusal(proved.client.as_ref()).contains("is not trusted"));
}
