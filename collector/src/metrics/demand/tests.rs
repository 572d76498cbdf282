use fluxgauge_proto::catalogue::{self, Source};

use super::*;
use crate::metrics::recorded::payload;

#[test]
fn drained_and_torpid_ranks_take_no_job_in_every_release() {
    for release in ["v0.45.0", "v0.49.0", "v0.54.0", "v0.60.0", "v0.72.0"] {
        let ranks = |name| Ranks::read(&payload(release, name, 0)).unwrap();
        assert!(ranks("10-resource-status").unusable.is_empty(), "{release}");
        assert_eq!(ranks("57-resource-status-drained").unusable.to_string(), "1", "{release}");
        let hosts: Vec<_> = ranks("10-resource-status").hosts.iter().collect();
        assert_eq!(hosts.len(), 4, "{release}");
        // A rank whose broker is away is one whose pod is coming.
        let lost = ranks("45-resource-status-real-lost");
        assert!(lost.unusable.is_empty(), "{release}");
    }
    let torpid = br#"{"R":null,"drain":{"1-2":{},"7":{}},"online":"0-9","offline":"",
                      "exclude":"","torpid":"4"}"#;
    assert_eq!(Ranks::read(torpid).unwrap().unusable.to_string(), "1-2,4,7");
    assert!(Ranks::read(br#"{"R":null,"drain":{"x":{}}}"#).is_err());
    assert!(Ranks::read(br#"{"R":null}"#).is_err());
}

fn rest(size: Option<u32>) -> Rest {
    let remaining = Some(Remaining::of([Arc::from("batch")].iter()));
    Rest { size, idle: Duration::ZERO, averages: [Some(1.0); 2], remaining, up: 4 }
}

#[test]
fn what_is_left_drains_over_the_nodes_that_are_up() {
    let mut rest = rest(Some(4));
    let remaining = rest.remaining.as_mut().unwrap();
    remaining.add(Some(&"batch".into()), 100.5);
    remaining.add(None, 20.0);
    let instance = Totals { backlog_node_seconds: 80.0, ..Totals::default() };
    let demand = Demand { instance, ..Demand::default() };
    let values = reading(&demand, &rest, None).values;
    let value = |key: Key| values.get(&key).copied();
    let left = "running_remaining_node_seconds";
    assert_eq!(value(Key::instance(left)), Some(120.0));
    assert_eq!(value(Key::of(left, Some(&"batch".into()))), Some(100.0));
    assert_eq!(value(Key::instance("backlog_drain_seconds")), Some(50.0));
    let values = reading(&demand, &Rest { remaining: None, ..rest }, None).values;
    assert!(!values.contains_key(&Key::instance(left)));
    assert!(!values.contains_key(&Key::instance("backlog_drain_seconds")));
}

#[test]
fn every_value_is_in_the_catalogue_under_its_source_and_every_metric_has_one() {
    let queues = BTreeMap::from([("batch".into(), Totals::default())]);
    let demand = Demand { size: Some(1), queues, ..Demand::default() };
    let values = reading(&demand, &rest(Some(1)), None).values;
    for key in values.keys() {
        let metric = catalogue::find(key.metric).unwrap_or_else(|| panic!("{}", key.metric));
        assert_eq!(metric.source, Source::Demand, "{}", key.metric);
    }
    for metric in catalogue::CATALOGUE.iter().filter(|m| m.source == Source::Demand) {
        assert!(values.contains_key(&Key::instance(metric.name)), "{}", metric.name);
        let of_queue = values.contains_key(&Key::of(metric.name, Some(&"batch".into())));
        let has_queues = metric.scope == catalogue::Scope::InstanceAndQueue;
        assert_eq!(of_queue, has_queues, "{}", metric.name);
    }
}

#[test]
fn what_rests_on_gpus_that_are_not_told_is_absent_with_the_reason() {
    let demand = Demand {
        instance: Totals { gpus: None, cores: 8, ..Totals::default() },
        ..Demand::default()
    };
    let Reading { values, missing } = reading(&demand, &rest(None), None);
    assert_eq!(values[&Key::instance("pending_cores_demand")], 8.0);
    for absent in ["pending_gpus_demand", "cluster_size_desired"] {
        assert!(!values.contains_key(&Key::instance(absent)), "{absent}");
    }
    assert!(missing.unwrap().contains("told to the owner"));
}

#[test]
fn each_queue_confines_its_jobs_or_says_why_not() {
    let status = SchedStatus::read(&payload("v0.72.0", "08-sched-status", 0)).unwrap();
    let confines = |json: &str| Confines::of(&Queues::read(json.as_bytes()).unwrap(), &status.all);
    let Confines { queues, missing } =
        confines(r#"{"queues":{"batch":{"requires":["batch"]},"all":{},"lost":{"parent":"x"}}}"#)
            .unwrap();
    let ranks: Vec<_> = queues.iter().map(|(name, q)| (&**name, q.ranks.to_string())).collect();
    assert_eq!(ranks, [("all", "0-3".to_owned()), ("batch", "0-2".to_owned())]);
    let missing = missing.unwrap();
    assert!(missing.contains("\"x\" is named as a parent"), "{missing}");

    let many: Vec<_> =
        (0..=crate::metrics::MAX_QUEUES).map(|q| format!(r#""q{q}":{{}}"#)).collect();
    let reason = confines(&format!(r#"{{"queues":{{{}}}}}"#, many.join(","))).unwrap_err();
    assert!(reason.contains("65 queues"), "{reason}");
}
