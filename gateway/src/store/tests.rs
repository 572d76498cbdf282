use futures_util::FutureExt as _;

use super::*;
use crate::{
    clock::Clock,
    model::{ClusterKey, SeriesMap, Standing},
};

fn reporter(name: &str, rank: u32, broker_start: f64) -> Arc<Reporter> {
    Arc::new(Reporter {
        cluster: ClusterKey { namespace: "hpc".into(), name: name.into() },
        rank,
        index: rank.to_string().into(),
        pod: format!("{name}-{rank}").into(),
        broker_start,
        headless_service: None,
        flux_version: "0.88.0".into(),
        connected: Instant::now(),
        standing: Standing::default(),
    })
}

fn snapshot(reporter: &Arc<Reporter>) -> Snapshot {
    Snapshot {
        reporter: Arc::clone(reporter),
        received: Clock::system().now(),
        sources: Arc::new([]),
        instance: SeriesMap::new(),
        broker: SeriesMap::new(),
        size: Size::default(),
    }
}

fn claim(store: &Arc<Store>, rank: u32, start: f64) -> Result<Writer, ClaimError> {
    store.claim(reporter("mc0", rank, start))
}

fn newest(store: &Store) -> Option<f64> {
    let cluster = store.cluster("hpc", "mc0")?;
    Some(cluster.lead()?.snapshot()?.reporter.broker_start)
}

#[tokio::test]
async fn a_younger_lead_broker_replaces_an_older_one_whose_late_samples_are_dropped() {
    let store = Arc::new(Store::default());
    let old = claim(&store, 0, 100.0).expect("first claim");
    old.publish(snapshot(old.reporter())).expect("owner publishes");
    assert!(old.replaced().now_or_never().is_none());

    let new = claim(&store, 0, 200.0).expect("a younger broker takes over");
    old.replaced().now_or_never().expect("it is told at once");
    assert!(new.replaced().now_or_never().is_none());
    new.publish(snapshot(new.reporter())).expect("owner publishes");

    assert_eq!(old.publish(snapshot(old.reporter())), Err(Replaced.into()));
    assert_eq!(newest(&store), Some(200.0));
}

#[tokio::test]
async fn an_older_lead_broker_is_refused_only_while_the_younger_one_reports() {
    let store = Arc::new(Store::default());
    let new = claim(&store, 0, 200.0).expect("first claim");
    let refused = claim(&store, 0, 100.0).expect_err("older");
    assert_eq!(refused, ClaimError::Superseded { rank: 0, newer: 200.0, older: 100.0 });

    drop(new);
    claim(&store, 0, 100.0).expect("a clock that was set back locks nobody out");
}

#[tokio::test]
async fn the_same_broker_may_reconnect_before_its_old_stream_is_seen_to_end() {
    let store = Arc::new(Store::default());
    let first = claim(&store, 0, 100.0).expect("first claim");
    let second = claim(&store, 0, 100.0).expect("reconnected");
    assert_eq!(first.publish(snapshot(first.reporter())), Err(Replaced.into()));
    // The end of the old stream says nothing about the new one.
    drop(first);
    store.forget(Instant::now(), Duration::ZERO, |_| false);
    second.publish(snapshot(second.reporter())).expect("still the owner");
    assert_eq!(newest(&store), Some(100.0));
}

#[tokio::test]
async fn leaving_forgets_a_rank_at_once_and_no_other() {
    let store = Arc::new(Store::default());
    let lead = claim(&store, 0, 1.0).expect("claim");
    let worker = claim(&store, 1, 1.0).expect("claim");
    assert_eq!(store.reporters(), 2);

    lead.leave();
    let cluster = store.cluster("hpc", "mc0").expect("the worker still reports");
    assert!(cluster.lead().is_none());
    assert_eq!(cluster.slots().count(), 1);

    worker.leave();
    assert!(store.namespace("hpc").is_none());
    assert_eq!(store.reporters(), 0);
}

#[tokio::test]
async fn a_replaced_stream_that_leaves_forgets_nothing() {
    let store = Arc::new(Store::default());
    let old = claim(&store, 0, 100.0).expect("claim");
    let new = claim(&store, 0, 200.0).expect("claim");
    new.publish(snapshot(new.reporter())).expect("owner publishes");
    old.leave();
    assert_eq!(newest(&store), Some(200.0));
}

