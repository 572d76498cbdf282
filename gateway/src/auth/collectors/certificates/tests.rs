use std::fs;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, SanType, date_time_ymd};
use tempfile::TempDir;

use super::*;
use crate::{clock::Clock, tls::test_ca::TestCa};

/// An authority, and what the gateway takes of it.
struct World {
    ca: TestCa,
    folder: TempDir,
    certificates: Certificates,
}

impl World {
    fn new(by_namespace: bool) -> Self {
        let (ca, folder) = (TestCa::new(), TempDir::new().unwrap());
        let file = folder.path().join("ca.crt");
        fs::write(&file, ca.pem()).unwrap();
        let certificates = Certificates::read(&file, by_namespace).unwrap();
        Self { ca, folder, certificates }
    }

    fn prove(&self, shown: &Shown) -> Result<Proof, Refused> {
        self.certificates.prove(shown, Clock::system().now())
    }

    /// What a certificate of this authority proves, or why it proves nothing.
    fn proves(
        &self,
        name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Result<Identity, String> {
        let proof = self.prove(&shown(&self.ca, name, change));
        proof.map(|proof| proof.identity).map_err(|refused| refused.to_string())
    }
}

fn shown(ca: &TestCa, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Shown {
    Shown::new(vec![ca.client(name, &[], change)]).unwrap()
}

fn uri(uri: &str) -> impl FnOnce(&mut CertificateParams) {
    let uri = SanType::URI(uri.try_into().unwrap());
    move |params| params.subject_alt_names.push(uri)
}

#[test]
fn names_are_read_in_each_form_and_in_no_other() {
    let of = |index| minicluster("hpc", "mc.0", index);
    for (name, identity, account) in [
        ("spiffe://example.org/ns/hpc/minicluster/mc.0", of(None), false),
        ("spiffe://d/ns/hpc/minicluster/mc.0/index/12", of(Some(12)), false),
        ("spiffe://d/ns/hpc/sa/default", Identity::Namespace("hpc".into()), true),
    ] {
        assert_eq!(of_uri(name), Some((identity, account)), "{name}");
    }
    for name in [
        "https://d/ns/hpc/minicluster/mc.0",
        "spiffe:///ns/hpc/minicluster/mc.0",
        "spiffe://d/ns/hpc/minicluster",
        "spiffe://d/ns//minicluster/mc.0",
        "spiffe://d/ns/hpc/minicluster/mc.0/",
        "spiffe://d/ns/hpc/minicluster/mc.0/index/-1",
        "spiffe://d/ns/hpc/minicluster/mc.0/index/01",
        "spiffe://d/ns/hpc/minicluster/mc.0/rank/1",
        "spiffe://d/x/ns/hpc/minicluster/mc.0",
    ] {
        assert_eq!(of_uri(name), None, "{name}");
    }
    assert_eq!(of_common_name("minicluster:hpc:mc.0"), Some(of(None)));
    assert_eq!(of_common_name("minicluster:hpc:mc.0:3"), Some(of(Some(3))));
    for name in ["", "mc.0", "hpc:mc.0", "minicluster:hpc:", "minicluster:hpc:mc.0:x:1"] {
        assert_eq!(of_common_name(name), None, "{name}");
    }
}

#[test]
fn a_certificate_proves_what_its_uri_says_and_else_its_common_name() {
    let world = World::new(false);
    let own = uri("spiffe://d/ns/hpc/minicluster/mc0/index/1");
    let found = world.proves("minicluster:lab:other", own);
    assert_eq!(found, Ok(minicluster("hpc", "mc0", Some(1))));
    let found = world.proves("minicluster:hpc:mc0", |_| {});
    assert_eq!(found, Ok(minicluster("hpc", "mc0", None)));
    let refused = world.proves("minicluster:hpc:mc0", uri("https://d/")).unwrap_err();
    assert!(refused.contains("name \"https://d/\" is neither spiffe://"), "{refused}");
    let several = |params: &mut CertificateParams| {
        uri("spiffe://d/ns/hpc/minicluster/mc0")(params);
        uri("spiffe://d/ns/hpc/minicluster/mc1")(params);
    };
    let refused = world.proves("x", several).unwrap_err();
    assert!(refused.contains("several URIs"), "{refused}");
}

#[test]
fn an_account_counts_only_where_namespaces_do() {
    let account = "spiffe://d/ns/hpc/sa/default";
    let found = World::new(true).proves("x", uri(account));
    assert_eq!(found, Ok(Identity::Namespace("hpc".into())));
    let refused = World::new(false).proves("x", uri(account)).unwrap_err();
    assert!(refused.contains("--collectors-by-namespace"), "{refused}");
}

#[test]
fn others_authorities_other_purposes_and_other_times_prove_nothing() {
    let world = World::new(false);
    let own = "spiffe://d/ns/hpc/minicluster/mc0";
    let stranger = world.prove(&shown(&TestCa::new(), "x", uri(own))).unwrap_err();
    assert!(stranger.to_string().contains("is not trusted"), "{stranger}");
    let of_server = |params: &mut CertificateParams| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        uri(own)(params);
    };
    assert!(world.proves("x", of_server).is_err());
    let expired = |params: &mut CertificateParams| {
        params.not_after = date_time_ymd(2001, 1, 1);
        uri(own)(params);
    };
    let refused = world.proves("x", expired).unwrap_err();
    assert!(refused.contains("xpired"), "{refused}");
}

#[test]
fn its_end_is_known() {
    let world = World::new(false);
    let until = |params: &mut CertificateParams| params.not_after = date_time_ymd(2100, 1, 1);
    let proof = world.prove(&shown(&world.ca, "minicluster:hpc:mc0", until)).unwrap();
    let end = SystemTime::UNIX_EPOCH + Duration::from_secs(4_102_444_800);
    assert_eq!(proof.expires, Some(end));
}

#[test]
fn another_authority_counts_at_once_and_a_broken_file_changes_nothing() {
    let world = World::new(false);
    let old = shown(&world.ca, "minicluster:hpc:mc0", |_| {});
    let file = world.folder.path().join("ca.crt");
    fs::write(&file, "no PEM").unwrap();
    world.certificates.reload();
    assert!(world.prove(&old).is_ok());
    let next = TestCa::new();
    fs::write(&file, next.pem()).unwrap();
    world.certificates.reload();
    assert!(world.certificates.still_trusts(&old, Clock::system().now()).is_err());
    assert!(world.prove(&shown(&next, "minicluster:hpc:mc0", |_| {})).is_ok());
    assert!(Certificates::read(Path::new("/nonexistent"), false).is_err());
}
