use super::*;
use crate::metrics::{MAX_QUEUES, recorded::payload};

/// Depend, priority, sched, run, cleanup, inactive; successful, failed, canceled, timeout.
const METRICS: [&str; 10] = [
    "job_queue_state_depend_count",
    "job_queue_state_priority_count",
    "job_queue_state_sched_count",
    "job_queue_state_run_count",
    "job_queue_state_cleanup_count",
    "job_queue_state_inactive_count",
    "job_successful_count",
    "job_failed_count",
    "job_canceled_count",
    "job_timeout_count",
];

fn read(json: &[u8]) -> Result<Reading, Unreadable> {
    Ok(Stats::read(json)?.reading(None, 0))
}

fn row(reading: &Reading, queue: Option<&str>) -> [Option<f64>; 10] {
    let queue = queue.map(Arc::from);
    METRICS.map(|metric| reading.values.get(&Key::of(metric, queue.as_ref())).copied())
}

fn all(numbers: [u32; 10]) -> [Option<f64>; 10] {
    numbers.map(|number| Some(f64::from(number)))
}

#[test]
fn recorded_answers_of_every_release_count_as_flux_jobs_stats_does() {
    // Before 0.50 the recorded `failed` is 3, 5 and 4: canceled and timed out ones included.
    let busy = (all([0, 0, 3, 1, 0, 13, 10, 1, 1, 1]), all([0, 0, 3, 1, 0, 11, 8, 1, 1, 1]));
    let purged = (all([0, 0, 2, 0, 0, 45, 41, 1, 2, 1]), all([0, 0, 2, 0, 0, 45, 41, 1, 2, 1]));
    let released = ["v0.45.0", "v0.49.0", "v0.54.0", "v0.60.0", "v0.72.0"];
    for release in released {
        for (name, (instance, batch)) in [("11-job-stats", busy), ("60-job-stats-purged", purged)] {
            let reading = read(&payload(release, name, 0)).unwrap();
            assert_eq!(row(&reading, None), instance, "{release} {name}");
            assert_eq!(row(&reading, Some("batch")), batch, "{release} {name} batch");
            assert_eq!(reading.missing, None);
        }
        let first = read(&payload(release, "12-job-stats-stream", 0)).unwrap();
        assert_eq!(row(&first, None), all([0, 0, 2, 0, 0, 15, 10, 1, 3, 1]), "{release} stream");
    }
    let current = read(&payload("v0.88.0", "11-job-stats", 0)).unwrap();
    assert_eq!(row(&current, None), all([0, 0, 5, 0, 0, 44, 36, 7, 1, 0]));
    assert_eq!(row(&current, Some("debug")), all([0, 0, 0, 0, 0, 8, 8, 0, 0, 0]));
    let running = read(&payload("v0.88.0", "12-job-stats-stream", 1)).unwrap();
    assert_eq!(row(&running, None), all([0, 0, 5, 40, 0, 44, 36, 7, 1, 0]));
}

#[test]
fn an_idle_instance_has_zeros_and_a_queue_that_flux_does_not_list_has_none() {
    for release in ["v0.45.0", "v0.54.0"] {
        let fresh = read(&payload(release, "47-job-stats-fresh", 0)).unwrap();
        assert_eq!(row(&fresh, None), all([0; 10]), "{release}");
        assert_eq!(row(&fresh, Some("batch")), [None; 10], "{release}");
    }
    let fresh = read(&payload("v0.60.0", "47-job-stats-fresh", 0)).unwrap();
    assert_eq!(row(&fresh, Some("batch")), all([0; 10]));
}

#[test]
fn what_a_version_does_not_say_is_absent() {
    // 0.44 and before, by the reference: no `successful`, no queues, `failed` includes the others.
    let old = br#"{"job_states":{"depend":0,"priority":0,"sched":1,"run":2,"cleanup":0,
                   "inactive":9,"total":12},"failed":5,"canceled":2,"timeout":1}"#;
    let reading = read(old).unwrap();
    let mut want = all([0, 0, 1, 2, 0, 9, 0, 2, 2, 1]);
    want[6] = None;
    assert_eq!(row(&reading, None), want);
    assert_eq!(reading.values[&Key::instance("job_queue_state_new_count")], 0.0);

    let bare = read(br#"{"job_states":{"run":2}}"#).unwrap();
    assert_eq!(bare.values.len(), 3);
    assert!(read(b"{}").is_err() && read(b"[]").is_err() && read(br#"{"job_states":1}"#).is_err());
}

#[test]
fn too_many_queues_are_left_out_with_the_reason() {
    let queue = |index| format!(r#"{{"name":"q{index}","job_states":{{"run":1}}}}"#);
    let stats = |queues: usize| {
        let queues: Vec<_> = (0..queues).map(queue).collect();
        let json = format!(r#"{{"job_states":{{"run":2}},"queues":[{}]}}"#, queues.join(","));
        read(json.as_bytes()).unwrap()
    };
    let fits = stats(MAX_QUEUES);
    assert_eq!((fits.values.len(), fits.missing), (3 + MAX_QUEUES, None));
    let over = stats(MAX_QUEUES + 1);
    assert_eq!(over.values.len(), 3);
    assert!(over.missing.unwrap().contains("65 queues are over the limit of 64"));
}

#[test]
fn active_jobs_are_the_journals_where_there_is_one() {
    let mut jobs = Jobs::default();
    let journal = br#"{"id":7,"events":[{"timestamp":1.0,"name":"submit"},{"timestamp":1.0,"name":"validate"}],
        "jobspec":{"resources":[],"attributes":{"system":{"queue":"batch"}}}}"#;
    if let crate::journal::Message::Job(events) = crate::journal::Message::read(journal).unwrap() {
        jobs.take(&events).unwrap();
    }
    let json = br#"{"job_states":{"depend":0,"priority":0,"sched":1,"run":0,"cleanup":0,"inactive":5},
        "queues":[{"name":"batch","job_states":{"run":1,"inactive":5}},{"name":"idle","job_states":{"run":1}}]}"#;
    let stats = Stats::read(json).unwrap();
    let difference = stats.difference(&jobs).unwrap();
    assert_eq!(difference, "0 jobs in depend, and 1 by the journal");
    let reading = stats.reading(Some(&jobs), 3);
    let queue = |name: &str| row(&reading, Some(name))[..6].to_vec();
    assert_eq!(row(&reading, None)[..6], all([1, 0, 0, 0, 0, 5, 0, 0, 0, 0])[..6]);
    assert_eq!(queue("batch"), all([1, 0, 0, 0, 0, 5, 0, 0, 0, 0])[..6]);
    assert_eq!(queue("idle")[..5], all([0; 10])[..5]);
    assert_eq!(reading.values[&Key::instance("journal_disagreements_total")], 3.0);
}
