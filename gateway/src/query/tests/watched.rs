//! What the watch of pods changes: a join of two states, made by hand.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::pods::{Known, Pod, REPLACED_WITHIN, Stage, Unknown};

const REMEMBER: Duration = Duration::from_secs(1200);

/// A store, and the pods of one moment after another.
struct World {
    store: Arc<Store>,
    pods: Pods,
    now: Moment,
}

/// A pod as Kubernetes tells it, with these labels beside those of its MiniCluster and index.
fn pod(minicluster: &str, index: u32, more: &[(&str, &str)]) -> Arc<Pod> {
    in_phase("Running", minicluster, index, more)
}

fn in_phase(phase: &str, minicluster: &str, index: u32, more: &[(&str, &str)]) -> Arc<Pod> {
    let mut labels = json!({
        "hpa-selector": minicluster,
        "batch.kubernetes.io/job-completion-index": index.to_string(),
    });
    for (key, value) in more {
        labels[key] = json!(value);
    }
    let name = format!("{minicluster}-{index}-abcde");
    let pod = json!({
        "metadata": {"namespace": "hpc", "uid": format!("uid-{name}"), "name": name, "labels": labels},
        "status": {"phase": phase},
    });
    Arc::new(Pod::of(serde_json::from_value(pod).expect("a pod")).expect("counts"))
}

fn brokers(minicluster: &str) -> [Arc<Pod>; 2] {
    [pod(minicluster, 0, &[]), pod(minicluster, 1, &[])]
}

const PROMISE: (&str, &str) = ("fluxgauge.io/collect", "true");

impl World {
    /// Pods first, then the collectors in them.
    fn new(pods: &[Arc<Pod>], fakes: &[Fake]) -> Self {
        let now = now();
        let known = Known::default().next(pods.iter(), now.instant, REMEMBER);
        let store = Arc::new(Store::default());
        for fake in fakes {
            add(&store, now, fake);
        }
        Self { store, pods: Pods::Known(known), now }
    }

    /// Other pods, a second later.
    fn then(mut self, pods: &[Arc<Pod>]) -> Self {
        self.now.instant += Duration::from_secs(1);
        let Pods::Known(known) = &self.pods else { panic!("they are known") };
        self.pods = Pods::Known(known.next(pods.iter(), self.now.instant, REMEMBER));
        self
    }

    fn ask(&self, object: Object<'_>, metric: &str, selector: &str) -> Result<Vec<Item>, Error> {
        let rules = Rules {
            max_age: Duration::from_secs(60),
            service_aliases: vec!["custom-metrics-apiserver".into()],
            derived: Default::default(),
        };
        let selector = Selector::parse(selector).unwrap_or_else(|error| panic!("{error}"));
        let request = Request {
            namespace: "hpc",
            object,
            metric,
            object_selector: &selector,
            metric_selector: &Selector::default(),
            traced: true,
        };
        find(View { store: &self.store, pods: &self.pods }, &rules, self.now, &request)
    }

    fn sum(&self) -> Result<Vec<Item>, Error> {
        self.ask(Object::Namespace, "node_up_count", "")
    }

    /// The sum of a namespace, which an autoscaler gets as its parts.
    fn external(&self) -> Result<f64, Error> {
        self.external_of("")
    }

    fn external_of(&self, selector: &str) -> Result<f64, Error> {
        let max_age = Duration::from_secs(60);
        let rules = Rules { max_age, service_aliases: Vec::new(), derived: Default::default() };
        let selector = Selector::parse(selector).unwrap_or_else(|error| panic!("{error}"));
        let metric = "node_up_count";
        let request =
            ExternalRequest { namespace: "hpc", metric, selector: &selector, traced: true };
        let view = View { store: &self.store, pods: &self.pods };
        let parts = find_external(view, &rules, self.now, &request)?;
        Ok(parts.iter().map(|part| part.item.value).sum())
    }

    fn pods(&self, selector: &str) -> Result<Vec<Item>, Error> {
        self.ask(Object::Pod(Name::All), "broker_up", selector)
    }

    fn mc0(&self) -> Result<Vec<Item>, Error> {
        self.ask(MC0, "node_up_count", "")
    }
}

const ALIAS: Object<'_> = Object::Service(Name::Exact("custom-metrics-apiserver"));

