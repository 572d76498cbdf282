use futures_util::stream;
use serde_json::json;

use super::*;

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
        let state = shared.0.load_full();
        if !states.last().is_some_and(|last| Arc::ptr_eq(last, &state)) {
            states.push(state);
        }
        Ok(event)
    });
    let events = stream::iter(events).chain(stream::pending());
    let mut watch = Watch::new(&shared, Duration::ZERO, &listed);
    tokio::select! {
        () = watch.run(events) => panic!("a watch goes on"),
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
