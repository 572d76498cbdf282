use super::*;
use crate::metrics::recorded::payload;

/// Nodes, cores and GPUs of one set.
fn row(reading: &Reading, set: &str) -> [f64; 3] {
    ["node", "core", "gpu"].map(|unit| {
        let (_, value) = reading
            .values
            .iter()
            .find(|(key, _)| key.metric == format!("{unit}_{set}_count"))
            .unwrap();
        *value
    })
}

#[test]
fn recorded_answers_of_every_release_count_as_flux_resource_list_does() {
    let (lost, real) = ("46-sched-status-real-lost", "46b-sched-resource-status-real-lost");
    let (idle, drained) = ("09-sched-resource-status", "58-sched-resource-status-drained");
    let none = [0_u32; 3];
    let full = [4, 32, 16];
    // release, conversation, total, up, free, allocated, down, smallest safe size
    for (release, name, total, up, free, allocated, down, safe) in [
        // Two cores of ranks 1 and 2 are allocated: both stay in free, since they have six more.
        ("v0.45.0", idle, full, full, [4, 28, 16], [2, 4, 0], none, 3),
        ("v0.49.0", idle, full, full, [4, 28, 16], [2, 4, 0], none, 3),
        ("v0.54.0", idle, full, full, [4, 28, 16], [2, 4, 0], none, 3),
        ("v0.60.0", idle, full, full, [4, 28, 16], [2, 4, 0], none, 2),
        ("v0.72.0", "08-sched-status", full, full, [4, 28, 16], [2, 4, 0], none, 2),
        ("v0.72.0", idle, full, full, [4, 28, 16], [2, 4, 0], none, 2),
        ("v0.88.0", "08-sched-status", [64, 512, 64], [64, 512, 64], [64, 512, 64], none, none, 1),
        ("v0.88.0", idle, [64, 512, 64], [64, 512, 64], [64, 512, 64], none, none, 1),
        // Rank 1 is drained.
        ("v0.45.0", drained, full, [3, 24, 12], [3, 24, 12], none, [1, 8, 4], 1),
        ("v0.60.0", drained, full, [3, 24, 12], [3, 24, 12], none, [1, 8, 4], 1),
        ("v0.72.0", drained, full, [3, 24, 12], [3, 24, 12], none, [1, 8, 4], 1),
        // Rank 3 is lost: before 0.72 it is down, from then on it is not there.
        ("v0.45.0", real, [4, 8, 0], [3, 6, 0], [3, 6, 0], none, [1, 2, 0], 1),
        ("v0.60.0", real, [4, 8, 0], [3, 6, 0], [3, 6, 0], none, [1, 2, 0], 1),
        ("v0.72.0", lost, [3, 6, 0], [3, 6, 0], [3, 6, 0], none, none, 1),
        ("v0.88.0", lost, [3, 6, 0], [3, 6, 0], [3, 6, 0], none, none, 1),
    ] {
        let status = SchedStatus::read(&payload(release, name, 0)).unwrap();
        let reading = status.reading(status.min_safe_size());
        let got = ["total", "up", "free", "allocated", "down"].map(|set| row(&reading, set));
        let want = [total, up, free, allocated, down].map(|set| set.map(f64::from));
        assert_eq!(got, want, "{release} {name}");
        let size = reading.values[&Key::instance("cluster_size_min_safe")];
        assert_eq!(size, f64::from(safe), "{release} {name}");
        let cores = ["node_cores_up_count", "node_cores_free_count"]
            .map(|metric| reading.values[&Key::instance(metric)]);
        assert_eq!(cores, [up[1], free[1]].map(f64::from), "{release} {name}");
    }
}

#[test]
fn a_draining_node_is_allocated_and_down_and_an_excluded_one_is_only_allocated() {
    let status = SchedStatus::read(
        br#"{"all":{"version":1,"execution":{"R_lite":[{"rank":"0-2","children":{"core":"0-3"}}]}},
             "down":{"version":1,"execution":{"R_lite":[{"rank":"1","children":{"core":"0-3"}}]}},
             "allocated":{"version":1,"execution":{"R_lite":[
               {"rank":"1","children":{"core":"0-3"}},{"rank":"7","children":{"core":"0"}}]}}}"#,
    );
    let status = status.unwrap();
    let reading = status.reading(status.min_safe_size());
    assert_eq!(row(&reading, "up"), [2.0, 8.0, 0.0]);
    assert_eq!(row(&reading, "free"), [2.0, 8.0, 0.0]);
    assert_eq!(row(&reading, "allocated"), [2.0, 5.0, 0.0]);
    assert_eq!(row(&reading, "down"), [1.0, 4.0, 0.0]);
    assert_eq!(reading.values[&Key::instance("cluster_size_min_safe")], 8.0);
}

#[test]
fn a_set_may_be_null_but_not_missing() {
    let reading =
        SchedStatus::read(br#"{"all":null,"down":null,"allocated":null}"#).unwrap().reading(1);
    assert_eq!(row(&reading, "total"), [0.0; 3]);
    assert!(SchedStatus::read(br#"{"all":null,"down":null}"#).is_err());
}

#[test]
fn every_value_is_in_the_catalogue_under_its_source() {
    use fluxgauge_proto::catalogue;
    let status = SchedStatus::read(br#"{"all":null,"down":null,"allocated":null}"#).unwrap();
    let jobs = crate::metrics::jobs::Stats::read(br#"{"job_states":{}}"#).unwrap().reading(None, 0);
    let readings =
        [(status.reading(1), catalogue::Source::SchedStatus), (jobs, catalogue::Source::JobStats)];
    for (reading, source) in readings {
        for key in reading.values.keys() {
            assert_eq!(catalogue::find(key.metric).unwrap().source, source, "{}", key.metric);
        }
    }
}