#[test]
fn pods_have_the_names_labels_and_uids_that_kubernetes_gives_them() {
    let pods = [pod("mc0", 0, &[("role", "login")]), pod("mc0", 1, &[])];
    let world = World::new(&pods, &mc0());
    let items = world.pods("").expect("values");
    let uids: Vec<_> = items.iter().map(|item| item.uid.as_deref()).collect();
    assert_eq!(uids, [Some("uid-mc0-0-abcde"), Some("uid-mc0-1-abcde")]);
    assert_eq!(values(world.pods("role=login")), [("mc0-0-abcde".into(), 1.0)]);
    assert_eq!(values(world.pods("role!=login")), [("mc0-1-abcde".into(), 1.0)]);
    assert_eq!(values(world.pods("!role,hpa-selector=mc0")), [("mc0-1-abcde".into(), 1.0)]);
    let exact = |name| world.ask(Object::Pod(Name::Exact(name)), "broker_up", "");
    assert_eq!(values(exact("mc0-1-abcde")), [("mc0-1-abcde".into(), 1.0)]);
    assert!(error(exact("mc0-1")).contains("no such pod"), "a hostname is no name");
}

#[test]
fn a_pod_that_is_gone_leaves_every_set() {
    let [lead, worker] = brokers("mc0");
    let world = World::new(&[lead.clone(), worker.clone()], &mc0());
    assert_eq!(values(world.pods("")).len(), 2);
    let world = world.then(&[lead]);
    assert_eq!(values(world.pods("")), [("mc0-0-abcde".into(), 1.0)]);
    assert!(
        error(world.ask(Object::Pod(Name::Exact(&worker.name)), "broker_up", ""))
            .contains("no such pod")
    );
    assert!(error(world.then(&[]).pods("")).contains("no such pod"));
}

#[test]
fn what_an_earlier_pod_said_is_not_its_successors() {
    let [lead, worker] = brokers("mc0");
    let world = World::new(&[lead, worker.clone()], &mc0());
    assert_eq!(values(world.mc0()), [("mc0".into(), 3.0)]);

    let mut successor = Pod::clone(&pod("mc0", 0, &[]));
    successor.uid = "another".into();
    let world = world.then(&[Arc::new(successor), worker]);
    assert!(error(world.mc0()).contains("has not reported yet"));
    assert_eq!(values(world.pods("")), [("mc0-1-abcde".into(), 1.0)], "left out of the set");
    assert!(error(world.sum()).starts_with("MiniCluster mc0: the lead pod"), "{:?}", world.sum());

    add(&world.store, world.now, &Fake::default());
    assert_eq!(values(world.mc0()), [("mc0".into(), 3.0)]);
    assert_eq!(values(world.pods("")).len(), 2);
}

#[test]
fn a_minicluster_without_pods_leaves_every_sum_and_frees_the_aliases() {
    let all = [brokers("mc0"), brokers("mc1")].concat();
    let world = World::new(&all, &two());
    assert_eq!(values(world.sum()), [("hpc".into(), 8.0)]);
    assert!(error(world.ask(ALIAS, "node_up_count", "")).contains("mc0, mc1"));

    // It died without a goodbye: its collectors' last words are in the store.
    let world = world.then(&brokers("mc1"));
    assert_eq!(values(world.sum()), [("hpc".into(), 5.0)]);
    assert_eq!(world.external(), Ok(5.0));
    assert_eq!(values(world.ask(ALIAS, "node_up_count", ""))[0].1, 5.0);
    assert_eq!(error(world.mc0()), "MiniCluster mc0 has no running pods");
    let every = world.ask(Object::MiniCluster(Name::All), "node_up_count", "");
    assert_eq!(values(every), [("mc1".into(), 5.0)]);
    assert!(
        error(world.ask(Object::Service(Name::Exact("mc0")), "node_up_count", ""))
            .contains("no running pods")
    );
}

#[test]
fn a_minicluster_whose_lead_has_completed_has_finished() {
    let [_, worker] = brokers("mc0");
    let world = World::new(&[in_phase("Succeeded", "mc0", 0, &[]), worker], &two());
    assert_eq!(error(world.mc0()), "MiniCluster mc0 has no running pods");
    assert!(error(world.pods("")).contains("no such pod"));
    assert_eq!(values(world.sum()), [("hpc".into(), 5.0)]);
}

#[test]
fn a_minicluster_whose_lead_is_being_replaced_spoils_the_sum() {
    let [_, worker] = brokers("mc0");
    let world = World::new(&[worker], &mc0());
    let want = "MiniCluster mc0: the lead pod (index 0) of MiniCluster mc0 does not run";
    assert_eq!(error(world.sum()), want);
}

#[test]
fn a_minicluster_that_promises_a_collector_spoils_the_sum_until_it_has_one() {
    let promising = [pod("mc1", 0, &[PROMISE])];
    let silent = [pod("mc2", 0, &[])];
    let all = [brokers("mc0").as_slice(), &promising, &silent].concat();
    let world = World::new(&all, &mc0());
    assert!(error(world.sum()).starts_with("MiniCluster mc1: no collector"), "{:?}", world.sum());
    assert!(error(world.ask(ALIAS, "node_up_count", "")).contains("mc0, mc1;"));
    assert!(world.external().expect_err("partial").to_string().contains("mc1"));

    add(&world.store, world.now, &Fake { name: "mc1", nodes: 5.0, ..Fake::default() });
    assert_eq!(values(world.sum()), [("hpc".into(), 8.0)], "who promises nothing does not count");
    assert_eq!(world.external(), Ok(8.0));
}

