//! A value too old is never served, and the answer says how old it is.

use std::time::Duration;

use system_tests::{FakeCollector, TestCa, TestGateway, eventually, fake_collector, refused};

#[tokio::test]
async fn a_silent_collector_becomes_a_404_that_says_how_old_its_last_sample_is() {
    let gateway =
        TestGateway::start(&TestCa::new(), &["--max-age", "1s", "--interval", "250ms"]).await;
    let hello = fake_collector::hello("mc0");
    let mut collector = FakeCollector::connect(gateway.channel().await, hello).await.unwrap();
    collector.report(&[("node_up_count", 4.0)]).await.unwrap();
    let client = gateway.client();
    assert_eq!(client.metric("mc0", "node_up_count").await, Ok(4.0));

    let refusal = eventually("the value is refused", async || {
        refused(client.metric("mc0", "node_up_count").await)
    })
    .await;
    assert!(refusal.contains("last sample is 1s old, limit 1s"), "{refusal}");

    let hello = fake_collector::hello("mc0");
    let mut again = FakeCollector::connect(gateway.channel().await, hello).await.unwrap();
    again.report(&[("node_up_count", 3.0)]).await.unwrap();
    assert_eq!(client.metric("mc0", "node_up_count").await, Ok(3.0));
}

#[tokio::test]
async fn what_a_collector_no_longer_proves_ages_although_samples_go_on() {
    let gateway = TestGateway::start(&TestCa::new(), &[]).await;
    let hello = fake_collector::hello("mc0");
    let mut collector = FakeCollector::connect(gateway.channel().await, hello).await.unwrap();
    let mut sample =
        fake_collector::sample(&[("node_up_count", 4.0), ("job_queue_state_run_count", 2.0)]);
    for source in &mut sample.sources {
        if source.name == "resource.sched-status" {
            let two_minutes = Duration::from_secs(120);
            source.proved_age_ms = Some(u64::try_from(two_minutes.as_millis()).unwrap());
            "no answer within 10s".clone_into(&mut source.failure);
        }
    }
    collector.send(sample).await.unwrap();

    let client = gateway.client();
    assert_eq!(client.metric("mc0", "job_queue_state_run_count").await, Ok(2.0));
    let refusal = client.metric("mc0", "node_up_count").await.unwrap_err();
    assert!(
        refusal.contains("last sample is 120s old, limit 60s; no answer within 10s"),
        "{refusal}"
    );
}
