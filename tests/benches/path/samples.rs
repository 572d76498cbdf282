//! Samples of collectors → the store, over gRPC and TLS: from the sending of a full sample to the
//! ack that says that readers see it.

use std::time::Duration;

use fluxgauge_proto::catalogue::{CATALOGUE, Scope};
use system_tests::{FakeCollector, TestCa, TestGateway, fake_collector};
use tokio::{task::JoinSet, time::Instant};

use crate::{
    runtime,
    spread::{Spread, micros, rate},
};

/// How long to send, for each number of collectors.
const TIME: Duration = Duration::from_secs(2);

pub(crate) fn measure() {
    let (servers, clients) = (runtime(), runtime());
    let gateway = servers.block_on(TestGateway::start(&TestCa::new(), &["--log-level", "warn"]));
    println!("\nsample → store over gRPC and TLS, full samples of {} series", values().len());
    for collectors in [1, 16, 64] {
        let mut spread = clients.block_on(send(&gateway, collectors));
        println!(
            "  {collectors:>3} collectors {:>8.0} samples/s   p50 {:>6.0} µs   p99 {:>6.0} µs",
            rate(spread.len(), TIME),
            micros(spread.percentile(50)),
            micros(spread.percentile(99)),
        );
    }
}

/// A value for every metric of an instance.
pub(crate) fn values() -> Vec<(&'static str, f64)> {
    let of_instance = CATALOGUE.iter().filter(|metric| metric.scope != Scope::Broker);
    of_instance.map(|metric| (metric.name, 12.0)).collect()
}

async fn send(gateway: &TestGateway, collectors: usize) -> Spread {
    let mut tasks = JoinSet::new();
    let end = Instant::now() + TIME;
    for number in 0..collectors {
        // As collectors do, each has a connection of its own.
        let channel = gateway.channel().await;
        tasks.spawn(async move {
            let hello = fake_collector::hello(&format!("mc{number}"));
            let mut collector = FakeCollector::connect(channel, hello).await.expect("a stream");
            let (sample, mut spread) = (fake_collector::sample(&values()), Spread::default());
            while Instant::now() < end {
                let start = Instant::now();
                collector.send(sample.clone()).await.expect("an ack");
                spread.add(start.elapsed());
            }
            spread
        });
    }
    let mut all = Spread::default();
    while let Some(spread) = tasks.join_next().await {
        all.merge(&spread.expect("no collector panics"));
    }
    all
}
