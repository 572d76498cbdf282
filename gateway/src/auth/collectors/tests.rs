use std::fs;

use http::{HeaderValue, header::AUTHORIZATION};
use rcgen::CertificateParams;
use tempfile::TempDir;

use super::*;
use crate::{
    clock::Clock,
    model::{ClusterKey, Standing},
    tls::test_ca::TestCa,
};

const TOKEN: &str = "0123456789abcdef-of-hpc";

/// A gateway that knows an authority and the token of namespace `hpc`.
struct World {
    ca: TestCa,
    folder: TempDir,
    collectors: Collectors,
}

impl World {
    fn new() -> Self {
        let (ca, folder) = (TestCa::new(), TempDir::new().unwrap());
        let (authority, tokens) = (folder.path().join("ca.crt"), folder.path().join("tokens"));
        fs::write(&authority, ca.pem()).unwrap();
        fs::create_dir(&tokens).unwrap();
        fs::write(tokens.join("hpc"), TOKEN).unwrap();
        let ways = WayPolicy {
            authority: Some(authority),
            token_dir: Some(tokens),
            ..WayPolicy::default()
        };
        let policy = Policy::Proved(ways);
        let collectors =
            Collectors::new(&policy, None, &pods::Shared::default(), &Arc::default()).unwrap();
        Self { ca, folder, collectors }
    }

    /// A pass for rank 0 of MiniCluster `mc0` of namespace `hpc`.
    async fn admit(
        &self,
        certificate: Option<CertificateDer<'static>>,
        token: Option<&'static str>,
        now: Moment,
    ) -> Result<Pass, Refused> {
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        let caller = self.collectors.on(peer, certificate.into_iter().collect());
        let bearer = |token| HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        let headers = token.map(|token| (AUTHORIZATION, bearer(token))).into_iter().collect();
        let cluster = ClusterKey { namespace: "hpc".into(), name: "mc0".into() };
        caller.admit(&headers, &Claim { cluster, rank: 0 }, now).await
    }
}

fn of_mc0(ca: &TestCa, change: impl FnOnce(&mut CertificateParams)) -> CertificateDer<'static> {
    ca.client("minicluster:hpc:mc0:0", &[], change)
}

fn now() -> Moment {
    Clock::system().now()
}

fn later(now: Moment, after: Duration) -> Moment {
    Moment { instant: now.instant + after, wall: now.wall + after }
}

#[tokio::test]
async fn the_first_credential_that_proves_anything_counts() {
    let world = World::new();
    let good = || Some(of_mc0(&world.ca, |_| {}));
    let bad = || Some(of_mc0(&TestCa::new(), |_| {}));
    for (certificate, token, standing) in [
        (good(), None, Some(Standing::Index)),
        (good(), Some(TOKEN), Some(Standing::Index)),
        (good(), Some("unknown-0123456789"), Some(Standing::Index)),
        (bad(), Some(TOKEN), Some(Standing::Namespace)),
        (None, Some(TOKEN), Some(Standing::Namespace)),
        (bad(), None, None),
        (bad(), Some("unknown-0123456789"), None),
        (None, None, None),
    ] {
        let pass = world.admit(certificate, token, now()).await;
        assert_eq!(pass.as_ref().ok().map(Pass::standing), standing, "{token:?}");
        if let Err(refused) = pass {
            assert_eq!(refused.grounds, Grounds::Unproved);
        }
    }
}

#[tokio::test]
async fn a_pass_lasts_as_long_as_its_credential_and_no_longer_than_an_hour() {
    let (world, now) = (World::new(), now());
    let minute = Duration::from_secs(60);
    let until = |params: &mut CertificateParams| params.not_after = (now.wall + minute).into();
    let of_a_minute = world.admit(Some(of_mc0(&world.ca, until)), None, now).await.unwrap();
    let for_years = world.admit(Some(of_mc0(&world.ca, |_| {})), None, now).await.unwrap();
    let token = world.admit(None, Some(TOKEN), now).await.unwrap();
    for (pass, lasts) in [(of_a_minute, minute), (for_years, MAX_PASS), (token, MAX_PASS)] {
        let second = Duration::from_secs(1);
        pass.check(later(now, lasts - 2 * second)).unwrap();
        let over = pass.check(later(now, lasts + second)).unwrap_err();
        assert_eq!(over.grounds, Grounds::Unproved, "{over}");
        assert!(over.to_string().contains("reconnect with a new one"), "{over}");
        assert!(over.who.is_some());
    }
}

#[tokio::test]
async fn what_the_files_say_no_more_ends_what_they_have_let_in() {
    let (world, now) = (World::new(), now());
    let certificate = world.admit(Some(of_mc0(&world.ca, |_| {})), None, now).await.unwrap();
    let token = world.admit(None, Some(TOKEN), now).await.unwrap();
    world.collectors.reload();
    assert!(certificate.check(now).is_ok() && token.check(now).is_ok());
    fs::write(world.folder.path().join("ca.crt"), TestCa::new().pem()).unwrap();
    fs::remove_file(world.folder.path().join("tokens/hpc")).unwrap();
    world.collectors.reload();
    for pass in [certificate, token] {
        assert_eq!(pass.check(now).unwrap_err().grounds, Grounds::Unproved);
    }
}

#[test]
fn a_gateway_to_which_nobody_can_prove_anything_does_not_start() {
    let pods = pods::Shared::default();
    let nobody = Policy::Proved(WayPolicy::default());
    let error = Collectors::new(&nobody, None, &pods, &Arc::default()).unwrap_err();
    assert!(error.to_string().contains("--insecure-collectors"), "{error}");
    let missing = |authority: Option<&str>, token_dir: Option<&str>| {
        let ways = WayPolicy {
            authority: authority.map(Into::into),
            token_dir: token_dir.map(Into::into),
            ..WayPolicy::default()
        };
        Collectors::new(&Policy::Proved(ways), None, &pods, &Arc::default())
            .unwrap_err()
            .to_string()
    };
    let error = missing(Some("/nonexistent"), None);
    assert!(error.starts_with("--collector-ca /nonexistent: it cannot be read"), "{error}");
    let error = missing(None, Some("/nonexistent"));
    assert!(error.starts_with("--collector-token-dir /nonexistent: it cannot be read"), "{error}");
}
