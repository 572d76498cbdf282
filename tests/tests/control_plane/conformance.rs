//! What a gateway sends, read by Kubernetes' own code: `conformance` of the control plane's
//! program.

use std::{fs, process::Stdio};

use control_plane::Programs;
use system_tests::{TestCa, TestGateway, plane};
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt as _, process::Command};

mod reads;

#[tokio::test]
async fn golden_bytes_are_those_of_kubernetes_own_types() {
    let Some(programs) = plane::programs() else { return };
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../gateway/metrics-api/testdata");
    let said = conformance(&programs, &["golden", golden], "").await;
    for document in ["v1beta1", "v1beta2", "external", "status", "groups", "resources"] {
        let agree = format!("{document}.json: JSON and protobuf agree");
        assert!(said.lines().any(|line| line == agree), "{said}");
    }
    assert!(said.contains("openapi/v2.json: JSON and protobuf agree"), "{said}");
}

#[tokio::test]
async fn discovery_and_openapi_say_the_same_in_every_way_that_clients_read_them() {
    let Some(programs) = plane::programs() else { return };
    let (ca, dir) = (TestCa::new(), TempDir::new().unwrap());
    let gateway = TestGateway::start(&ca, &[]).await;
    let server = format!("https://localhost:{}", gateway.api.port());
    let authority = dir.path().join("ca.crt");
    fs::write(&authority, ca.pem()).unwrap();
    let authority = authority.display().to_string();
    let args = ["documents", "--server", &server, "--ca", &authority];
    let said = conformance(&programs, &args, "").await;
    assert!(said.contains("/openapi/v2: "), "{said}");
}

/// Runs the client with these lines on standard input, and returns what it prints.
async fn conformance(programs: &Programs, args: &[&str], input: &str) -> String {
    let mut child = Command::new(programs.path())
        .arg("conformance")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // One that has failed reads no more, and says why below.
    let write = async move { stdin.write_all(input.as_bytes()).await.ok() };
    let (_, output) = tokio::join!(write, child.wait_with_output());
    let output = output.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{why}");
    said
}
