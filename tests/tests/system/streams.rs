//! What a collector may say, and what the gateway answers to anything else.

use fluxgauge_proto::{CONTRACT_VERSION, limits};
use system_tests::{FakeCollector, TestCa, TestGateway, fake_collector};
use tonic::Code;

#[tokio::test]
async fn deltas_change_what_the_stream_said_and_a_gap_asks_for_a_full_sample() {
    let gateway = TestGateway::start(&TestCa::new(), &[]).await;
    let hello = fake_collector::hello("mc0");
    let mut collector = FakeCollector::connect(gateway.channel().await, hello).await.unwrap();
    let full = [("node_up_count", 4.0), ("node_free_count", 4.0), ("node_total_count", 4.0)];
    collector.report(&full).await.unwrap();

    let mut delta = fake_collector::sample(&[("node_up_count", 3.0)]);
    delta.full = false;
    delta.removed.extend(fake_collector::series("node_free_count", 0.0).key);
    assert!(!collector.send(delta).await.unwrap().want_full);
    let client = gateway.client();
    assert_eq!(client.metric("mc0", "node_up_count").await, Ok(3.0));
    assert_eq!(client.metric("mc0", "node_total_count").await, Ok(4.0));
    assert!(client.metric("mc0", "node_free_count").await.is_err());

    let mut late = fake_collector::sample(&[("node_up_count", 1.0)]);
    (late.full, late.sequence) = (false, 9);
    assert!(collector.send(late).await.unwrap().want_full);
    assert_eq!(client.metric("mc0", "node_up_count").await, Ok(3.0));

    assert!(!collector.report(&full).await.unwrap().want_full);
    assert_eq!(client.metric("mc0", "node_free_count").await, Ok(4.0));
}

#[tokio::test]
async fn collectors_one_version_away_are_served_and_others_are_told_to_upgrade() {
    let gateway = TestGateway::start(&TestCa::new(), &[]).await;
    let channel = gateway.channel().await;
    let mut next = fake_collector::hello("mc0");
    next.contract_version = CONTRACT_VERSION + 1;
    let mut collector = FakeCollector::connect(channel.clone(), next.clone()).await.unwrap();
    // What a newer collector measures is served although this gateway does not know it.
    collector.report(&[("job_wait_seconds", 1.5)]).await.unwrap();
    assert_eq!(gateway.client().metric("mc0", "job_wait_seconds").await, Ok(1.5));

    next.contract_version = CONTRACT_VERSION + 2;
    let refused = FakeCollector::connect(channel, next).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("upgrade"), "{refused}");
}

#[tokio::test]
async fn what_breaks_the_contract_ends_its_stream_and_no_other() {
    let gateway = TestGateway::start(&TestCa::new(), &[]).await;
    let channel = gateway.channel().await;
    let connect = async |name: &str, rank: u32| {
        let mut hello = fake_collector::hello(name);
        hello.rank = rank;
        FakeCollector::connect(channel.clone(), hello).await.unwrap()
    };
    let mut good = connect("mc0", 0).await;
    good.report(&[("node_up_count", 4.0)]).await.unwrap();

    let no_number = connect("mc1", 0).await.report(&[("node_up_count", f64::NAN)]).await;
    assert_eq!(no_number.unwrap_err().code(), Code::InvalidArgument);

    let not_lead = connect("mc2", 1).await.report(&[("node_up_count", 4.0)]).await;
    assert_eq!(not_lead.unwrap_err().code(), Code::PermissionDenied);

    let names: Vec<_> = (0..=limits::MAX_SERIES).map(|n| format!("metric_{n}")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), 1.0)).collect();
    let too_many = connect("mc3", 0).await.report(&many).await;
    assert_eq!(too_many.unwrap_err().code(), Code::ResourceExhausted);

    let long = "m".repeat(limits::MAX_MESSAGE_BYTES);
    let too_long = connect("mc4", 0).await.report(&[(&long, 1.0)]).await;
    assert!(too_long.is_err());

    good.report(&[("node_up_count", 3.0)]).await.unwrap();
    assert_eq!(gateway.client().metric("mc0", "node_up_count").await, Ok(3.0));
}
