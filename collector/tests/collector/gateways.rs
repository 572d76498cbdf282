//! What gateways do, and what the collector makes of it.

use flux_simulator::{Config, Simulator, instance::Need};
use fluxgauge_proto::v1::Wishes;
use tonic::{Status, transport::Identity};

use crate::{
    gateway::{Gateway, Heard, Manners},
    pod::Pod,
};

async fn simulator() -> (tempfile::TempDir, Simulator) {
    let dir = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(Config::new(dir.path())).await.unwrap();
    (dir, simulator)
}

fn up(heard: &Heard) -> bool {
    heard.value("node_up_count") == Some(4.0)
}

#[tokio::test]
async fn changes_follow_a_full_sample_without_a_gap() {
    let (_dir, simulator) = simulator().await;
    let gateway = Gateway::start(Manners::default()).await;
    let pod = Pod::start(&simulator.endpoint(0).unwrap(), [gateway.address]);
    gateway.until("up", up).await;
    for running in 1..=3 {
        simulator.submit(Need::cores(1), Some("batch")).unwrap();
        gateway
            .until("running", |heard| {
                heard.value("job_queue_state_run_count") == Some(f64::from(running))
            })
            .await;
    }
    let heard = gateway.heard().pop().unwrap();
    for (sequence, sample) in (1..).zip(&heard.samples) {
        assert_eq!((sample.sequence, sample.full), (sequence, sequence == 1));
        let trace = sample.trace.as_ref().unwrap();
        assert_eq!((trace.trace_id.len(), trace.span_id.len()), (16, 8));
    }
    let causes: Vec<_> =
        heard.samples.iter().map(|sample| sample.trace.as_ref().unwrap().cause.as_str()).collect();
    assert!(causes.contains(&"job-manager.events-journal"), "{causes:?}");
    pod.stop().await;
}

#[tokio::test]
async fn a_gateway_that_asks_for_a_full_sample_gets_one_at_once() {
    let (_dir, simulator) = simulator().await;
    let gateway = Gateway::start(Manners { want_full_at: Some(2), ..Manners::default() }).await;
    let pod = Pod::start(&simulator.endpoint(0).unwrap(), [gateway.address]);
    let heard = gateway.until("a third sample", |heard| heard.samples.len() >= 3).await;
    let full: Vec<_> = heard.samples.iter().take(3).map(|sample| sample.full).collect();
    assert_eq!(full, [true, false, true]);
    pod.stop().await;
}

#[tokio::test]
async fn a_gateway_that_does_not_acknowledge_is_left_and_tried_again() {
    let (_dir, simulator) = simulator().await;
    let mute = Gateway::start(Manners { mute: true, ..Manners::default() }).await;
    let good = Gateway::start(Manners::default()).await;
    let pod = Pod::start(&simulator.endpoint(0).unwrap(), [mute.address, good.address]);
    good.until("up", up).await;
    let streams = mute.until_all("another try", |streams| streams.len() > 1).await;
    assert_eq!(streams[0].samples.len(), 1, "one sample is unacknowledged at most");
    mute.set(Manners::default());
    mute.until("up", up).await;
    pod.stop().await;
}

#[tokio::test]
async fn a_gateway_that_refuses_or_restarts_is_tried_for_ever() {
    let (_dir, simulator) = simulator().await;
    let refuse = Some(Status::resource_exhausted("too many"));
    let gateway = Gateway::start(Manners { refuse, ..Manners::default() }).await;
    let pod = Pod::start(&simulator.endpoint(0).unwrap(), [gateway.address]);
    gateway.until_all("three tries", |streams| streams.len() >= 3).await;
    gateway.set(Manners::default());
    gateway.until("up", up).await;

    let address = gateway.kill().await;
    let gateway = Gateway::start_at(address, Manners::default(), None).await;
    let heard = gateway.until("up again", up).await;
    assert!(heard.samples[0].full);
    pod.stop().await;
}

#[tokio::test]
async fn addresses_come_and_go_with_the_name() {
    let (_dir, simulator) = simulator().await;
    let first = Gateway::start(Manners::default()).await;
    let late = Gateway::start(Manners::default()).await;
    let pod = Pod::start(&simulator.endpoint(0).unwrap(), [first.address]);
    first.until("up", up).await;
    assert!(late.heard().is_empty());

    pod.names.set([first.address, late.address]);
    let heard = late.until("up", up).await;
    assert!(heard.samples[0].full);
    assert!(!first.heard()[0].ended);

    pod.names.set([late.address]);
    let gone = first.until("its end", |heard| heard.ended).await;
    assert_eq!(gone.leaving, None, "the collector has not left");
    assert!(!late.heard()[0].ended);
    pod.stop().await;
}

