use std::time::Duration;

use k8s_openapi::api::core::v1 as api;
use serde_json::{Value, json};

use super::*;
use crate::pods::Known;

/// A pod of index 1, of the age that its suffix says.
fn pod(suffix: &str) -> Value {
    let day = 10 + suffix.len();
    json!({
        "metadata": {
            "namespace": "hpc",
            "name": format!("mc0-1-{suffix}"),
            "uid": format!("uid-{suffix}"),
            "creationTimestamp": format!("2026-11-{day}T00:00:00Z"),
            "labels": {"hpa-selector": "mc0", "job-index": "1"},
        },
        "status": {"phase": "Running"},
    })
}

fn ending(mut pod: Value) -> Value {
    pod["metadata"]["deletionTimestamp"] = json!("2026-11-23T22:55:00Z");
    pod
}

fn known(pods: &[Value]) -> Pods {
    let of = |pod: &Value| {
        let pod: api::Pod = serde_json::from_value(pod.clone()).unwrap();
        Arc::new(Pod::of(pod).unwrap())
    };
    let pods: Vec<_> = pods.iter().map(of).collect();
    let known = Known::default().next(pods.iter(), Instant::now(), Duration::ZERO);
    Pods::Known(known)
}

fn wanted(suffix: &str) -> PodRef {
    PodRef {
        namespace: "hpc".into(),
        name: format!("mc0-1-{suffix}"),
        uid: format!("uid-{suffix}"),
    }
}

/// What becomes of whoever proves to be in the pod of a suffix.
fn found(pods: &Pods, suffix: &str) -> String {
    match look(pods, &wanted(suffix)) {
        Ok(pod) => pod.name.to_string(),
        Err(Found::NotYet(why)) => format!("not yet: {why}"),
        Err(Found::Never(refused)) => format!("never: {refused}"),
    }
}

#[test]
fn the_pod_that_holds_the_index_is_found_by_name_and_uid() {
    let pods = known(&[pod("a")]);
    assert_eq!(found(&pods, "a"), "mc0-1-a");
    // A token of an earlier pod of the same name.
    let other = PodRef { uid: "other".to_owned(), ..wanted("a") };
    assert!(matches!(look(&pods, &other), Err(Found::NotYet(_))));
    let elsewhere = PodRef { namespace: "lab".into(), ..wanted("a") };
    assert!(matches!(look(&pods, &elsewhere), Err(Found::NotYet(_))));
}

#[test]
fn the_newer_pod_of_an_index_takes_it_from_the_older_one() {
    for older in [pod("a"), ending(pod("a"))] {
        let pods = known(&[older, pod("bb")]);
        assert_eq!(found(&pods, "bb"), "mc0-1-bb");
        let refused = found(&pods, "a");
        assert!(refused.starts_with("never: pod mc0-1-a does not hold index 1"), "{refused}");
    }
}

#[test]
fn a_pod_that_ends_speaks_until_another_has_come() {
    assert_eq!(found(&known(&[ending(pod("a"))]), "a"), "mc0-1-a");
    let mut lead = pod("a");
    lead["metadata"]["labels"]["job-index"] = json!("0");
    lead["status"]["phase"] = json!("Succeeded");
    // The lead has completed, and with it the MiniCluster.
    let refused = found(&known(&[lead, ending(pod("bb"))]), "bb");
    assert!(refused.contains("has ended, or its MiniCluster has"), "{refused}");
}

#[test]
fn a_stream_goes_on_while_its_pod_speaks_or_nothing_is_known() {
    let own = look(&known(&[pod("a")]), &wanted("a")).unwrap();
    for pods in [known(&[pod("a")]), known(&[ending(pod("a"))]), Pods::Unwatched] {
        assert!(speaks(&pods, &own).is_ok(), "{pods:?}");
    }
    let mut of_another = pod("a");
    of_another["metadata"]["labels"]["hpa-selector"] = json!("mc1");
    for pods in [known(&[]), known(&[pod("a"), pod("bb")]), known(&[of_another])] {
        assert!(speaks(&pods, &own).is_err(), "{pods:?}");
    }
}
