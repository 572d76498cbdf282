use fluxgauge_proto::catalogue::{QUEUE_LABEL, Source as Origin};
use tokio::time::Instant;

use super::*;
use crate::{
    model::{ClusterKey, Reporter, SeriesMap, Size, Source, Standing},
    store::Slot,
};

mod derived;
mod watched;

const SCHED: usize = 0;
const JOBS: usize = 1;
const QUEUES: usize = 2;
const BROKER: usize = 3;

/// A MiniCluster with one value of each kind.
pub(super) struct Fake {
    pub(super) name: &'static str,
    pub(super) nodes: f64,
    pub(super) age: Duration,
    pub(super) headless: Option<&'static str>,
    pub(super) queues: &'static [&'static str],
    pub(super) failures: &'static [Origin],
    /// How long its streams were open when the sample came.
    pub(super) streamed: Duration,
}

impl Default for Fake {
    fn default() -> Self {
        Self {
            name: "mc0",
            nodes: 3.0,
            age: Duration::from_secs(1),
            headless: None,
            queues: &["batch", "debug"],
            failures: &[Origin::JobStats],
            streamed: Duration::ZERO,
        }
    }
}

pub(super) const UNWATCHED: Pods = Pods::Unwatched;

pub(super) fn unwatched(store: &Store) -> View<'_> {
    View { store, pods: &UNWATCHED }
}

pub(super) fn now() -> Moment {
    Moment { instant: Instant::now(), wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000) }
}

fn series(values: &[(Option<&str>, f64, usize)]) -> Arc<[Series]> {
    values
        .iter()
        .map(|(queue, value, source)| Series {
            labels: queue.iter().map(|queue| (QUEUE_LABEL.into(), (*queue).into())).collect(),
            value: *value,
            source: *source,
            provenance: None,
        })
        .collect()
}

/// Two brokers; the lead's collector also reports the instance.
pub(super) fn add(store: &Arc<Store>, now: Moment, fake: &Fake) {
    for rank in 0..2 {
        let reporter = Arc::new(Reporter {
            cluster: ClusterKey { namespace: "hpc".into(), name: fake.name.into() },
            rank,
            index: rank.to_string().into(),
            pod: format!("{}-{rank}", fake.name).into(),
            broker_start: 1.0,
            headless_service: fake.headless.map(Into::into),
            flux_version: "0.88.0".into(),
            connected: now.instant.checked_sub(fake.streamed).expect("after the start"),
            standing: Standing::default(),
        });
        let source = |origin: Origin| {
            let failed = fake.failures.contains(&origin);
            Source {
                name: origin.name().into(),
                age_at_receipt: (!failed).then_some(fake.age),
                failure: failed.then(|| "EPERM (1): insufficient role".into()),
            }
        };
        let mut instance = SeriesMap::new();
        if rank == 0 {
            let of_queues = |whole, source: usize, by_queue: usize| {
                let queues = fake.queues.iter().zip([2.0, 1.0]);
                let queues = queues.map(|(queue, value)| (Some(*queue), value, by_queue));
                series(&[(None, whole, source)].into_iter().chain(queues).collect::<Vec<_>>())
            };
            instance.insert("node_up_count".into(), of_queues(fake.nodes, SCHED, QUEUES));
            if !fake.failures.contains(&Origin::JobStats) {
                let running = of_queues(3.0, JOBS, JOBS);
                instance.insert("job_queue_state_run_count".into(), running);
            }
            instance.insert("cluster_size_min_safe".into(), series(&[(None, 2.0, SCHED)]));
            instance.insert("of_tomorrow".into(), series(&[(None, 7.0, SCHED)]));
        }
        let up = series(&[(None, 1.0, BROKER)]);
        let jobs =
            [(None, 3.0, BROKER), (Some("batch"), 2.0, BROKER), (Some("debug"), 1.0, BROKER)];
        let jobs = series(&jobs);
        let writer = store.claim(Arc::clone(&reporter)).expect("claim");
        writer
            .publish(Snapshot {
                reporter,
                received: now,
                sources: Arc::new([
                    source(Origin::SchedStatus),
                    source(Origin::JobStats),
                    source(Origin::QueueStatus),
                    source(Origin::Broker),
                ]),
                instance,
                broker: [("broker_up".into(), up), ("jobs_of_tomorrow".into(), jobs)].into(),
                size: Size::default(),
            })
            .expect("publish");
    }
}

