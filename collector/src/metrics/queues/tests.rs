use super::*;
use crate::{
    metrics::{MAX_QUEUES, recorded::payload},
    state::Key,
};

fn nodes(reading: &Reading, metric: &'static str, queue: &str) -> Option<f64> {
    reading.values.get(&Key::of(metric, Some(&queue.into()))).copied()
}

fn status() -> SchedStatus {
    SchedStatus::read(&payload("v0.72.0", "08-sched-status", 0)).unwrap()
}

#[test]
fn each_queue_has_the_ranks_with_its_properties() {
    let queues = Queues::read(
        br#"{"queues":{"batch":{"requires":["batch"]},"debug":{"requires":["debug"]},
             "rest":{"requires":["^debug"]},"none":{"requires":["batch","debug"]},"all":{},
             "virtual":{"parent":"debug"}},"policy":{"jobspec":{}}}"#,
    );
    let reading = queues.unwrap().reading(&status());
    assert_eq!(reading.missing, None);
    // Cores 0-1 of ranks 0 and 1 are allocated; batch is ranks 0-2, debug rank 3.
    for (queue, total, allocated, free_cores) in [
        ("batch", 3.0, 2.0, 20.0),
        ("debug", 1.0, 0.0, 8.0),
        ("rest", 3.0, 2.0, 20.0),
        ("none", 0.0, 0.0, 0.0),
        ("all", 4.0, 2.0, 28.0),
        ("virtual", 1.0, 0.0, 8.0),
    ] {
        assert_eq!(nodes(&reading, "node_total_count", queue), Some(total), "{queue}");
        assert_eq!(nodes(&reading, "node_allocated_count", queue), Some(allocated), "{queue}");
        assert_eq!(nodes(&reading, "core_free_count", queue), Some(free_cores), "{queue}");
        assert_eq!(nodes(&reading, "cluster_size_min_safe", queue), None, "{queue}");
    }
}

#[test]
fn the_recorded_configuration_has_its_two_queues() {
    let json = payload("v0.88.0-59", "queues", 2);
    let queues = Queues::read(&json).unwrap();
    assert_eq!(queues.queues.keys().collect::<Vec<_>>(), ["batch", "debug"]);
}

#[test]
fn hosts_are_those_that_flux_marks() {
    let queues = Queues::read(br#"{"queues":{"fat":{"hosts":"node[3-4]"}}}"#).unwrap();
    let mut status = status();
    status.all = ResourceSet::from_json(
        br#"{"version":1,"execution":{"R_lite":[{"rank":"0-3","children":{"core":"0"}}],
             "properties":{"+fat":"2-3"}}}"#,
    )
    .unwrap();
    assert_eq!(nodes(&queues.reading(&status), "node_total_count", "fat"), Some(2.0));
}

#[test]
fn an_anonymous_queue_has_no_series() {
    for json in [&b"{}"[..], br#"{"queues":{}}"#] {
        let reading = Queues::read(json).unwrap().reading(&status());
        assert_eq!(reading, Reading::default());
    }
    assert!(Queues::read(br#"{"queues":{"a":{"requires":"b"}}}"#).is_err());
}

#[test]
fn a_queue_that_cannot_be_told_is_left_out_with_the_reason() {
    let queues = Queues::read(
        br#"{"queues":{"good":{},"loop":{"parent":"loop"},"lost":{"parent":"nowhere"}}}"#,
    );
    let reading = queues.unwrap().reading(&status());
    assert_eq!(nodes(&reading, "node_total_count", "good"), Some(4.0));
    assert_eq!(nodes(&reading, "node_total_count", "loop"), None);
    assert!(reading.missing.unwrap().contains("nowhere"));

    let many: Vec<_> = (0..=MAX_QUEUES).map(|queue| format!(r#""q{queue}":{{}}"#)).collect();
    let json = format!(r#"{{"queues":{{{}}}}}"#, many.join(","));
    let reading = Queues::read(json.as_bytes()).unwrap().reading(&status());
    assert_eq!(reading.values.len(), 0);
    assert!(reading.missing.unwrap().contains("65 queues"));

    let long = format!(r#"{{"queues":{{"{}":{{}}}}}}"#, "q".repeat(254));
    let reading = Queues::read(long.as_bytes()).unwrap().reading(&status());
    assert_eq!(reading.values.len(), 0);
    assert!(reading.missing.unwrap().contains("254 bytes"));
}
