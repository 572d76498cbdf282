//! Credentials expire, and collectors renew them without a gap.

use std::fs;

use flux_simulator::{Config, Simulator};
use system_tests::{Gateways, TestCollector, collector::Credential};

use super::*;

const HPC: &str = "0123456789abcdef-of-hpc";

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let api = FakeApi::start().await;
    add_job(&api, "mc0");
    let own = pod("mc0", 0, "aaaaa");
    api.apply(own.clone());
    let gateway = by_pods(&api, &TestCa::new(), &["--max-age", "60s"]).await;
    // As long as a pass lasts at least, whatever its token says.
    let soon = in_an_hour() - Duration::from_secs(3600 - 10);
    let token = api.make_token(Some(&own), None, soon);
    let channel = gateway.channel().await;
    let mut lead =
        FakeCollector::connect_with(channel, hello("mc0", 0), Some(&token)).await.unwrap();
    lead.report(&UP).await.unwrap();
    let end = lead.end().await;
    says(&end, Code::Unauthenticated, "is to be shown again: reconnect with a new one");
    assert_eq!(gateway.client().metric("mc0", "node_up_count").await, Ok(4.0));
}

#[tokio::test]
async fn a_collector_renews_its_token_without_a_moment_in_which_its_values_are_not_there() {
    let (ca, dir, sockets) = (TestCa::new(), token_dir(&[("hpc", HPC)]), TempDir::new().unwrap());
    let gateway = by_tokens(&ca, &dir, &["--interval", "100ms", "--max-age", "3s"]).await;
    let broker = Simulator::start(Config::new(sockets.path())).await.unwrap();
    let uri = format!("local://{}", broker.socket(0).display());
    let file = sockets.path().join("token");
    fs::write(&file, HPC).unwrap();
    let credential = Credential::TokenFile(file.clone());
    let _collector = TestCollector::start_as(&ca, Gateways::one(gateway.ingest), &uri, &credential);
    let client = gateway.client();
    let read = async || client.metric("mc0", "node_up_count").await;
    eventually("it reports", read).await;

    for round in 0..2 {
        let next = format!("{HPC}-{round}");
        // For a while both count, as when a Secret and what is mounted of it change one after the other.
        fs::write(dir.path().join("hpc"), &next).unwrap();
        fs::write(&file, &next).unwrap();
        let probe = async || {
            read().await.expect("it is readable all along");
            let channel = gateway.channel().await;
            refused(FakeCollector::connect_with(channel, hello("mc9", 0), Some(HPC)).await)
        };
        eventually("the old token is of nobody", probe).await;
        // Longer than its streams last.
        system_tests::throughout(Duration::from_secs(4), async || {
            read().await.expect("it is readable all along");
        })
        .await;
    }
}

#[tokio::test]
async fn a_collector_renews_its_certificate_without_a_moment_in_which_its_values_are_not_there() {
    let (ca, authority, folder) = (TestCa::new(), TestCa::new(), TempDir::new().unwrap());
    let file = |name: &str| folder.path().join(name);
    let write = |authority: &TestCa| {
        let own = authority.client_of_uri("spiffe://d/ns/hpc/minicluster/mc0/index/0");
        fs::write(file("key"), own.key_pem()).unwrap();
        fs::write(file("cert"), own.pem()).unwrap();
    };
    fs::write(file("ca.crt"), authority.pem()).unwrap();
    write(&authority);
    let authorities = file("ca.crt");
    let flags = ["--kubernetes", "off", "--collector-ca", authorities.to_str().unwrap()];
    let short = ["--interval", "100ms", "--max-age", "3s"];
    let gateway = TestGateway::start_proving(&ca, &[&flags[..], &short].concat()).await;
    let broker = Simulator::start(Config::new(folder.path())).await.unwrap();
    let uri = format!("local://{}", broker.socket(0).display());
    let credential = Credential::Pair(file("cert"), file("key"));
    let _collector = TestCollector::start_as(&ca, Gateways::one(gateway.ingest), &uri, &credential);
    let client = gateway.client();
    let read = async || client.metric("mc0", "node_up_count").await;
    eventually("it reports", read).await;

    // Certificates of the next authority come before the last one goes.
    let next = TestCa::new();
    fs::write(file("ca.crt"), authority.pem() + &next.pem()).unwrap();
    write(&next);
    let reads = async |seconds: u64| {
        system_tests::throughout(Duration::from_secs(seconds), async || {
            read().await.expect("it is readable all along");
        })
        .await;
    };
    // A collector looks for new files every 5 s.
    reads(7).await;
    fs::write(file("ca.crt"), next.pem()).unwrap();
    // Longer than streams of the last authority go on, and their values are served.
    reads(8).await;
}
