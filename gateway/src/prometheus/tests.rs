use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use fluxgauge_proto::catalogue::{CATALOGUE, Metric, Scope, Source as Origin, prometheus::Place};
use serde_json::json;
use tokio::time::Instant;

use super::*;
use crate::{
    model::{ClusterKey, Reporter, Series, SeriesMap, Size, Snapshot, Source, Standing},
    pods::{self, Known, Pod, Pods},
    store::Store,
    telemetry::Form,
    tls::{Pair, test_ca::TestCa},
};

const SOURCES: [Origin; 2] = [Origin::JobStats, Origin::Broker];

fn now() -> Moment {
    Moment { instant: Instant::now(), wall: SystemTime::UNIX_EPOCH }
}

fn one(labels: &[(&str, &str)], value: f64, source: usize) -> Series {
    let labels = labels.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    Series { labels: labels.collect(), value, source, provenance: None }
}

fn metrics(all: &[(&str, &[Series])]) -> SeriesMap {
    all.iter().map(|(name, series)| ((*name).into(), series.to_vec().into())).collect()
}

/// One collector's report, with sources proved `ages` seconds ago.
fn report(
    store: &Arc<Store>,
    (minicluster, rank): (&str, u32),
    ages: [u64; 2],
    instance: &[(&str, &[Series])],
    broker: &[(&str, &[Series])],
) {
    let now = now();
    let reporter = Arc::new(Reporter {
        cluster: ClusterKey { namespace: "hpc".into(), name: minicluster.into() },
        rank,
        index: rank.to_string().into(),
        pod: format!("{minicluster}-{rank}").into(),
        broker_start: 1.0,
        headless_service: None,
        flux_version: "0.88.0".into(),
        connected: now.instant,
        standing: Standing::Unasked,
    });
    let sources = SOURCES.iter().zip(ages).map(|(origin, age)| Source {
        name: origin.name().into(),
        age_at_receipt: Some(Duration::from_secs(age)),
        failure: None,
    });
    let writer = store.claim(Arc::clone(&reporter)).expect("a slot");
    let snapshot = Snapshot {
        reporter,
        received: now,
        sources: sources.collect(),
        instance: metrics(instance),
        broker: metrics(broker),
        size: Size::default(),
    };
    writer.publish(snapshot).expect("the slot is its own");
}

/// The pod of an index of `mc0`, as Kubernetes tells of it.
fn pod(index: u32) -> Arc<Pod> {
    let labels = json!({"hpa-selector": "mc0", "job-index": index.to_string()});
    let name = format!("mc0-{index}-abcde");
    let metadata = json!({"namespace": "hpc", "name": name, "uid": name, "labels": labels});
    let pod = serde_json::from_value(json!({"metadata": metadata})).expect("a pod");
    Arc::new(Pod::of(pod).expect("it counts"))
}

fn page_of(store: &Store, pods: &Pods, format: Format) -> String {
    let rules = Rules {
        max_age: Duration::from_secs(60),
        service_aliases: Vec::new(),
        derived: Default::default(),
    };
    let (view, own) = (View { store, pods }, Own::default());
    let sources = Sources { view, watch_errors: None, rules: &rules, own: &own };
    String::from_utf8(write(sources, now(), format).expect("a page")).expect("text")
}

/// The lines of MiniClusters, without those that say how old they are.
fn values(store: &Store, pods: &Pods) -> Vec<String> {
    let page = page_of(store, pods, Format::Text);
    let lines =
        page.lines().filter(|line| line.starts_with("flux_") && !line.contains("sample_age_"));
    lines.map(str::to_owned).collect()
}