#[test]
fn a_stale_member_spoils_the_sum() {
    let mut fakes = two();
    fakes[1].age = Duration::from_secs(93);
    let world = World::new(&[brokers("mc0"), brokers("mc1")].concat(), &fakes);
    assert_eq!(error(world.sum()), "MiniCluster mc1: last sample is 93s old, limit 60s");
}

#[test]
fn a_minicluster_that_the_watch_has_not_seen_counts_as_its_collector_says() {
    let world = World::new(&brokers("mc0"), &two());
    assert_eq!(values(world.sum()), [("hpc".into(), 8.0)]);
    assert_eq!(values(world.pods("")).len(), 2, "but it has no pods that are known");

    // Also one that was made anew while the watch lags behind.
    let world = world.then(&[]);
    assert_eq!(error(world.mc0()), "MiniCluster mc0 has no running pods");
    let later = Moment { instant: world.now.instant + Duration::from_millis(1), ..world.now };
    add(&world.store, later, &Fake::default());
    assert_eq!(values(world.mc0()), [("mc0".into(), 3.0)]);
}

#[test]
fn a_pod_that_was_deleted_by_force_and_goes_on_brings_its_minicluster_not_back() {
    let world = World::new(&[brokers("mc0"), brokers("mc1")].concat(), &two());
    let world = world.then(&brokers("mc1"));
    let later = Moment { instant: world.now.instant + Duration::from_millis(1), ..world.now };
    let streamed = Duration::from_millis(2);
    add(&world.store, later, &Fake { streamed, ..Fake::default() });
    assert_eq!(error(world.mc0()), "MiniCluster mc0 has no running pods");
    assert_eq!(values(world.sum()), [("hpc".into(), 5.0)]);
}

#[test]
fn a_minicluster_whose_pods_are_evicted_spoils_the_sum_until_they_are_back_or_given_up() {
    let all = [brokers("mc0"), brokers("mc1")].concat();
    let evicted = brokers("mc0").map(|pod| {
        let mut pod = Pod::clone(&pod);
        pod.stage = Stage::Evicted;
        Arc::new(pod)
    });
    let world = World::new(&all, &two()).then(&[evicted, brokers("mc1")].concat());
    let mut world = world.then(&brokers("mc1"));
    let want = "MiniCluster mc0: all pods of MiniCluster mc0 were evicted or failed";
    assert!(error(world.sum()).starts_with(want), "{:?}", world.sum());
    assert!(world.external().expect_err("partial").to_string().starts_with(want));
    assert!(error(world.mc0()).contains("others are to take their place"));
    let Pods::Known(known) = &world.pods else { panic!("known") };
    let again = known.next(all.iter(), world.now.instant, REMEMBER);
    world.now.instant += REPLACED_WITHIN;
    assert_eq!(values(world.sum()), [("hpc".into(), 5.0)]);

    world.pods = Pods::Known(again);
    add(&world.store, world.now, &Fake::default());
    add(&world.store, world.now, &two()[1]);
    assert_eq!(values(world.sum()), [("hpc".into(), 8.0)]);
}

#[test]
fn a_service_of_which_a_minicluster_may_be_that_is_unknown_means_none() {
    let headless = |name| Fake { name, headless: Some("brokers"), ..Fake::default() };
    let pods = [brokers("mc0"), brokers("mc1")].concat();
    let world = World::new(&pods, &[headless("mc0"), headless("mc1")]);
    let service = Object::Service(Name::Exact("brokers"));
    let mut another = Pod::clone(&pod("mc1", 0, &[]));
    another.uid = "another".into();
    let world = world.then(&[brokers("mc0").as_slice(), &[Arc::new(another)]].concat());
    let ambiguous = error(world.ask(service, "node_up_count", ""));
    assert!(ambiguous.contains("mc0, mc1"), "{ambiguous}");
    let world = world.then(&brokers("mc0"));
    assert_eq!(values(world.ask(service, "node_up_count", "")), [("brokers".into(), 3.0)]);
}

