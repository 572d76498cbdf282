//! Certificates of collectors.

use std::fs;

use rcgen::{ExtendedKeyUsagePurpose, SanType};
use system_tests::ca::ClientPair;

use super::*;

/// A gateway that knows collectors by certificates of an authority.
struct Certificates {
    gateway: TestGateway,
    authority: TestCa,
    folder: TempDir,
}

impl Certificates {
    async fn start(more: &[&str]) -> Self {
        let (authority, folder) = (TestCa::new(), TempDir::new().unwrap());
        let file = folder.path().join("ca.crt");
        fs::write(&file, authority.pem()).unwrap();
        let flags = ["--kubernetes", "off", "--collector-ca", file.to_str().unwrap()];
        let gateway = TestGateway::start_proving(&TestCa::new(), &[&flags, more].concat()).await;
        Self { gateway, authority, folder }
    }

    /// A stream of a collector that shows a certificate.
    async fn connect(&self, own: &ClientPair, hello: Hello) -> Result<FakeCollector, Status> {
        FakeCollector::connect(self.gateway.channel_of(own).await, hello).await
    }

    async fn refusal(&self, own: &ClientPair, hello: Hello) -> Status {
        self.connect(own, hello).await.expect_err("it is let in")
    }
}

#[tokio::test]
async fn a_certificate_reports_what_it_names_and_nothing_else() {
    let world = Certificates::start(&[]).await;
    let of_index = world.authority.client_of_uri("spiffe://d/ns/hpc/minicluster/mc0/index/0");
    let mut lead = world.connect(&of_index, hello("mc0", 0)).await.unwrap();
    lead.report(&UP).await.unwrap();
    assert_eq!(world.gateway.client().metric("mc0", "node_up_count").await, Ok(4.0));
    let refused = world.refusal(&of_index, hello("mc0", 1)).await;
    says(&refused, Code::PermissionDenied, "of index 0 of MiniCluster mc0 and claims rank 1");

    let of_cluster = world.authority.client("minicluster:hpc:mc0");
    world.connect(&of_cluster, hello("mc0", 1)).await.unwrap();
    let refused = world.refusal(&of_cluster, hello("mc1", 0)).await;
    says(&refused, Code::PermissionDenied, "of MiniCluster mc0 and claims MiniCluster mc1");
    // It may report any rank, but not take that of one who has proved more.
    let refused = world.refusal(&of_cluster, hello("mc0", 0)).await;
    says(&refused, Code::PermissionDenied, "has proved more exactly");
    lead.report(&UP).await.unwrap();
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_refused_and_a_token_makes_good_for_it() {
    const TOKEN: &str = "0123456789abcdef-of-hpc";
    let dir = token_dir(&[("hpc", TOKEN)]);
    let more = ["--collector-token-dir", dir.path().to_str().unwrap()];
    let world = Certificates::start(&more).await;
    let uri = "spiffe://d/ns/hpc/minicluster/mc0";
    let stranger = TestCa::new().client_of_uri(uri);
    let refused = world.refusal(&stranger, hello("mc0", 0)).await;
    says(&refused, Code::Unauthenticated, "the certificate is not trusted");
    let of_a_server = world.authority.client_with("x", |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.subject_alt_names.push(SanType::URI(uri.try_into().unwrap()));
    });
    says(&world.refusal(&of_a_server, hello("mc0", 0)).await, Code::Unauthenticated, "not trusted");
    let channel = world.gateway.channel_of(&stranger).await;
    FakeCollector::connect_with(channel, hello("mc0", 0), Some(TOKEN)).await.unwrap();
}

#[tokio::test]
async fn an_account_reports_for_its_namespace_only_where_that_is_asked_for() {
    let account = "spiffe://d/ns/hpc/sa/default";
    let world = Certificates::start(&[]).await;
    let refused = world.refusal(&world.authority.client_of_uri(account), hello("mc0", 0)).await;
    says(&refused, Code::PermissionDenied, "--collectors-by-namespace");
    let world = Certificates::start(&["--collectors-by-namespace"]).await;
    world.connect(&world.authority.client_of_uri(account), hello("mc0", 0)).await.unwrap();
}

#[tokio::test]
async fn another_authority_ends_the_streams_of_the_last_one() {
    let world = Certificates::start(&[]).await;
    let name = "minicluster:hpc:mc0";
    let mut old = world.connect(&world.authority.client(name), hello("mc0", 0)).await.unwrap();
    old.report(&UP).await.unwrap();
    let next = TestCa::new();
    fs::write(world.folder.path().join("ca.crt"), next.pem()).unwrap();
    says(&old.end().await, Code::Unauthenticated, "is not trusted");
    world.connect(&next.client(name), hello("mc0", 0)).await.unwrap();
}
