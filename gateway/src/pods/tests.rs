use std::{collections::HashSet, time::Duration};

use k8s_openapi::api::core::v1 as api;
use serde_json::{Value, json};

use super::*;
use crate::{
    clock::Clock,
    model::{ClusterKey, Reporter, SeriesMap, Size, Standing},
};

const REMEMBER: Duration = Duration::from_secs(1200);

/// What a Flux Operator and the Job controller made of a MiniCluster `side` of two brokers, less
/// the fields that nobody reads here.
const RECORDED: &str = include_str!("../../testdata/pods.json");

fn recorded() -> Vec<Value> {
    serde_json::from_str(RECORDED).expect("JSON")
}

/// The pod of a change to the first recorded one.
fn changed(change: impl FnOnce(&mut Value)) -> Option<Pod> {
    let mut pod = recorded().swap_remove(0);
    change(&mut pod);
    Pod::of(serde_json::from_value::<api::Pod>(pod).expect("a pod"))
}

fn pod(name: &str, uid: &str, index: u32, stage: Stage) -> Arc<Pod> {
    let pod = changed(|pod| {
        pod["metadata"]["name"] = json!(name);
        pod["metadata"]["uid"] = json!(uid);
        pod["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"] =
            json!(index.to_string());
    });
    let mut pod = pod.expect("belongs to a MiniCluster");
    pod.stage = stage;
    Arc::new(pod)
}

fn at(seconds: u64) -> Instant {
    // Tests have no clock but this: a moment of the process, and what follows it.
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *START.get_or_init(Instant::now) + Duration::from_secs(seconds)
}

/// A snapshot of rank 0 that arrived at `received`, on a stream that was opened at `connected`.
fn snapshot(pod: &str, connected: u64, received: u64) -> Snapshot {
    let reporter = Reporter {
        cluster: ClusterKey { namespace: "default".into(), name: "side".into() },
        rank: 0,
        index: "0".into(),
        pod: pod.into(),
        broker_start: 0.0,
        headless_service: None,
        flux_version: "0.88.0".into(),
        connected: at(connected),
        standing: Standing::default(),
    };
    let mut moment = Clock::system().now();
    moment.instant = at(received);
    Snapshot {
        reporter: Arc::new(reporter),
        received: moment,
        sources: [].into(),
        instance: SeriesMap::new(),
        broker: SeriesMap::new(),
        size: Size::default(),
    }
}

#[test]
fn recorded_pods_are_read() {
    let pods: Vec<_> = recorded()
        .into_iter()
        .map(|pod| Pod::of(serde_json::from_value(pod).expect("a pod")).expect("counts"))
        .collect();
    let names: Vec<_> = pods.iter().map(|pod| (&*pod.name, pod.index)).collect();
    assert_eq!(names, [("side-0-d7qsm", 0), ("side-1-4f2zf", 1)]);
    for pod in &pods {
        assert_eq!((&*pod.namespace, &*pod.minicluster), ("default", "side"));
        assert_eq!(pod.stage, Stage::Live);
        assert!(pod.collects());
        assert_eq!(pod.label("app"), Some("flux-operator"));
        assert_eq!(pod.label("role"), None);
    }
    assert_eq!(&*pods[0].uid, "1bf3faf6-b681-4da3-81a8-b7b9b60fd4b2");
    assert_eq!(pods[1].hostname(), "side-1");
}

#[test]
fn the_index_is_found_wherever_a_release_writes_it() {
    let forget = |pod: &mut Value, places: &[&str]| {
        for place in places {
            let place = pod.pointer_mut(place).and_then(Value::as_object_mut).expect("a map");
            place.remove("batch.kubernetes.io/job-completion-index");
            place.remove("job-index");
        }
    };
    let index = |change: &dyn Fn(&mut Value)| changed(change).map(|pod| pod.index);
    let (labels, annotations) = ("/metadata/labels", "/metadata/annotations");
    assert_eq!(index(&|pod| forget(pod, &[labels])), Some(0));
    assert_eq!(
        index(&|pod| {
            forget(pod, &[labels, annotations]);
            pod["metadata"]["labels"]["job-index"] = json!("7");
        }),
        Some(7)
    );
    let by_hostname = |hostname: &'static str| {
        index(&|pod| {
            forget(pod, &[labels, annotations]);
            pod["spec"]["hostname"] = json!(hostname);
        })
    };
    assert_eq!(by_hostname("side-12"), Some(12));
    assert_eq!(by_hostname("other-12"), None, "a guess would be another's value");
    assert_eq!(by_hostname("side-services"), None);
}

