use super::*;
use crate::{
    clock::Clock,
    model::{ClusterKey, SeriesMap},
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
    })
}

fn snapshot(reporter: &Arc<Reporter>) -> Snapshot {
    Snapshot {
        reporter: Arc::clone(reporter),
        received: Clock::system().now(),
        sources: Arc::new([]),
        instance: SeriesMap::new(),
        broker: SeriesMap::new(),
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

    let new = claim(&store, 0, 200.0).expect("a younger broker takes over");
    new.publish(snapshot(new.reporter())).expect("owner publishes");

    assert_eq!(old.publish(snapshot(old.reporter())), Err(Replaced));
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
    assert_eq!(first.publish(snapshot(first.reporter())), Err(Replaced));
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
    let store = Arc::new(Store::default());
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
