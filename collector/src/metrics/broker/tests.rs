use super::*;
use crate::metrics::recorded::payload;

const ASKED: Asked =
    Asked { rank: 3, round_trip: Duration::from_millis(2), uptime: Some(60.5), reconnects: 2 };

/// Names and values, in the order of names.
fn values(reading: Reading) -> Vec<(&'static str, f64)> {
    reading.values.into_iter().map(|(key, value)| (key.metric, value)).collect()
}

#[test]
fn a_broker_is_up_only_in_state_run() {
    for (state_now, up) in [("run", 1.0), ("init", 0.0), ("cleanup", 0.0)] {
        let json = format!(r#"{{"state":"{state_now}","duration":2.5}}"#);
        let want = [
            ("broker_rank", 3.0),
            ("broker_reconnects_total", 2.0),
            ("broker_rpc_rtt_seconds", 0.002),
            ("broker_state_seconds", 2.5),
            ("broker_up", up),
            ("broker_uptime_seconds", 60.5),
        ];
        assert_eq!(values(state(json.as_bytes(), ASKED).unwrap()), want);
    }
    let want = [("broker_rpc_rtt_root_seconds", 0.002)];
    assert_eq!(values(lead(b"{}", ASKED).unwrap()), want);
}

#[test]
fn memory_is_told_in_kib() {
    let json = br#"{"utime":0.047355,"stime":0.03157,"maxrss":16660,"ixrss":0}"#;
    let want = [
        ("broker_cpu_system_seconds_total", 0.03157),
        ("broker_cpu_user_seconds_total", 0.047355),
        ("broker_memory_max_bytes", 17_059_840.0),
    ];
    assert_eq!(values(rusage(json, ASKED).unwrap()), want);
}

#[test]
fn a_child_that_was_lost_degrades_and_one_that_never_came_does_not() {
    let of = |status: &str, children: &[&str]| {
        let child = |status: &&str| format!(r#"{{"rank":1,"status":"{status}","duration":1.5}}"#);
        let children: Vec<_> = children.iter().map(child).collect();
        let children = children.join(",");
        let json =
            format!(r#"{{"rank":0,"status":"{status}","duration":2,"children":[{children}]}}"#);
        values(overlay(json.as_bytes(), ASKED).unwrap())
            .into_iter()
            .map(|(_, value)| value)
            .collect()
    };
    // Children, those online, whether degraded.
    let all: [Vec<f64>; 4] = [
        of("full", &["full", "full"]),
        of("partial", &["full", "offline"]),
        of("degraded", &["full", "lost", "degraded"]),
        of("full", &[]),
    ];
    assert_eq!(all, [[2.0, 2.0, 0.0], [2.0, 1.0, 0.0], [3.0, 2.0, 1.0], [0.0, 0.0, 0.0]]);
}

#[test]
fn the_longest_queue_of_any_module_counts_where_queues_are_told() {
    let told = br#"{"mods":[{"name":"kvs","sendqueue":1,"recvqueue":7},
                            {"name":"groups","sendqueue":3,"recvqueue":0}]}"#;
    assert_eq!(values(modules(told, ASKED).unwrap()), [("broker_module_queue_max", 7.0)]);
    let untold = br#"{"mods":[{"name":"kvs","idle":0,"status":1}]}"#;
    assert_eq!(values(modules(untold, ASKED).unwrap()), []);
}

#[test]
fn recorded_answers_of_every_release_are_read() {
    // Children, those online, whether degraded: of the first releases the second child lost one of its own.
    let lost = ["v0.72.0", "v0.88.0"];
    for release in ["v0.45.0", "v0.49.0", "v0.54.0", "v0.60.0", "v0.72.0", "v0.88.0"] {
        let read = |name| {
            let reading = overlay(&payload(release, name, 0), ASKED).unwrap();
            values(reading).into_iter().map(|(_, value)| value).collect::<Vec<_>>()
        };
        let [all, online] = if lost.contains(&release) { [3.0, 2.0] } else { [2.0, 2.0] };
        assert_eq!(read("21-overlay-health"), [all, all, 0.0], "{release}");
        assert_eq!(read("41-overlay-degraded"), [all, online, 1.0], "{release}");
    }
    for release in ["v0.45.0", "v0.49.0", "v0.54.0", "v0.60.0", "v0.72.0"] {
        let used = values(rusage(&payload(release, "53-rusage", 0), ASKED).unwrap());
        assert!(used.iter().all(|(_, value)| *value > 0.0), "{release}: {used:?}");
    }
}