#[test]
fn pods_of_no_minicluster_are_not_kept() {
    assert_eq!(changed(|pod| pod["metadata"]["labels"]["hpa-selector"] = json!("")), None);
    assert_eq!(changed(|pod| pod["metadata"]["labels"] = json!({"job-index": "0"})), None);
    assert_eq!(changed(|pod| pod["metadata"]["uid"] = Value::Null), None);
    let huge = "x".repeat(16 * 1024);
    assert_eq!(changed(|pod| pod["metadata"]["labels"]["big"] = json!(huge)), None);
}

#[test]
fn the_stage_follows_the_phase_and_the_deletion() {
    let disrupted = |phase: &str, deleted: bool, disruption: &str| {
        let pod = changed(|pod| {
            pod["status"]["phase"] = json!(phase);
            let condition = json!({"type": "DisruptionTarget", "status": disruption});
            pod["status"]["conditions"] = json!([condition]);
            if deleted {
                pod["metadata"]["deletionTimestamp"] = json!("2026-11-23T22:55:00Z");
            }
        });
        pod.expect("counts").stage
    };
    let stage = |phase: &str, deleted: bool| disrupted(phase, deleted, "False");
    for phase in ["Pending", "Running", "Unknown"] {
        assert_eq!(stage(phase, false), Stage::Live);
        assert_eq!(stage(phase, true), Stage::Ending);
        assert_eq!(disrupted(phase, false, "True"), Stage::Live, "it has not been told to end");
        assert_eq!(disrupted(phase, true, "True"), Stage::Evicted);
    }
    assert_eq!(stage("Succeeded", false), Stage::Completed);
    assert_eq!(stage("Succeeded", true), Stage::Completed);
    assert_eq!(stage("Failed", false), Stage::Failed);
    assert_eq!(stage("Failed", true), Stage::Gone);
    assert_eq!(disrupted("Failed", true, "True"), Stage::Failed);
}

/// What is known after one state of all pods after another, ten seconds apart.
fn after(states: &[&[&Arc<Pod>]]) -> Known {
    let mut known = Known::default();
    for (seconds, pods) in (10..).step_by(10).zip(states) {
        known = known.next(pods.iter().copied(), at(seconds), REMEMBER);
    }
    known
}

/// What is known of `side`, whose pods are not waited for any more.
fn sight(known: &Known) -> Sight<'_> {
    known.minicluster("default", "side", at(1_000))
}

fn names(known: &Known) -> HashSet<&str> {
    let pods = known.namespace("default").into_iter().flat_map(|namespace| namespace.pods.keys());
    pods.map(|name| &**name).collect()
}

#[test]
fn pods_that_end_leave_and_the_minicluster_with_the_last() {
    let (lead, worker) = (&pod("a", "1", 0, Stage::Live), &pod("b", "2", 1, Stage::Live));
    let (lead_ends, worker_ends) =
        (&pod("a", "1", 0, Stage::Ending), &pod("b", "2", 1, Stage::Ending));
    assert_eq!(names(&after(&[&[lead, worker]])), HashSet::from(["a", "b"]));

    let known = after(&[&[lead, worker], &[lead, worker_ends]]);
    assert_eq!(names(&known), HashSet::from(["a"]));
    assert!(matches!(sight(&known), Sight::Runs(_)));

    let known = after(&[&[lead, worker], &[lead_ends, worker_ends]]);
    assert!(matches!(sight(&known), Sight::Ending));

    let known = after(&[&[lead], &[lead_ends], &[], &[]]);
    let Sight::Ended(ended) = sight(&known) else { panic!() };
    assert_eq!(ended, at(30), "when it was gone, not when it was last looked at");
    assert!(matches!(known.minicluster("default", "other", at(0)), Sight::Unseen));

    let known = known.next([].into_iter(), at(30) + REMEMBER, REMEMBER);
    assert!(matches!(sight(&known), Sight::Unseen));
    let known = after(&[&[lead], &[], &[lead]]);
    assert!(matches!(sight(&known), Sight::Runs(_)));
}

