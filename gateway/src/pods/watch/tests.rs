use futures_util::stream::{self, BoxStream};
use serde_json::json;

use super::*;
use crate::pods::Sight;

fn pod(index: usize) -> api::Pod {
    let labels = json!({"hpa-selector": "mc0", "job-index": index.to_string()});
    let name = format!("mc0-{index}-abcde");
    let metadata = json!({"namespace": "hpc", "name": name, "uid": name, "labels": labels});
    serde_json::from_value(json!({"metadata": metadata})).expect("a pod")
}

fn count(shared: &Shared) -> usize {
    match &**shared.load() {
        Pods::Known(known) => known.namespace("hpc").map_or(0, |namespace| namespace.pods.len()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_burst_costs_few_states_and_loses_nothing() {
    let (shared, listed) = (Shared::default(), Notify::new());
    let mut states: Vec<Arc<Pods>> = Vec::new();
    let list = [Event::Init, Event::InitDone].into_iter();
    let burst = list.chain((0..10_000).map(|index| Event::Apply(pod(index))));
    let events = burst.map(|event| {
        let state = shared.newest.load_full();
        if !states.last().is_some_and(|last| Arc::ptr_eq(last, &state)) {
            states.push(state);
        }
        Ok(event)
    });
    let events = stream::iter(events).chain(stream::pending());
    let mut watch = Watch::new(&shared, Duration::ZERO, &listed);
    tokio::select! {
        _ = watch.run(events) => panic!("a watch goes on"),
        () = sleep(PUBLISH_INTERVAL * 2) => {}
    }
    drop(watch);
    assert_eq!(count(&shared), 10_000);
    assert!(states.len() < 10, "{} states", states.len());
}

#[tokio::test]
async fn one_pod_too_many_ends_the_watch() {
    let run = async |pods: usize| {
        let (shared, listed) = (Shared::default(), Notify::new());
        let list = (0..pods).map(|index| Event::InitApply(pod(index)));
        let events = [Event::Init].into_iter().chain(list).chain([Event::InitDone]);
        // The stream ends here; that of an API server does only when there are too many.
        let events = stream::iter(events.map(Ok));
        Box::pin(Watch::new(&shared, Duration::ZERO, &listed).run(events)).await;
        matches!(&**shared.load(), Pods::Known(_))
    };
    assert!(run(MAX_PODS).await);
    assert!(!run(MAX_PODS + 1).await, "nothing is known of some when others are not");
}

type Events = BoxStream<'static, Result<Event<api::Pod>, watcher::Error>>;

/// Why a watch with these events, and none after them, stops within a day.
async fn stopped(watch: &mut Watch<'_>, events: Events) -> Option<Stop> {
    let day = Duration::from_secs(24 * 60 * 60);
    let run = Box::pin(watch.run(events.chain(stream::pending())));
    tokio::time::timeout(day, run).await.ok()
}

/// Errors so many seconds apart.
fn errors(seconds: u64) -> Events {
    let errors = stream::repeat_with(|| Err(watcher::Error::NoResourceVersion));
    let errors = errors.then(move |error| async move {
        sleep(Duration::from_secs(seconds)).await;
        error
    });
    errors.boxed()
}

fn list(pods: usize) -> Events {
    let pods = (0..pods).map(|index| Event::InitApply(pod(index)));
    stream::iter([Event::Init].into_iter().chain(pods).chain([Event::InitDone]).map(Ok)).boxed()
}

fn is_interrupted(shared: &Shared) -> bool {
    matches!(&**shared.load(), Pods::Unknown(Unknown::Interrupted))
}

#[tokio::test(start_paused = true)]
async fn what_a_broken_watch_has_told_is_trusted_for_a_while_and_again_when_it_is_whole() {
    let (shared, listed) = (Shared::default(), Notify::new());
    let mut watch = Watch::new(&shared, Duration::ZERO, &listed);
    let began = Instant::now();
    // Nothing came between the errors, which may be because nothing happened.
    let stop = stopped(&mut watch, list(2).chain(errors(30)).boxed()).await;
    assert_eq!(stop, Some(Stop::Outage));
    assert!(began.elapsed() >= MAX_OUTAGE, "{:?}", began.elapsed());
    assert_eq!(count(&shared), 2, "a list is tried first");

    // A list that never comes: each attempt begins and fails.
    let begun = [Ok(Event::Init), Err(watcher::Error::NoResourceVersion)];
    assert_eq!(stopped(&mut watch, stream::iter(begun).boxed()).await, None);
    assert!(is_interrupted(&shared));

    assert_eq!(stopped(&mut watch, list(1)).await, None);
    assert_eq!(count(&shared), 1);
}

#[tokio::test(start_paused = true)]
async fn an_idle_watch_and_one_with_errors_now_and_then_are_trusted() {
    let (shared, listed) = (Shared::default(), Notify::new());
    let mut watch = Watch::new(&shared, Duration::ZERO, &listed);
    assert_eq!(stopped(&mut watch, list(2)).await, None, "a day without an event");
    assert_eq!(count(&shared), 2);
    let events = errors(60).take(100).enumerate();
    let events = events.flat_map(|(nth, error)| stream::iter([error, Ok(Event::Apply(pod(nth)))]));
    assert_eq!(stopped(&mut watch, list(2).chain(events).boxed()).await, None);
    assert_eq!(count(&shared), 100);
}

/// What happens to the only pod of a MiniCluster between two states that are published.
#[tokio::test(start_paused = true)]
async fn a_pod_that_is_evicted_and_gone_at_once_was_not_deleted() {
    let ended = |pod: &api::Pod| {
        let mut pod = pod.clone();
        pod.metadata.deletion_timestamp =
            serde_json::from_value(json!("2026-11-23T22:55:00Z")).ok();
        pod
    };
    let evicted = |pod: &api::Pod| {
        let mut pod = ended(pod);
        let condition = json!({"type": "DisruptionTarget", "status": "True"});
        pod.status = serde_json::from_value(json!({"conditions": [condition]})).ok();
        pod
    };
    let failed = |pod: &api::Pod| {
        let mut pod = pod.clone();
        pod.status = serde_json::from_value(json!({"phase": "Failed"})).ok();
        pod
    };
    let one = pod(0);
    for (events, is_replaced) in [
        (vec![Event::Apply(evicted(&one)), Event::Delete(evicted(&one))], true),
        (vec![Event::Delete(evicted(&one))], true),
        (vec![Event::Apply(failed(&one))], true),
        (vec![Event::Apply(failed(&one)), Event::Delete(failed(&one))], true),
        (vec![Event::Apply(ended(&one)), Event::Delete(ended(&one))], false),
        (vec![Event::Delete(one.clone())], false),
    ] {
        let (shared, listed) = (Shared::default(), Notify::new());
        let day = Duration::from_secs(24 * 60 * 60);
        let (mut watch, began) = (Watch::new(&shared, day, &listed), Instant::now());
        let what = format!("{events:?}");
        let events = list(1).chain(stream::iter(events.into_iter().map(Ok)));
        assert_eq!(stopped(&mut watch, events.boxed()).await, None);
        let Pods::Known(known) = &**shared.load() else { panic!("{what}") };
        let sight = known.minicluster("hpc", "mc0", began);
        assert_eq!(matches!(sight, Sight::Replaced(_)), is_replaced, "{sight:?} after {what}");
    }
}

#[tokio::test]
async fn a_pod_that_failed_before_the_first_list_is_no_news() {
    let (shared, listed) = (Shared::default(), Notify::new());
    let mut failed = pod(0);
    failed.status = serde_json::from_value(json!({"phase": "Failed"})).ok();
    let events = [Event::Init, Event::InitApply(failed), Event::InitDone];
    let events = stream::iter(events.map(Ok));
    Box::pin(Watch::new(&shared, Duration::ZERO, &listed).run(events)).await;
    let Pods::Known(known) = &**shared.load() else { panic!("listed") };
    assert!(matches!(known.minicluster("hpc", "mc0", Instant::now()), Sight::Unseen));
}
