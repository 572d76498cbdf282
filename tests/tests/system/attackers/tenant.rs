//! Another tenant, and application code, that take all they may.

use fluxgauge_proto::v1::{Label, Scope, Series};
use system_tests::{DEADLINE, fake_collector::sample};
use tokio::{task::JoinSet, time::timeout};
use tonic::transport::Channel;

use super::*;

/// Collectors and series that each namespace may have.
const MOST: (u32, usize) = (8, 1000);

async fn connect(channel: &Channel, rank: u32) -> Result<FakeCollector, Status> {
    FakeCollector::connect_with(channel.clone(), hello("lab", rank), Some(LAB)).await
}

/// Series of the broker whose names and labels are as long as they may be.
fn greedy(number: usize) -> Vec<Series> {
    let label = |nth: usize| Label { name: format!("label-{nth}"), value: "v".repeat(253) };
    let one = |nth: usize| {
        let mut series = fake_collector::series(&format!("{nth:a<253}"), 1.0);
        let key = series.key.as_mut().unwrap();
        (key.scope, key.labels) = (Scope::Broker.into(), (0..8).map(label).collect());
        series
    };
    (0..number).map(one).collect()
}

#[tokio::test]
async fn a_tenant_that_takes_all_it_may_leaves_others_theirs() {
    let (collectors, series) = (MOST.0.to_string(), MOST.1.to_string());
    let bounds = ["--max-collectors-per-namespace", &collectors];
    let world =
        World::start(&[&bounds[..], &["--max-series-per-namespace", &series]].concat()).await;
    let mut bystander = world.bystander().await;
    let channel = world.gateway.channel_from(ELSEWHERE).await;
    let mut taken = bystander
        .beside(async {
            let mut taken = Vec::new();
            for rank in 0..MOST.0 {
                taken.push(connect(&channel, rank).await.unwrap());
            }
            taken
        })
        .await;
    let refusal = bystander.beside(connect(&channel, MOST.0)).await.expect_err("there is room");
    assert_eq!(refusal.code(), Code::ResourceExhausted, "{refusal}");

    // Too many series, too much text, too long a message.
    for (number, code) in
        [(MOST.1 + 1, Code::OutOfRange), (200, Code::ResourceExhausted), (8000, Code::OutOfRange)]
    {
        let mut greedy_sample = sample(&[]);
        greedy_sample.series = greedy(number);
        let mut greedy = taken.pop().unwrap();
        let refusal = bystander.beside(greedy.send(greedy_sample)).await.unwrap_err();
        assert_eq!(refusal.code(), code, "{number}: {refusal}");
    }

    // Samples as fast as they are taken.
    let mut fast = JoinSet::new();
    for mut collector in taken {
        fast.spawn(async move {
            for value in 0..400_u32 {
                collector.report(&[("broker_up", f64::from(value))]).await.unwrap();
            }
        });
    }
    bystander
        .beside(async { while fast.join_next().await.transpose().unwrap().is_some() {} })
        .await;
}

#[tokio::test]
async fn one_that_takes_its_own_place_again_and_again_holds_one_stream() {
    let world = World::start(&["--max-collectors-per-namespace", "1"]).await;
    let mut bystander = world.bystander().await;
    let channel = world.gateway.channel_from(ELSEWHERE).await;
    let again_and_again = async {
        let mut last = connect(&channel, 0).await.unwrap();
        for _ in 0..100 {
            let next = connect(&channel, 0).await.unwrap();
            let end = last.end().await;
            assert_eq!(end.code(), Code::Aborted, "{end}");
            last = next;
        }
    };
    // Each of the streams before would go on for two seconds, were it not told.
    bystander.beside(timeout(DEADLINE, again_and_again)).await.expect("each ends at once");
}