#[test]
fn a_minicluster_ends_with_its_lead_if_that_completed_and_not_if_it_failed() {
    let worker = &pod("b", "2", 1, Stage::Live);
    let known = after(&[&[&pod("a", "1", 0, Stage::Completed), worker]]);
    assert!(matches!(sight(&known), Sight::Ending));
    assert!(names(&known).is_empty(), "its other pods serve nobody");

    let known = after(&[&[worker]]);
    let Sight::Runs(minicluster) = sight(&known) else { panic!() };
    assert!(!minicluster.holders.contains_key(&0), "another lead is on its way");

    // Whatever becomes of the lead's pod, until there is another.
    let states: &[&[&Arc<Pod>]] =
        &[&[&pod("a", "1", 0, Stage::Completed), worker], &[worker], &[worker]];
    assert!(matches!(sight(&after(states)), Sight::Ending));

    // Of a MiniCluster that was made anew, the new lead counts.
    let again = &pod("c", "3", 0, Stage::Live);
    let known = after(&[&[&pod("a", "1", 0, Stage::Completed), again]]);
    assert_eq!(names(&known), HashSet::from(["c"]));
}

#[test]
fn a_minicluster_whose_pods_were_evicted_is_waited_for_and_one_that_was_deleted_is_not() {
    let live = &pod("a", "1", 0, Stage::Live);
    let gone = |stage| after(&[&[live], &[&pod("a", "1", 0, stage)], &[]]);
    for stage in [Stage::Evicted, Stage::Failed] {
        let known = after(&[&[live], &[&pod("a", "1", 0, stage)]]);
        assert!(matches!(sight(&known), Sight::Replaced(_)), "however long it ends");
        assert!(names(&known).is_empty());

        let (known, ended) = (gone(stage), at(30));
        let at = |later| known.minicluster("default", "side", ended + later);
        let Sight::Replaced(minicluster) = at(REPLACED_WITHIN - Duration::from_millis(1)) else {
            panic!("{:?}", at(Duration::ZERO))
        };
        assert!(minicluster.collects, "as its pods promised");
        assert!(matches!(at(REPLACED_WITHIN), Sight::Ended(time) if time == ended));
        let known = known.next([live].into_iter(), ended, REMEMBER);
        assert!(matches!(sight(&known), Sight::Runs(_)), "the other came");
    }
    for stage in [Stage::Live, Stage::Ending] {
        let known = gone(stage);
        assert!(matches!(known.minicluster("default", "side", at(30)), Sight::Ended(_)));
    }
    let ending = &pod("b", "2", 1, Stage::Ending);
    let known = after(&[&[&pod("a", "1", 0, Stage::Evicted), ending], &[ending]]);
    let sight = |seconds| known.minicluster("default", "side", at(seconds));
    assert!(matches!(sight(49), Sight::Replaced(_)), "the evicted one was gone at 20");
    assert!(matches!(sight(50), Sight::Ending));
}

#[test]
fn a_sample_is_the_pods_only_if_no_earlier_pod_can_have_made_it() {
    let (old, new) =
        (&pod("side-0-old", "1", 0, Stage::Live), &pod("side-0-new", "2", 0, Stage::Live));
    let old_ends = &pod("side-0-old", "1", 0, Stage::Ending);
    let holder = |known: &Known| {
        Holder::clone(known.namespace("default").unwrap().pods.values().next().unwrap())
    };

    // Both at once, the old one ending: a stream that was open before is not the new one's.
    let both = holder(&after(&[&[old], &[old_ends, new]]));
    assert_eq!(&*both.pod.name, "side-0-new");
    assert!(!both.made(&snapshot("side-0", 5, 15)), "made by the old one");
    assert!(!both.made(&snapshot("side-0", 5, 25)), "the old one is still there");
    assert!(both.made(&snapshot("side-0", 21, 25)), "opened by the new one");
    assert!(both.made(&snapshot("side-0-new", 5, 15)), "says so");
    assert!(!both.made(&snapshot("side-0-old", 21, 25)), "says so");

    // The old one is gone: what comes now is the new one's, whenever its stream was opened.
    let alone = holder(&after(&[&[old], &[old_ends, new], &[new], &[new]]));
    assert!(!alone.made(&snapshot("side-0", 5, 29)));
    assert!(alone.made(&snapshot("side-0", 5, 30)), "a stream that was faster than the watch");

    // Replaced between two states.
    let replaced = holder(&after(&[&[old], &[new]]));
    assert!(!replaced.made(&snapshot("side-0", 5, 15)));
    assert!(replaced.made(&snapshot("side-0", 5, 20)));
}

#[test]
fn the_watched_label_and_the_promise_are_those_of_the_operator() {
    let pod = &recorded()[0];
    for label in [SELECTOR, COLLECT] {
        assert!(pod["metadata"]["labels"][label].is_string(), "{label}");
    }
}