fn ask(
    fakes: &[Fake],
    object: Object<'_>,
    metric: &str,
    selectors: (&str, &str),
) -> Result<Vec<Item>, Error> {
    let store = Arc::new(Store::default());
    let now = now();
    for fake in fakes {
        add(&store, now, fake);
    }
    let rules = Rules {
        max_age: Duration::from_secs(60),
        service_aliases: vec!["custom-metrics-apiserver".into()],
        derived: Default::default(),
    };
    let parse = |text| Selector::parse(text).expect("a selector");
    let request = Request {
        namespace: "hpc",
        object,
        metric,
        object_selector: &parse(selectors.0),
        metric_selector: &parse(selectors.1),
        traced: true,
    };
    find(unwatched(&store), &rules, now, &request)
}

fn values(answer: Result<Vec<Item>, Error>) -> Vec<(String, f64)> {
    let items = answer.expect("values");
    items.iter().map(|item| (item.object.to_string(), item.value)).collect()
}

fn error(answer: Result<Vec<Item>, Error>) -> String {
    answer.expect_err("no values").to_string()
}

pub(super) fn mc0() -> Vec<Fake> {
    vec![Fake::default()]
}

pub(super) fn two() -> Vec<Fake> {
    vec![Fake::default(), Fake { name: "mc1", nodes: 5.0, ..Fake::default() }]
}

const MC0: Object<'_> = Object::MiniCluster(Name::Exact("mc0"));

#[test]
fn a_minicluster_and_its_job_have_the_values_of_the_instance() {
    for object in [MC0, Object::Job(Name::Exact("mc0"))] {
        let answer = ask(&mc0(), object, "node_up_count", ("", ""));
        assert_eq!(values(answer), [("mc0".into(), 3.0)]);
    }
}

#[test]
fn a_value_is_dated_by_its_last_proof() {
    let items = ask(&mc0(), MC0, "node_up_count", ("", "")).expect("a value");
    assert_eq!(items[0].produced, SystemTime::UNIX_EPOCH + Duration::from_secs(999));
}

#[test]
fn series_of_queues_are_for_those_who_name_queue() {
    let of = |selector| ask(&mc0(), MC0, "node_up_count", ("", selector));
    assert_eq!(values(of("queue=batch")), [("mc0".into(), 2.0)]);
    assert_eq!(values(of("queue!=batch")), [("mc0".into(), 1.0)]);
    assert_eq!(values(of("!queue")), [("mc0".into(), 3.0)]);
    assert!(error(of("queue in (batch,debug)")).contains("queue=batch and queue=debug"));
    assert!(error(of("queue=nosuch")).contains("no series matches queue=nosuch"));
}

#[test]
fn a_value_older_than_max_age_is_refused_with_its_age() {
    let aged = |age| vec![Fake { age: Duration::from_millis(age), ..Fake::default() }];
    assert!(ask(&aged(60_000), MC0, "node_up_count", ("", "")).is_ok(), "the limit is inclusive");
    let old = error(ask(&aged(93_000), MC0, "node_up_count", ("", "")));
    assert_eq!(old, "last sample is 93s old, limit 60s");
    assert!(ask(&aged(60_001), MC0, "node_up_count", ("", "")).is_err());
}

