use std::{fs, time::Duration};

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{test_ca::TestCa, *};
use crate::clock::Clock;

fn loader(dir: &TempDir) -> Loader {
    Loader::new(dir.path().join("tls.crt"), dir.path().join("tls.key"))
}

/// What is logged on this thread from now on.
fn log() -> (tempfile::NamedTempFile, tracing::subscriber::DefaultGuard) {
    let log = tempfile::NamedTempFile::new().unwrap();
    let writer = Arc::new(log.reopen().unwrap());
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(writer).finish();
    (log, tracing::subscriber::set_default(subscriber))
}

fn loaded(ca: &TestCa) -> (TempDir, Certificate) {
    let dir = TempDir::new().unwrap();
    ca.leaf().write(dir.path());
    let certificate = loader(&dir).load().unwrap();
    (dir, certificate)
}

/// The error and its causes, as logs show them.
fn chain(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {}", chain(cause)));
    format!("{error}{}", cause.unwrap_or_default())
}

#[test]
fn http_2_is_preferred_and_http_1_1_is_offered() {
    let (_dir, certificate) = loaded(&TestCa::new());
    let config = Arc::clone(&certificate.current().borrow());
    assert_eq!(config.alpn_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
}

#[test]
fn a_pair_that_cannot_be_served_with_is_refused_with_the_file_at_fault() {
    let ca = TestCa::new();
    let (leaf, other) = (ca.leaf(), ca.leaf());
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let huge = "x".repeat(1024 * 1024 + 1);
    let second_bad = format!("{}{garbage}", leaf.cert);
    let cases = [
        ("no certificate", "", &*leaf.key, "tls.crt holds no certificate in PEM form"),
        ("no PEM", "hello", &leaf.key, "tls.crt holds no certificate in PEM form"),
        ("no X.509", garbage, &leaf.key, "certificate 1 in"),
        ("a bad intermediate", &second_bad, &leaf.key, "certificate 2 in"),
        ("the key in the wrong file", &leaf.key, &leaf.key, "tls.crt holds no certificate"),
        ("no key", &leaf.cert, "", "tls.key holds no private key in PEM form"),
        ("a certificate as key", &leaf.cert, &leaf.cert, "tls.key holds no private key"),
        ("another's key", &leaf.cert, &other.key, "does not fit the first certificate in"),
        ("a huge file", &huge, &leaf.key, "is it the right file?"),
    ];
    for (name, cert, key, want) in cases {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("tls.crt"), cert).unwrap();
        fs::write(dir.path().join("tls.key"), key).unwrap();
        let error = chain(&loader(&dir).load().expect_err(name));
        assert!(error.contains(want), "{name}: {error}");
    }
    let error = chain(&loader(&TempDir::new().unwrap()).load().unwrap_err());
    assert!(error.contains("cannot read") && error.contains("No such file"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_new_pair_is_adopted_while_the_gateway_runs() {
    let ca = TestCa::new();
    let (dir, certificate) = loaded(&ca);
    let mut current = certificate.current();
    let stop = CancellationToken::new();
    let following = tokio::spawn(certificate.follow(stop.clone()));

    ca.leaf().write(dir.path());
    tokio::time::timeout(RELOAD_INTERVAL * 3, current.changed()).await.unwrap().unwrap();

    stop.cancel();
    following.await.unwrap();
}

#[tokio::test]
async fn the_end_of_the_certificate_that_is_served_with_is_known() {
    let ca = TestCa::new();
    let (dir, mut certificate) = loaded(&ca);
    let expiry = certificate.expiry();
    assert_eq!(expiry.not_after(), Some(67_090_118_400));
    ca.leaf_until(2030).write(dir.path());
    certificate.reload().await;
    assert_eq!(expiry.not_after(), Some(1_893_456_000));
    fs::write(dir.path().join("tls.crt"), "rubbish").unwrap();
    certificate.reload().await;
    assert_eq!(expiry.not_after(), Some(1_893_456_000), "the old one is kept");
}

#[tokio::test(start_paused = true)]
async fn a_certificate_that_has_ended_is_told_of_once_a_day_until_another_is_served() {
    const DAY: Duration = Duration::from_secs(86_400);
    let (log, _guard) = log();
    let lines = || fs::read_to_string(log.path()).unwrap();
    let ca = TestCa::new();
    let (dir, mut certificate) = loaded(&ca);
    ca.leaf_until(2020).write(dir.path());
    certificate.reload().await;
    let stop = CancellationToken::new();
    let telling = tokio::spawn(certificate.expiry().tell(Clock::system(), stop.clone()));
    tokio::time::sleep(DAY * 5 / 2).await;
    let of_end = "the certificate has ended";
    assert_eq!(lines().matches(of_end).count(), 3, "{}", lines());
    assert!(lines().contains("ends=2020-01-01T00:00:00Z"), "{}", lines());

    ca.leaf().write(dir.path());
    certificate.reload().await;
    tokio::time::sleep(DAY * 2).await;
    assert_eq!(lines().matches(of_end).count(), 3, "{}", lines());
    stop.cancel();
    telling.await.unwrap();
}

#[tokio::test]
async fn a_directory_that_is_exchanged_by_a_symbolic_link_is_followed() {
    let ca = TestCa::new();
    let dir = TempDir::new().unwrap();
    let version = |name: &str| {
        let version = dir.path().join(name);
        fs::create_dir(&version).unwrap();
        ca.leaf().write(&version);
        let link = dir.path().join("new");
        std::os::unix::fs::symlink(&version, &link).unwrap();
        fs::rename(link, dir.path().join("data")).unwrap();
    };
    version("1");
    let data = dir.path().join("data");
    let mut certificate = Loader::new(data.join("tls.crt"), data.join("tls.key")).load().unwrap();
    let current = certificate.current();
    version("2");
    certificate.reload().await;
    assert!(current.has_changed().unwrap());
}

#[tokio::test]
async fn a_bad_pair_leaves_the_old_one_and_is_logged_once() {
    let (log, _guard) = log();
    let lines = || fs::read_to_string(log.path()).unwrap();
    let ca = TestCa::new();
    let (dir, mut certificate) = loaded(&ca);
    let mut current = certificate.current();

    let key = dir.path().join("tls.key");
    fs::write(&key, ca.leaf().key).unwrap();
    for _ in 0..3 {
        certificate.reload().await;
    }
    assert!(!current.has_changed().unwrap());
    assert_eq!(lines().matches("serving with the old one").count(), 1, "{}", lines());

    fs::remove_file(&key).unwrap();
    for _ in 0..3 {
        certificate.reload().await;
    }
    assert!(!current.has_changed().unwrap());
    assert_eq!(lines().matches("serving with the old one").count(), 2, "{}", lines());

    ca.leaf().write(dir.path());
    certificate.reload().await;
    assert!(current.has_changed().unwrap());
    current.mark_unchanged();
    certificate.reload().await;
    assert!(!current.has_changed().unwrap(), "the same pair is adopted once");
}