#[test]
fn states_are_one_family_and_queues_have_their_own() {
    let store = Arc::default();
    let batch: &[_] = &[("queue", "batch")];
    let instance: &[(&str, &[Series])] = &[
        ("job_queue_state_run_count", &[one(&[], 3.0, 0), one(batch, 2.0, 0)]),
        ("job_queue_state_sched_count", &[one(&[], 1.0, 0)]),
        ("job_failed_count", &[one(&[], 4.0, 0)]),
        ("core_free_count", &[one(&[], 5.0, 0)]),
        ("node_cores_free_count", &[one(&[], 5.0, 0)]),
    ];
    report(&store, ("mc0", 0), [1, 1], instance, &[("broker_up", &[one(&[], 1.0, 1)])]);
    report(&store, ("mc0", 1), [1, 1], &[], &[("broker_up", &[one(&[], 0.0, 1)])]);
    let mc0 = r#"namespace="hpc",minicluster="mc0""#;
    assert_eq!(
        values(&store, &Pods::Unwatched),
        [
            format!("flux_up{{{mc0}}} 1"),
            format!(r#"flux_jobs{{{mc0},state="sched"}} 1"#),
            format!(r#"flux_jobs{{{mc0},state="run"}} 3"#),
            format!(r#"flux_queue_jobs{{{mc0},queue="batch",state="run"}} 2"#),
            format!(r#"flux_jobs_inactive{{{mc0},outcome="failed"}} 4"#),
            format!("flux_cores_free{{{mc0}}} 5"),
            format!(r#"flux_broker_up{{{mc0},pod="mc0-0"}} 1"#),
            format!(r#"flux_broker_up{{{mc0},pod="mc0-1"}} 0"#),
        ]
    );
}

#[test]
fn every_metric_of_the_catalogue_has_a_line_unless_another_is_the_same() {
    let store = Arc::default();
    let all = |of_brokers: bool| {
        let metrics = CATALOGUE.iter();
        let metrics = metrics.filter(move |one| (one.scope == Scope::Broker) == of_brokers);
        metrics.map(|metric| metric.name)
    };
    let value = [one(&[], 1.0, 0)];
    let (instance, broker): (Vec<_>, Vec<_>) = (
        all(false).map(|name| (name, &value[..])).collect(),
        all(true).map(|name| (name, &value[..])).collect(),
    );
    report(&store, ("mc0", 0), [1, 1], &instance, &broker);
    let same = CATALOGUE.iter().filter(|metric| matches!(metric.prometheus, Place::Same(_)));
    // One more says that the MiniCluster is up.
    let lines = values(&store, &Pods::Unwatched);
    assert_eq!(lines.len(), CATALOGUE.len() - same.count() + 1, "{lines:#?}");
}

#[test]
fn what_is_too_old_has_no_line_and_its_age_has_one() {
    let store = Arc::default();
    let instance: &[(&str, &[Series])] = &[("job_queue_state_run_count", &[one(&[], 3.0, 0)])];
    report(&store, ("old", 0), [61, 1], instance, &[("broker_up", &[one(&[], 1.0, 1)])]);
    assert_eq!(
        values(&store, &Pods::Unwatched),
        [
            r#"flux_up{namespace="hpc",minicluster="old"} 0"#,
            r#"flux_broker_up{namespace="hpc",minicluster="old",pod="old-0"} 1"#,
        ]
    );
    let page = page_of(&store, &Pods::Unwatched, Format::Text);
    let of_old = r#"{namespace="hpc",minicluster="old","#;
    for line in [
        format!(r#"flux_sample_age_seconds{of_old}source="job-list.job-stats"}} 61"#),
        format!(
            r#"flux_broker_sample_age_seconds{of_old}pod="old-0",source="state-machine.get"}} 1"#
        ),
    ] {
        assert!(page.lines().any(|known| known.starts_with(&line)), "{line} is not in {page}");
    }
}

#[test]
fn pods_have_the_names_that_kubernetes_gives_and_are_absent_where_it_does_not() {
    let store = Arc::default();
    let up: &[(&str, &[Series])] = &[("broker_up", &[one(&[], 1.0, 1)])];
    let known = Known::default().next([&pod(1)].into_iter(), Instant::now(), Duration::ZERO);
    report(&store, ("mc0", 1), [1, 1], &[], up);
    report(&store, ("mc0", 2), [1, 1], &[], up);
    let brokers = |pods: &Pods| -> Vec<_> {
        let lines = values(&store, pods).into_iter();
        lines.filter(|line| line.starts_with("flux_broker_up")).collect()
    };
    let want = r#"flux_broker_up{namespace="hpc",minicluster="mc0",pod="mc0-1-abcde"} 1"#;
    assert_eq!(brokers(&Pods::Known(known)), [want]);
    assert_eq!(brokers(&Pods::Unknown(pods::Unknown::Unlisted)), [""; 0]);
}

#[test]
fn metrics_of_tomorrow_have_fit_names_and_never_two_lines_of_one_name() {
    let store = Arc::default();
    let value = [one(&[], 1.0, 0)];
    let labels = [
        one(&[("shape", "a\"b\\c\nd")], 1.0, 0),
        one(&[("no-word", "x")], 2.0, 0),
        one(&[("pod", "x")], 3.0, 0),
        one(&[("le", "x")], 4.0, 0),
        one(&[("queue", "batch"), ("shape", "x")], 5.0, 0),
    ];
    let instance: &[(&str, &[Series])] = &[
        ("of.tomorrow_count", &value),
        ("of:tomorrow", &value),
        ("nodes", &value),
        ("sample_age_seconds", &value),
        ("_total", &value),
        ("labelled", &labels),
    ];
    report(&store, ("mc0", 0), [1, 1], instance, &[]);
    let mc0 = r#"namespace="hpc",minicluster="mc0""#;
    assert_eq!(
        values(&store, &Pods::Unwatched),
        [
            format!("flux_up{{{mc0}}} 1"),
            format!(r#"flux_labelled{{{mc0},shape="a\"b\\c\nd"}} 1"#),
            format!(r#"flux_queue_labelled{{{mc0},queue="batch",shape="x"}} 5"#),
            format!("flux_of_tomorrow{{{mc0}}} 1"),
        ]
    );
    let page = page_of(&store, &Pods::Unwatched, Format::Text);
    assert!(page.contains("# HELP flux_of_tomorrow Reported as of.tomorrow_count, by "), "{page}");
    assert!(page.contains("# TYPE flux_of_tomorrow untyped\n"), "{page}");
    let page = page_of(&store, &Pods::Unwatched, Format::OpenMetrics);
    assert!(page.contains("# TYPE flux_of_tomorrow unknown\n"), "{page}");
}

#[test]
fn a_counter_is_named_as_each_format_wants_and_openmetrics_has_units_and_an_end() {
    let (text, open) = (
        page_of(&Store::default(), &Pods::Unwatched, Format::Text),
        page_of(&Store::default(), &Pods::Unwatched, Format::OpenMetrics),
    );
    assert!(text.contains("# TYPE fluxgauge_samples_received_total counter\n"), "{text}");
    assert!(open.contains("# TYPE fluxgauge_samples_received counter\n"), "{open}");
    for page in [&text, &open] {
        assert!(page.contains("\nfluxgauge_samples_received_total 0\n"), "{page}");
    }
    assert!(open.contains("# UNIT fluxgauge_read_duration_seconds seconds\n"), "{open}");
    assert!(open.ends_with("\n# EOF\n") && !text.contains('\0') && !text.contains("# EOF"));
    assert!(!text.contains("# UNIT"));
}

#[test]
fn what_is_counted_is_shown() {
    let own = Own::default();
    own.reads.note(Form::Custom, http::StatusCode::NOT_FOUND, Duration::from_millis(5));
    own.streams.refuse(tonic::Code::PermissionDenied);
    let stream = own.streams.open();
    own.authorization.decisions.note(true);
    let (store, pods) = (Store::default(), Pods::Unwatched);
    let rules = Rules {
        max_age: Duration::from_secs(60),
        service_aliases: Vec::new(),
        derived: Default::default(),
    };
    let view = View { store: &store, pods: &pods };
    let sources = Sources { view, watch_errors: Some(7), rules: &rules, own: &own };
    let page = String::from_utf8(write(sources, now(), Format::Text).unwrap()).unwrap();
    drop(stream);
    for line in [
        r#"fluxgauge_reads_total{form="custom",code="404"} 1"#,
        r#"fluxgauge_read_duration_seconds_bucket{le="0.001"} 0"#,
        r#"fluxgauge_read_duration_seconds_bucket{le="0.01"} 1"#,
        r#"fluxgauge_read_duration_seconds_bucket{le="+Inf"} 1"#,
        "fluxgauge_read_duration_seconds_sum 0.005",
        "fluxgauge_read_duration_seconds_count 1",
        r#"fluxgauge_streams_refused_total{code="PermissionDenied"} 1"#,
        "fluxgauge_streams_open 1",
        r#"fluxgauge_authorization_cache_lookups_total{cache="decisions",result="hit"} 1"#,
        "fluxgauge_pod_watch_errors_total 7",
    ] {
        assert!(page.lines().any(|known| known == line), "{line} is not in {page}");
    }
    assert!(!page.contains("\nfluxgauge_pods "), "pods are not known: {page}");
}

/// Rows of the table of `deploy/prometheus.md`: every family of a page that has them all. One of
/// queues is marked at its twin.
fn rows(page: &str) -> Vec<String> {
    let comment = |kind: &str, line: &str| -> Option<(String, String)> {
        let (name, text) = line.strip_prefix(&format!("# {kind} "))?.split_once(' ')?;
        Some((name.to_owned(), text.to_owned()))
    };
    let helps = page.lines().filter_map(|line| comment("HELP", line));
    let types: Vec<_> = page.lines().filter_map(|line| comment("TYPE", line)).collect();
    let kind = |name: &str| &types.iter().find(|(known, _)| known == name).expect("a type").1;
    let rows = helps.filter(|(name, _)| !name.starts_with("flux_queue_")).map(|(name, help)| {
        let twin = name.strip_prefix("flux_").map(|name| format!("flux_queue_{name}"));
        let has_twin = types.iter().any(|(known, _)| twin.as_ref() == Some(known));
        let mark = if has_twin { " *q*" } else { "" };
        let line = page.lines().find(|line| {
            let rest = line.strip_prefix(&name);
            rest.is_some_and(|rest| ["{", " ", "_bucket"].iter().any(|next| rest.starts_with(next)))
        });
        let line = line.expect("a line");
        let (labels, _) =
            line.split_once('{').and_then(|(_, all)| all.split_once('}')).unwrap_or_default();
        let labels = labels.split("\",").filter_map(|label| label.split_once("=\""));
        let labels: Vec<_> =
            labels.map(|(label, _)| label).filter(|label| *label != "le").collect();
        format!("| `{name}`{mark} | {} | {} | {help} |", kind(&name), labels.join(", "))
    });
    rows.collect()
}

#[test]
fn the_table_for_people_has_every_family() {
    let (store, own) = (Arc::default(), Own::default());
    let [value, of_queue] = [one(&[], 1.0, 0), one(&[("queue", "batch")], 1.0, 0)];
    let (one_alone, with_queue) = ([value.clone()], [value, of_queue]);
    let all = |of_brokers: bool| -> Vec<(&str, &[Series])> {
        let metrics = CATALOGUE.iter();
        let metrics = metrics.filter(|one| (one.scope == Scope::Broker) == of_brokers);
        let series = |metric: &Metric| match metric.scope {
            Scope::InstanceAndQueue => &with_queue[..],
            Scope::Instance | Scope::Broker => &one_alone[..],
        };
        metrics.map(|metric| (metric.name, series(metric))).collect()
    };
    let (instance, broker) = (all(false), all(true));
    let known = Known::default().next([&pod(0)].into_iter(), Instant::now(), Duration::ZERO);
    report(&store, ("mc0", 0), [1, 1], &instance, &broker);
    own.reads.note(Form::Custom, http::StatusCode::OK, Duration::ZERO);
    own.streams.refuse(tonic::Code::Aborted);
    let leaf = TestCa::new().leaf();
    own.certificate.note(&Pair { cert: leaf.cert.into_bytes(), key: leaf.key.into_bytes() });
    let pods = Pods::Known(known);
    let rules = Rules {
        max_age: Duration::from_secs(60),
        service_aliases: Vec::new(),
        derived: Default::default(),
    };
    let view = View { store: &store, pods: &pods };
    let sources = Sources { view, watch_errors: Some(0), rules: &rules, own: &own };
    let page = String::from_utf8(write(sources, now(), Format::Text).unwrap()).unwrap();

    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/prometheus.md");
    let document = std::fs::read_to_string(path).unwrap();
    let (before, _) = document.split_once("| --- | --- | --- | --- |\n").expect("a table");
    let want = format!("{before}| --- | --- | --- | --- |\n{}\n", rows(&page).join("\n"));
    if document != want {
        std::fs::write(path, want).unwrap();
        panic!("{path} was not what the code says and is rewritten: look at it and commit it");
    }
}

#[test]
fn a_page_that_is_too_long_is_none() {
    for (most, is_one) in [(200, false), (10_000, true)] {
        let mut page = Page::of_at_most(most, Format::Text);
        for _ in 0..10 {
            page.gauge("a_gauge", "Some help.", 1.0);
        }
        assert_eq!(page.finish().is_ok(), is_one);
    }
}