#[tokio::test]
async fn a_wish_for_more_samples_is_granted() {
    let (_dir, simulator) = simulator().await;
    let wishes = Some(Wishes { interval_ms: 100, max_age_ms: 0 });
    let gateway = Gateway::start(Manners { wishes, ..Manners::default() }).await;
    let pod = Pod::start(&simulator.endpoint(0).unwrap(), [gateway.address]);
    // At the default interval of five seconds this would take more than a minute.
    gateway.until("many samples", |heard| heard.samples.len() > 20).await;
    pod.stop().await;
}

#[tokio::test]
async fn a_collector_that_ends_says_so() {
    let (_dir, simulator) = simulator().await;
    let gateway = Gateway::start(Manners::default()).await;
    let pod = Pod::start(&simulator.endpoint(0).unwrap(), [gateway.address]);
    gateway.until("up", up).await;
    pod.stop().await;
    let heard = gateway.until("leaving", |heard| heard.leaving.is_some()).await;
    assert_eq!(heard.leaving.as_deref(), Some("the collector was asked to end"));
}

#[tokio::test]
async fn a_mute_gateway_does_not_hold_the_end_up() {
    let (_dir, simulator) = simulator().await;
    let gateway = Gateway::start(Manners { mute: true, ..Manners::default() }).await;
    let pod = Pod::start(&simulator.endpoint(0).unwrap(), [gateway.address]);
    gateway.until("a sample", |heard| !heard.samples.is_empty()).await;
    pod.stop().await;
    gateway.until("leaving", |heard| heard.leaving.is_some()).await;
}

#[tokio::test]
async fn the_certificate_has_to_be_for_the_name_and_the_token_is_sent() {
    let (_dir, simulator) = simulator().await;
    let files = tempfile::tempdir().unwrap();
    // Certificates that sign themselves: each is its own authority.
    let identity = |name: &str| {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let pem = made.cert.pem();
        let file = files.path().join(name);
        std::fs::write(&file, &pem).unwrap();
        (file, Identity::from_pem(pem, made.signing_key.serialize_pem()))
    };
    let ((good_ca, good), (wrong_ca, wrong)) = (identity("localhost"), identity("elsewhere"));
    let both = files.path().join("both");
    let pems = [good_ca, wrong_ca].map(|file| std::fs::read_to_string(file).unwrap());
    std::fs::write(&both, pems.concat()).unwrap();
    let token = files.path().join("token");
    std::fs::write(&token, "s3cret\n").unwrap();

    let any = "127.0.0.1:0".parse().unwrap();
    let good = Gateway::start_at(any, Manners::default(), Some(good)).await;
    let wrong = Gateway::start_at(any, Manners::default(), Some(wrong)).await;
    let broker = simulator.endpoint(0).unwrap();
    let pod = Pod::start_with([good.address, wrong.address], |args| {
        args.flux_uri = Some(broker.to_string());
        args.gateway = Some("https://localhost:1".to_owned());
        args.ca = Some(both);
        args.token_file = Some(token.clone());
    });
    let heard = good.until("up", up).await;
    assert_eq!(heard.authorization.as_deref(), Some("Bearer s3cret"));
    assert!(wrong.heard().is_empty());
    pod.stop().await;
}

#[tokio::test]
async fn a_new_token_gets_a_new_stream_before_the_last_one_ends() {
    let (_dir, simulator) = simulator().await;
    let files = tempfile::tempdir().unwrap();
    let token = files.path().join("token");
    std::fs::write(&token, "first").unwrap();
    let gateway = Gateway::start(Manners::default()).await;
    let broker = simulator.endpoint(0).unwrap();
    let pod = Pod::start_with([gateway.address], |args| {
        args.flux_uri = Some(broker.to_string());
        args.token_file = Some(token.clone());
        args.insecure = Some("true".to_owned());
        args.interval = Some("50ms".to_owned());
    });
    gateway.until("up", up).await;
    // As while the kubelet writes it: the stream goes on.
    std::fs::write(&token, "").unwrap();
    std::fs::write(&token, "second").unwrap();
    let all = gateway.until_all(
        "a second stream, and the end of the first",
        |all| matches!(all, [first, second] if first.ended && up(second)),
    );
    let all = all.await;
    assert_eq!(all[0].authorization.as_deref(), Some("Bearer first"));
    assert_eq!(all[1].authorization.as_deref(), Some("Bearer second"));
    assert_eq!(all[0].before_its_end, 2, "the second one came before the first had ended");
    assert!(all[0].leaving.is_none(), "it has not left");
    pod.stop().await;
    assert_eq!(gateway.heard().len(), 2);
}
