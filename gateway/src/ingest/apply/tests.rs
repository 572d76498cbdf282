use std::time::SystemTime;

use tonic::Code;

use super::*;
use crate::{
    clock::Clock,
    model::{ClusterKey, Standing},
};

fn reporter(rank: u32) -> Arc<Reporter> {
    Arc::new(Reporter {
        cluster: ClusterKey { namespace: "hpc".into(), name: "mc0".into() },
        rank,
        index: rank.to_string().into(),
        pod: format!("mc0-{rank}").into(),
        broker_start: 1.0,
        headless_service: None,
        flux_version: "0.88.0".into(),
        connected: tokio::time::Instant::now(),
        standing: Standing::default(),
    })
}

fn key(metric: &str, queue: Option<&str>) -> SeriesKey {
    let labels = queue.map(|queue| Label { name: "queue".into(), value: queue.into() });
    SeriesKey {
        metric: metric.into(),
        scope: Scope::Instance.into(),
        labels: labels.into_iter().collect(),
    }
}

fn series(metric: &str, queue: Option<&str>, value: f64) -> WireSeries {
    WireSeries { key: Some(key(metric, queue)), value, source: 0 }
}

fn sample(sequence: u64, full: bool, series: Vec<WireSeries>) -> Sample {
    Sample {
        sequence,
        full,
        sources: vec![WireSource {
            name: "job-list.job-stats".into(),
            proved_age_ms: Some(250),
            failure: String::new(),
        }],
        series,
        removed: Vec::new(),
        trace: None,
    }
}

fn apply(report: &mut Report, sample: Sample) -> Result<Applied, Status> {
    report.apply(sample, &reporter(0), Clock::system().now())
}

fn snapshot(applied: Result<Applied, Status>) -> Snapshot {
    match applied.expect("a good sample") {
        Applied::Snapshot(snapshot, _) => *snapshot,
        Applied::Gap => panic!("no gap here"),
    }
}

fn value(snapshot: &Snapshot, metric: &str, queue: Option<&str>) -> Option<f64> {
    let series = snapshot.instance.get(metric)?;
    let of = |series: &&Series| series.labels.first().map(|(_, value)| &**value) == queue;
    series.iter().find(of).map(|series| series.value)
}

#[test]
fn a_delta_changes_adds_and_removes_series_and_keeps_the_rest() {
    let mut report = Report::default();
    let first =
        vec![series("a", None, 1.0), series("a", Some("batch"), 2.0), series("b", None, 3.0)];
    snapshot(apply(&mut report, sample(1, true, first)));

    let mut delta = sample(2, false, vec![series("a", None, 10.0), series("c", None, 4.0)]);
    delta.removed = vec![key("b", None), key("never there", None)];
    let after = snapshot(apply(&mut report, delta));

    assert_eq!(value(&after, "a", None), Some(10.0));
    assert_eq!(value(&after, "a", Some("batch")), Some(2.0));
    assert_eq!(value(&after, "b", None), None);
    assert_eq!(value(&after, "c", None), Some(4.0));
    assert_eq!(report.size.series, 3);
}

#[test]
fn a_full_sample_replaces_all_that_was_known() {
    let mut report = Report::default();
    snapshot(apply(&mut report, sample(1, true, vec![series("a", None, 1.0)])));
    let after = snapshot(apply(&mut report, sample(2, true, vec![series("b", None, 2.0)])));
    assert_eq!(value(&after, "a", None), None);
    assert_eq!(value(&after, "b", None), Some(2.0));
}

#[test]
fn after_a_gap_only_a_full_sample_counts() {
    let mut report = Report::default();
    let gap = |applied| matches!(applied, Ok(Applied::Gap));
    assert!(gap(apply(&mut report, sample(1, false, vec![]))), "a stream starts with a full one");
    snapshot(apply(&mut report, sample(2, true, vec![series("a", None, 1.0)])));
    assert!(gap(apply(&mut report, sample(4, false, vec![]))), "3 is missing");
    assert!(gap(apply(&mut report, sample(5, false, vec![]))), "5 rests on 4");
    snapshot(apply(&mut report, sample(6, true, vec![])));
    snapshot(apply(&mut report, sample(7, false, vec![])));
}

