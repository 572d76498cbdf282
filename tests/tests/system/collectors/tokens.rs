//! Tokens of namespaces.

use super::*;

const HPC: &str = "0123456789abcdef-of-hpc";
const LAB: &str = "0123456789abcdef-of-lab";

#[tokio::test]
async fn a_token_of_a_namespace_reports_its_miniclusters_and_no_others() {
    let dir = token_dir(&[("hpc", HPC), ("lab", LAB)]);
    let gateway = by_tokens(&TestCa::new(), &dir, &[]).await;
    let channel = gateway.channel().await;
    for name in ["mc0", "mc1"] {
        let hello = hello(name, 0);
        let mut own = FakeCollector::connect_with(channel.clone(), hello, Some(HPC)).await.unwrap();
        own.report(&UP).await.unwrap();
        assert_eq!(gateway.client().metric(name, "node_up_count").await, Ok(4.0));
    }
    let refused = refusal(channel.clone(), hello("mc0", 0), Some(LAB)).await;
    says(&refused, Code::PermissionDenied, "it is of namespace lab and claims namespace hpc");
    let refused = refusal(channel, hello("mc0", 0), Some("0123456789abcdef-of-nobody")).await;
    says(&refused, Code::Unauthenticated, "the token is not known here");
}

#[tokio::test]
async fn a_worker_cannot_speak_for_the_instance() {
    let dir = token_dir(&[("hpc", HPC)]);
    let gateway = by_tokens(&TestCa::new(), &dir, &[]).await;
    let channel = gateway.channel().await;
    let hello = hello("mc0", 1);
    let mut worker = FakeCollector::connect_with(channel, hello, Some(HPC)).await.unwrap();
    let refused = worker.report(&UP).await.unwrap_err();
    says(&refused, Code::PermissionDenied, "only the collector of rank 0 reports it");
}

#[tokio::test]
async fn a_token_that_is_taken_back_ends_its_streams_and_the_next_one_is_taken() {
    let dir = token_dir(&[("hpc", HPC), ("lab", LAB)]);
    let gateway = by_tokens(&TestCa::new(), &dir, &[]).await;
    let channel = gateway.channel().await;
    let mut old =
        FakeCollector::connect_with(channel.clone(), hello("mc0", 0), Some(HPC)).await.unwrap();
    old.report(&UP).await.unwrap();
    let next = "0123456789abcdef-the-next";
    std::fs::write(dir.path().join("hpc"), next).unwrap();
    let mut new = eventually("the next token is taken", async || {
        FakeCollector::connect_with(channel.clone(), hello("mc1", 0), Some(next)).await
    })
    .await;
    // Without another word of its collector.
    says(&old.end().await, Code::Unauthenticated, "was taken back: reconnect with the new one");
    refusal(channel, hello("mc0", 0), Some(HPC)).await;
    new.report(&UP).await.unwrap();
    // What it said stays until it is too old.
    assert_eq!(gateway.client().metric("mc0", "node_up_count").await, Ok(4.0));
}