#[tokio::test(start_paused = true)]
async fn values_of_an_ended_stream_stay_until_they_are_forgotten() {
    let store = Arc::new(Store::default());
    let writer = claim(&store, 0, 100.0).expect("claim");
    writer.publish(snapshot(writer.reporter())).expect("owner publishes");
    drop(writer);

    let after = Duration::from_secs(600);
    tokio::time::advance(after - Duration::from_secs(1)).await;
    store.forget(Instant::now(), after, |_| false);
    assert_eq!(newest(&store), Some(100.0));

    tokio::time::advance(Duration::from_secs(1)).await;
    store.forget(Instant::now(), after, |_| false);
    assert_eq!(newest(&store), None);
    assert_eq!(store.reporters(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_lead_is_remembered_while_its_minicluster_runs_though_nobody_of_it_reports() {
    let store = Arc::new(Store::default());
    for rank in 0..2 {
        let writer = claim(&store, rank, 100.0).expect("claim");
        writer.publish(snapshot(writer.reporter())).expect("owner publishes");
    }
    tokio::time::advance(Duration::from_secs(3600)).await;
    let forget = |runs: bool| {
        store.forget(Instant::now(), Duration::from_secs(600), |cluster| {
            assert_eq!((&*cluster.namespace, &*cluster.name), ("hpc", "mc0"));
            runs
        });
    };
    forget(true);
    assert_eq!((newest(&store), store.reporters()), (Some(100.0), 1), "the worker is forgotten");
    forget(false);
    assert_eq!((newest(&store), store.reporters()), (None, 0));
}

#[tokio::test]
async fn a_full_store_refuses_a_new_rank_and_still_takes_a_known_one() {
    let store = Arc::new(Store::new(Bounds { collectors: 2 * MAX_REPORTERS, series: 1 }));
    let writers: Vec<_> = (0..u32::try_from(MAX_REPORTERS).expect("fits"))
        .map(|n| store.claim(reporter(&format!("mc{}", n / 128), n % 128, 1.0)))
        .collect::<Result<_, _>>()
        .expect("room for all");
    assert_eq!(store.claim(reporter("one-more", 0, 1.0)).expect_err("no room"), ClaimError::Full);
    store.claim(reporter("mc0", 0, 1.0)).expect("a reconnect needs no room");
    assert_eq!(store.reporters(), MAX_REPORTERS);
    drop(writers);
}

#[tokio::test]
async fn a_read_takes_no_lock() {
    let store = Arc::new(Store::default());
    let writer = claim(&store, 0, 100.0).expect("first claim");
    writer.publish(snapshot(writer.reporter())).expect("owner publishes");
    // A writer that stopped at its worst moment: a read that needs either lock would hang here.
    let _changing = store.changing();
    let claim = writer.slot.claim();
    assert_eq!(newest(&store), Some(100.0));
    assert_eq!(store.namespace("hpc").map(|namespace| namespace.len()), Some(1));
    assert_eq!(store.reporters(), 1);
    drop(claim);
}

/// A reporter that has proved so much.
fn standing(standing: Standing, start: f64) -> Arc<Reporter> {
    let reporter = reporter("mc0", 0, start);
    Arc::new(Reporter { standing, ..Reporter::clone(&reporter) })
}

#[tokio::test]
async fn whoever_has_proved_more_holds_the_rank_whatever_clocks_say() {
    let store = Arc::new(Store::default());
    let claim = |proved, start| store.claim(standing(proved, start));
    let namespace = claim(Standing::Namespace, 300.0).expect("first claim");
    let pod = claim(Standing::Pod, 100.0).expect("proved more");
    assert_eq!(namespace.check(), Err(Replaced));
    for less in [Standing::Unasked, Standing::Namespace, Standing::Index] {
        let refused = claim(less, 900.0).expect_err("proved less");
        assert_eq!(refused, ClaimError::Outranked { rank: 0 });
    }
    // Which pod holds the index was decided before.
    let next = claim(Standing::Pod, 50.0).expect("another pod");
    assert_eq!(pod.check(), Err(Replaced));
    drop(next);
    claim(Standing::Namespace, 1.0).expect("nobody else reports");
}

/// What a snapshot takes, for a store that keeps little.
fn of_size(reporter: &Arc<Reporter>, series: usize, text_bytes: usize) -> Snapshot {
    Snapshot { size: Size { series, text_bytes }, ..snapshot(reporter) }
}

#[tokio::test]
async fn a_namespace_has_its_bounds_and_gives_back_what_it_keeps_no_more() {
    let store = Arc::new(Store::new(Bounds { collectors: 2, series: 10 }));
    let claim = |rank| store.claim(reporter("mc0", rank, 1.0));
    let (lead, worker) = (claim(0).unwrap(), claim(1).unwrap());
    let publish = |writer: &Writer, series, bytes| {
        let published = writer.publish(of_size(writer.reporter(), series, bytes));
        published.map_err(|error| error.to_string())
    };
    publish(&lead, 6, 0).unwrap();
    let refused = publish(&worker, 5, 0).unwrap_err();
    assert!(refused.contains("would have 11 series, and may have 10"), "{refused}");
    publish(&worker, 4, 10 * TEXT_BYTES_PER_SERIES).unwrap();
    let refused = publish(&lead, 6, 1).unwrap_err();
    assert!(refused.contains("may have 2560"), "{refused}");
    publish(&worker, 4, 0).unwrap();
    assert!(matches!(claim(2), Err(ClaimError::TooMuch(_))));

    // What is remembered is kept, too: a rank that ended makes no room.
    drop(lead);
    assert!(publish(&worker, 5, 0).is_err() && claim(2).is_err());
    store.forget(Instant::now(), Duration::ZERO, |_| false);
    // The lead is remembered while another reports.
    assert!(publish(&worker, 5, 0).is_err());
    claim(0).unwrap().leave();
    publish(&worker, 10, 0).unwrap();
    claim(2).unwrap();
}

#[tokio::test]
async fn streams_of_a_namespace_are_few_however_often_they_are_replaced() {
    let store = Arc::new(Store::new(Bounds { collectors: 1, series: 10 }));
    let claim = || store.claim(reporter("mc0", 0, 1.0));
    let streams: Vec<_> = (0..STREAMS_PER_COLLECTOR).map(|_| claim().unwrap()).collect();
    assert!(matches!(claim(), Err(ClaimError::TooMuch(_))));
    drop(streams);
    claim().unwrap();
}