#[test]
fn what_breaks_the_contract_ends_the_stream_with_a_status_that_names_it() {
    let not_finite = sample(1, true, vec![series("a", None, f64::NAN)]);
    let too_large = sample(1, true, vec![series("a", None, 1e16)]);
    let mut no_source = sample(1, true, vec![series("a", None, 1.0)]);
    no_source.sources.clear();
    let slash = sample(1, true, vec![series("a/b", None, 1.0)]);
    let reserved = sample(1, true, vec![series("status", None, 1.0)]);
    let mut twice = sample(1, true, vec![series("a", Some("x"), 1.0)]);
    if let Some(key) = twice.series.first_mut().and_then(|series| series.key.as_mut()) {
        key.labels.push(Label { name: "queue".into(), value: "y".into() });
    }
    let many = (0..=limits::MAX_SERIES).map(|n| series(&format!("m{n}"), None, 1.0)).collect();
    let cases = [
        (not_finite, Code::InvalidArgument, "NaN"),
        (too_large, Code::InvalidArgument, "at most"),
        (no_source, Code::InvalidArgument, "source 0"),
        (slash, Code::InvalidArgument, "a/b"),
        (reserved, Code::InvalidArgument, "reserved"),
        (twice, Code::InvalidArgument, "ascending"),
        (sample(0, true, vec![]), Code::InvalidArgument, "starts at 1"),
        (sample(1, true, many), Code::ResourceExhausted, "4096"),
    ];
    for (sample, code, word) in cases {
        let status = apply(&mut Report::default(), sample).err().expect("refused");
        assert_eq!(status.code(), code, "{status}");
        assert!(status.message().contains(word), "{word:?} is not in {:?}", status.message());
    }
}

#[test]
fn only_the_lead_collector_may_speak_for_the_instance() {
    let sample = sample(1, true, vec![series("a", None, 1.0)]);
    let status = Report::default()
        .apply(sample, &reporter(3), Clock::system().now())
        .err()
        .expect("refused");
    assert_eq!(status.code(), Code::PermissionDenied);
    assert!(status.message().contains("rank 3"));
}

#[test]
fn a_scope_of_a_newer_contract_is_ignored() {
    let mut newer = sample(1, true, vec![series("a", None, 1.0), series("b", None, 1.0)]);
    if let Some(key) = newer.series.first_mut().and_then(|series| series.key.as_mut()) {
        key.scope = 77;
    }
    let after = snapshot(apply(&mut Report::default(), newer));
    assert_eq!(value(&after, "a", None), None);
    assert_eq!(value(&after, "b", None), Some(1.0));
}

#[test]
fn times_of_a_trace_are_the_gateways_own() {
    let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
    let received = Moment { wall, ..Clock::system().now() };
    let trace = Trace {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        cause: "job-list.job-stats".into(),
        event_age_us: 2_000_000,
        made_age_us: 1_000_000,
    };
    let got = provenance(trace.clone(), received).expect("valid ids");
    assert_eq!(got.event_seen, SystemTime::UNIX_EPOCH + Duration::from_secs(998));
    assert_eq!(got.made, SystemTime::UNIX_EPOCH + Duration::from_secs(999));
    assert_eq!(got.received, wall);

    assert_eq!(provenance(Trace { trace_id: vec![0; 16], ..trace.clone() }, received), None);
    assert_eq!(provenance(Trace { span_id: vec![1; 7], ..trace }, received), None);
}

#[test]
fn texts_from_outside_are_bounded_and_stay_on_one_line() {
    assert_eq!(text("a\nb"), "a b");
    let long = "ü".repeat(limits::MAX_TEXT_BYTES);
    assert_eq!(text(&long).len(), limits::MAX_TEXT_BYTES);
}