#[test]
fn a_metric_whose_source_failed_is_absent_with_the_reason() {
    let absent = error(ask(&mc0(), MC0, "job_queue_state_run_count", ("", "")));
    assert_eq!(absent, "job-list.job-stats: EPERM (1): insufficient role");

    let failing = [Fake { failures: &[Origin::SchedStatus], ..Fake::default() }];
    let of = |selector| error(ask(&failing, MC0, "node_free_count", ("", selector)));
    assert_eq!(of("!queue"), "resource.sched-status: EPERM (1): insufficient role");
    assert_eq!(of("queue=batch"), "no series matches queue=batch", "queues have another source");
}

#[test]
fn services_stand_for_miniclusters() {
    let service = |name| Object::Service(Name::Exact(name));
    let ask = |fakes: &[Fake], name| ask(fakes, service(name), "node_up_count", ("", ""));
    assert_eq!(values(ask(&two(), "mc1")), [("mc1".into(), 5.0)]);
    assert_eq!(
        values(ask(&mc0(), "custom-metrics-apiserver")),
        [("custom-metrics-apiserver".into(), 3.0)]
    );
    assert!(error(ask(&two(), "custom-metrics-apiserver")).contains("2: mc0, mc1"));
    let headless = [Fake { headless: Some("brokers"), ..Fake::default() }];
    assert_eq!(values(ask(&headless, "brokers")), [("brokers".into(), 3.0)]);
    assert!(error(ask(&mc0(), "other")).contains("no collector"));
}

#[test]
fn a_namespace_has_the_sum_and_never_a_part_of_it() {
    let sum = |fakes: &[Fake]| ask(fakes, Object::Namespace, "node_up_count", ("", ""));
    assert_eq!(values(sum(&two())), [("hpc".into(), 8.0)]);

    let mut stale = two();
    stale[1].age = Duration::from_secs(93);
    assert_eq!(error(sum(&stale)), "MiniCluster mc1: last sample is 93s old, limit 60s");

    let meaningless = ask(&two(), Object::Namespace, "cluster_size_min_safe", ("", ""));
    assert!(error(meaningless).contains("no meaning"));
    assert!(error(sum(&[])).contains("no collector"));
}

#[test]
fn a_minicluster_without_such_a_queue_adds_nothing_to_a_namespace_unless_nobody_knows() {
    let mut fakes = two();
    fakes[1].queues = &["batch"];
    let sum =
        |fakes: &[Fake], selector| ask(fakes, Object::Namespace, "node_up_count", ("", selector));
    assert_eq!(values(sum(&fakes, "queue=batch")), [("hpc".into(), 4.0)]);
    assert_eq!(values(sum(&fakes, "queue=debug")), [("hpc".into(), 1.0)]);
    let none = error(sum(&fakes, "queue=nosuch"));
    assert_eq!(none, "no MiniCluster of namespace hpc has a series that matches");

    fakes[1].failures = &[Origin::QueueStatus];
    let unknown = error(sum(&fakes, "queue=debug"));
    assert_eq!(
        unknown,
        "MiniCluster mc1: resource.sched-status by queue: EPERM (1): insufficient role"
    );
}

#[test]
fn pods_have_the_values_of_brokers_and_are_selected_by_the_operators_labels() {
    let pods = |name, selector| ask(&two(), Object::Pod(name), "broker_up", (selector, ""));
    let selected = values(pods(Name::All, "hpa-selector=mc1"));
    assert_eq!(selected, [("mc1-0".into(), 1.0), ("mc1-1".into(), 1.0)]);
    assert_eq!(values(pods(Name::All, "job-index=1")).len(), 2);
    assert_eq!(values(pods(Name::All, "")).len(), 4);
    assert_eq!(values(pods(Name::Exact("mc0-1"), "")), [("mc0-1".into(), 1.0)]);
    assert!(error(pods(Name::All, "hpa-selector=other")).contains("no collector"));
}