#[test]
fn while_pods_are_not_known_nothing_is_said_of_sets_and_sums() {
    let unknown = |reason| World { pods: Pods::Unknown(reason), ..World::new(&[], &mc0()) };
    for (reason, want) in [
        (Unknown::Unlisted, "has not read the pods"),
        (Unknown::TooMany, "more than 16384 pods"),
        (Unknown::Interrupted, "has not heard from Kubernetes for 5 min"),
    ] {
        let world = unknown(reason);
        assert!(world.external().expect_err("partial").to_string().contains(want));
        let every = world.ask(Object::MiniCluster(Name::All), "node_up_count", "");
        for answer in [world.sum(), world.pods(""), world.ask(ALIAS, "node_up_count", ""), every] {
            assert!(error(answer).contains(want), "{reason:?}");
        }
        assert_eq!(values(world.mc0()), [("mc0".into(), 3.0)]);
        assert_eq!(world.external_of("minicluster=mc0"), Ok(3.0), "a read by name, too");
        let named = world.ask(Object::Service(Name::Exact("mc0")), "node_up_count", "");
        assert_eq!(values(named), [("mc0".into(), 3.0)]);
    }
}

/// A requirement, and whether a pod with a value of the label, or without it, meets it.
type Requirement = (String, Box<dyn Fn(Option<&str>) -> bool>);

/// Every operator that a selector has, told a second time.
fn requirement(operator: u8, key: &str, a: &'static str, b: &'static str) -> Requirement {
    let number = |value: Option<&str>| value.and_then(|value| value.parse::<i64>().ok());
    match operator {
        0 => (format!("{key}={a}"), Box::new(move |value| value == Some(a))),
        1 => (format!("{key}=={a}"), Box::new(move |value| value == Some(a))),
        2 => (format!("{key} != {a}"), Box::new(move |value| value != Some(a))),
        3 => (
            format!("{key} in ({a}, {b})"),
            Box::new(move |value| value == Some(a) || value == Some(b)),
        ),
        4 => (
            format!("{key} notin ({a},{b})"),
            Box::new(move |value| value != Some(a) && value != Some(b)),
        ),
        5 => (key.to_owned(), Box::new(|value| value.is_some())),
        6 => (format!("!{key}"), Box::new(|value| value.is_none())),
        7 => (format!("{key}>2"), Box::new(move |value| number(value).is_some_and(|n| n > 2))),
        _ => (format!("{key} < 2"), Box::new(move |value| number(value).is_some_and(|n| n < 2))),
    }
}

const KEYS: [&str; 3] = ["tier", "example.com/n", "hpa-selector"];
const VALUES: [&str; 5] = ["1", "2", "3", "front", "mc1"];

proptest! {
    /// Point 29: a selector picks from all pods what a filter of its own picks.
    #[test]
    fn pods_are_selected_exactly(
        labels in proptest::collection::vec((0..3_usize, 0..3_usize, 0..6_usize, 0..6_usize), 0..8),
        wanted in proptest::collection::vec((0..9_u8, 0..3_usize, 0..5_usize, 0..5_usize), 0..4),
    ) {
        let mut pods = Vec::new();
        let mut taken = BTreeSet::new();
        for (minicluster, index, tier, n) in labels {
            let minicluster = ["mc0", "mc1", "mc2"][minicluster];
            let index = u32::try_from(index).unwrap();
            // Rank 2 has no collector: its pod has no value, whatever it is labelled.
            if !taken.insert((minicluster, index)) {
                continue;
            }
            let more = [(KEYS[0], VALUES.get(tier)), (KEYS[1], VALUES.get(n))];
            let more: Vec<_> = more.iter().filter_map(|(key, v)| Some((*key, **v.as_ref()?))).collect();
            pods.push(pod(minicluster, index, &more));
        }
        let fakes: Vec<_> = ["mc0", "mc1", "mc2"]
            .map(|name| Fake { name, ..Fake::default() })
            .into();
        let wanted: Vec<_> = wanted
            .into_iter()
            .map(|(operator, key, a, b)| {
                (KEYS[key], requirement(operator, KEYS[key], VALUES[a], VALUES[b]))
            })
            .collect();
        let selector: Vec<_> = wanted.iter().map(|(_, (text, _))| text.as_str()).collect();

        let matching = pods.iter().filter(|pod| {
            pod.index < 2 && wanted.iter().all(|(key, (_, holds))| holds(pod.label(key)))
        });
        let want: BTreeSet<_> = matching.map(|pod| pod.name.to_string()).collect();
        let got = match World::new(&pods, &fakes).pods(&selector.join(",")) {
            Ok(items) => {
                let names: Vec<_> = items.iter().map(|item| item.object.to_string()).collect();
                let unique: BTreeSet<_> = names.iter().cloned().collect();
                prop_assert_eq!(unique.len(), names.len(), "one item a pod");
                unique
            }
            Err(_) => BTreeSet::new(),
        };
        prop_assert_eq!(got, want, "{:?}", selector);
    }
}
