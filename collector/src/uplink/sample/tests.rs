use std::{sync::Arc, time::Duration};

use super::*;
use crate::state::{Board, Cause, Reading, Values};

fn broker() -> Broker {
    Broker {
        rank: 0,
        size: 4,
        hostname: "flux-sample-0".to_owned(),
        version: "0.88.0".to_owned(),
        start_time: 12.5,
    }
}

/// A board with a broker, and what a stream says of it.
struct Stream {
    board: Board,
    sent: Sent,
}

impl Stream {
    fn new() -> Self {
        let board = Board::new();
        board.met(broker());
        Self { board, sent: Sent::new(broker().sources()) }
    }

    fn answer(&self, values: impl IntoIterator<Item = (Key, f64)>) {
        let reading = Reading { values: values.into_iter().collect(), missing: None };
        self.board.answered(Source::Online, Instant::now(), reading, Cause::now("groups.get"));
    }

    fn next(&mut self) -> v1::Sample {
        self.sent.next(&self.board.subscribe().borrow(), Instant::now())
    }
}

const ONLINE: Key = Key::instance("node_online_count");
const OFFLINE: Key = Key::instance("node_offline_count");

fn names(series: &[v1::Series]) -> Vec<(&str, f64)> {
    series.iter().map(|one| (one.key.as_ref().unwrap().metric.as_str(), one.value)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_full_sample_is_followed_by_what_changed() {
    let mut stream = Stream::new();
    stream.answer([(ONLINE, 3.0), (OFFLINE, 1.0)]);
    let full = stream.next();
    assert!(full.full && full.sequence == 1 && full.removed.is_empty());
    assert_eq!(names(&full.series), [("node_offline_count", 1.0), ("node_online_count", 3.0)]);
    let index = usize::try_from(full.series[0].source).unwrap();
    assert_eq!(full.sources[index].name, Source::Online.name());

    stream.answer([(ONLINE, 4.0), (OFFLINE, 1.0)]);
    let delta = stream.next();
    assert!(!delta.full && delta.sequence == 2 && delta.removed.is_empty());
    assert_eq!(names(&delta.series), [("node_online_count", 4.0)]);

    let idle = stream.next();
    assert_eq!(
        (idle.series.len(), idle.removed.len(), idle.sources.len()),
        (0, 0, Source::ALL.len())
    );
}

#[tokio::test(start_paused = true)]
async fn what_became_absent_is_removed_and_comes_back_as_new() {
    let mut stream = Stream::new();
    stream.answer([(ONLINE, 3.0)]);
    stream.next();
    stream.board.failed(Source::Online, "groups.get", "ENOSYS (38)");
    let delta = stream.next();
    assert_eq!(delta.removed, [v1::SeriesKey::from(&ONLINE)]);
    assert_eq!(delta.sources[3].failure, "ENOSYS (38)");
    assert_eq!(stream.next().removed.len(), 0);
    stream.answer([(ONLINE, 3.0)]);
    assert_eq!(names(&stream.next().series), [("node_online_count", 3.0)]);
}

#[tokio::test(start_paused = true)]
async fn a_full_sample_on_demand_has_all_and_keeps_the_sequence() {
    let mut stream = Stream::new();
    stream.answer([(ONLINE, 3.0), (OFFLINE, 1.0)]);
    stream.next();
    stream.answer([(OFFLINE, 1.0)]);
    stream.sent.forget();
    let full = stream.next();
    assert!(full.full && full.sequence == 2 && full.removed.is_empty());
    assert_eq!(names(&full.series), [("node_offline_count", 1.0)]);
    assert!(!stream.next().full);
}

#[tokio::test(start_paused = true)]
async fn ages_and_causes_are_those_at_the_moment_of_sending() {
    let mut stream = Stream::new();
    stream.answer([(ONLINE, 3.0)]);
    tokio::time::advance(Duration::from_millis(1500)).await;
    let sample = stream.next();
    assert_eq!(sample.sources[3].proved_age_ms, Some(1500));
    assert_eq!(sample.sources[0].proved_age_ms, None);
    let trace = sample.trace.unwrap();
    assert_eq!((trace.cause.as_str(), trace.event_age_us), ("groups.get", 1_500_000));
    assert_eq!((trace.trace_id.len(), trace.span_id.len()), (16, 8));

    tokio::time::advance(Duration::from_millis(500)).await;
    let idle = stream.next();
    assert_eq!(idle.sources[3].proved_age_ms, Some(2000));
    let trace = idle.trace.unwrap();
    assert_eq!((trace.cause.as_str(), trace.event_age_us, trace.made_age_us), ("interval", 0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_bounds_of_the_contract_are_kept() {
    let mut stream = Stream::new();
    let queues = (0..limits::MAX_SERIES + 10)
        .map(|queue| (Key::of("node_up_count", Some(&Arc::from(format!("q{queue}")))), 1.0));
    stream.answer(queues.chain([(ONLINE, f64::NAN), (OFFLINE, 1e300)]));
    let sample = stream.next();
    assert_eq!(sample.series.len(), limits::MAX_SERIES);
    assert!(sample.series.iter().all(|series| series.value == 1.0));

    // An "ä" has two bytes: the cut is before the one that does not fit.
    stream.board.failed(Source::Online, "groups.get", &format!("a{}", "ä".repeat(2000)));
    let failure = &stream.next().sources[3].failure;
    assert_eq!(failure.len(), limits::MAX_TEXT_BYTES - 1);
}

#[test]
fn the_largest_sample_fits_into_a_message() {
    use fluxgauge_proto::catalogue::{CATALOGUE, Scope};

    use crate::metrics::{MAX_QUEUE_BYTES, MAX_QUEUES};
    // Every metric of the instance, and those of each queue, with the longest of names.
    let queues: Vec<_> = (0..MAX_QUEUES)
        .map(|queue| Some(Arc::from(format!("{queue:0>MAX_QUEUE_BYTES$}"))))
        .collect();
    let values: Values = CATALOGUE
        .iter()
        .flat_map(|metric| {
            let of_queues = queues.iter().filter(|_| metric.scope == Scope::InstanceAndQueue);
            of_queues.chain([&None]).map(|queue| (Key::of(metric.name, queue.as_ref()), 1.0))
        })
        .collect();
    let bytes: usize = values
        .keys()
        .map(|key| {
            let v1::SeriesKey { metric, labels, .. } = key.into();
            // Tags, lengths, value and source add less than 40 bytes.
            40 + metric.len() + labels.iter().map(|l| l.name.len() + l.value.len()).sum::<usize>()
        })
        .sum();
    assert!(values.len() < limits::MAX_SERIES);
    assert!(bytes < limits::MAX_MESSAGE_BYTES, "{bytes}");
}

#[test]
fn a_hello_says_who_reports() {
    let identity = Identity {
        namespace: "hpc".to_owned(),
        minicluster: "flux-sample".to_owned(),
        pod: Some("flux-sample-0-abcde".to_owned()),
        headless_service: "flux-sample".to_owned(),
        index: Some(0),
    };
    let hello = hello(&identity, &broker());
    assert_eq!(hello.contract_version, CONTRACT_VERSION);
    assert_eq!((hello.rank, hello.size, hello.broker_start_time), (0, 4, 12.5));
    assert_eq!(hello.pod_name, "flux-sample-0-abcde");
}