#[test]
fn a_pod_has_one_item_whatever_series_match() {
    let pods = |selector| ask(&mc0(), Object::Pod(Name::All), "jobs_of_tomorrow", ("", selector));
    let both = |value| [("mc0-0".to_owned(), value), ("mc0-1".to_owned(), value)];
    assert_eq!(values(pods("")), both(3.0));
    assert_eq!(values(pods("queue=batch")), both(2.0));
    for several in ["queue", "queue in (batch,debug)"] {
        let refused = pods(several);
        assert!(matches!(refused, Err(Error::Bad(_))), "{refused:?}");
        assert!(error(refused).contains("leaves several series"));
    }
}

#[test]
fn among_all_objects_those_too_old_are_left_out() {
    let mut fakes = two();
    fakes[0].age = Duration::from_secs(93);
    let all = ask(&fakes, Object::MiniCluster(Name::All), "node_up_count", ("", ""));
    assert_eq!(values(all), [("mc1".into(), 5.0)]);
}

#[test]
fn a_metric_of_the_wrong_kind_of_object_is_unknown_there() {
    let unknown = |answer: Result<Vec<Item>, Error>| {
        assert!(matches!(answer, Err(Error::UnknownMetric(_))), "{answer:?}");
    };
    unknown(ask(&mc0(), MC0, "broker_up", ("", "")));
    unknown(ask(&mc0(), Object::Pod(Name::Exact("mc0-0")), "node_up_count", ("", "")));
    unknown(ask(&mc0(), MC0, "nonsense", ("", "")));
}

#[test]
fn a_metric_of_a_newer_collector_is_served_by_name() {
    assert_eq!(values(ask(&mc0(), MC0, "of_tomorrow", ("", ""))), [("mc0".into(), 7.0)]);
}

#[test]
fn labels_of_objects_other_than_pods_are_not_guessed() {
    let all = ask(&two(), Object::MiniCluster(Name::All), "node_up_count", ("a=b", ""));
    assert!(matches!(all, Err(Error::Bad(_))));
}

#[tokio::test]
async fn a_minicluster_whose_lead_is_silent_spoils_a_sum_and_one_that_ended_does_not() {
    let store = Arc::new(Store::default());
    let now = now();
    for fake in two() {
        add(&store, now, &fake);
    }
    let lead = |name: &str| {
        let cluster = store.cluster("hpc", name).expect("reports");
        let reporter = Arc::clone(&cluster.lead().and_then(Slot::snapshot).expect("lead").reporter);
        store.claim(reporter).expect("claim")
    };
    let rules = Rules {
        max_age: Duration::from_secs(60),
        service_aliases: Vec::new(),
        derived: Default::default(),
    };
    let all = Selector::default();
    let request = Request {
        namespace: "hpc",
        object: Object::Namespace,
        metric: "node_up_count",
        object_selector: &all,
        metric_selector: &all,
        traced: true,
    };
    // A worker of mc1 goes on; its lead is gone without a word, for however long.
    let worker = {
        let cluster = store.cluster("hpc", "mc1").expect("reports");
        let slot = cluster.slots().nth(1).and_then(Slot::snapshot).expect("worker");
        store.claim(Arc::clone(&slot.reporter)).expect("claim")
    };
    drop(lead("mc1"));
    let later = Moment { instant: now.instant + Duration::from_secs(3600), ..now };
    store.forget(later.instant, Duration::from_secs(600), |_| false);
    let spoilt =
        find(unwatched(&store), &rules, later, &request).expect_err("never a part of the sum");
    assert!(spoilt.to_string().contains("MiniCluster"), "{spoilt}");

    lead("mc1").leave();
    add(&store, now, &Fake::default());
    let sum = find(unwatched(&store), &rules, now, &request).expect("a sum");
    assert_eq!(sum[0].value, 3.0);
    drop(worker);
}

#[test]
fn pods_that_lack_a_label_are_not_guessed() {
    let pods = |selector| ask(&mc0(), Object::Pod(Name::All), "broker_up", (selector, ""));
    assert!(error(pods("hpa-selector=mc0,role!=login")).contains("role"));
    assert!(error(pods("role=login")).contains("no collector"));
    assert_eq!(values(pods("job-index!=0")), [("mc0-1".into(), 1.0)]);
}
