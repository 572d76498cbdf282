//! Metrics that operators define, over a snapshot made by hand.

use derived_metrics::Definitions;

use super::*;

const BOTH: &str = "metrics:
- {name: both, expression: node_up_count + job_queue_state_run_count}";

/// A MiniCluster of whose jobs nothing newer is known than this, and of whose nodes it is a second
/// old; and what is derived.
fn world(jobs: Duration) -> (Arc<Store>, Moment, Rules) {
    let (store, now) = (Arc::new(Store::default()), now());
    add(&store, now, &Fake { failures: &[], ..Fake::default() });
    let lead = store.cluster("hpc", "mc0").expect("reports");
    let lead = lead.lead().and_then(Slot::snapshot).expect("lead");
    let mut snapshot = Snapshot::clone(&lead);
    let mut sources = snapshot.sources.to_vec();
    sources[JOBS].age_at_receipt = Some(jobs);
    snapshot.sources = sources.into();
    let writer = store.claim(Arc::clone(&lead.reporter)).expect("claim");
    writer.publish(snapshot).expect("publish");

    let max_age = Duration::from_secs(60);
    let rules = Rules { max_age, service_aliases: Vec::new(), derived: Default::default() };
    rules.derived.publish(Definitions::read(BOTH).expect("good"));
    (store, now, rules)
}

fn both(jobs: Duration) -> Result<Item, Error> {
    let ((store, now, rules), all) = (world(jobs), Selector::default());
    let request = Request {
        namespace: "hpc",
        object: MC0,
        metric: "both",
        object_selector: &all,
        metric_selector: &all,
        traced: true,
    };
    let items = find(unwatched(&store), &rules, now, &request)?;
    items.into_iter().next().ok_or_else(|| Error::NotFound("nothing".to_owned()))
}

#[test]
fn what_is_derived_is_as_old_as_the_oldest_of_what_it_is_made_of() {
    let seconds = Duration::from_secs;
    let fresh = both(seconds(1)).expect("a value");
    let older = both(seconds(31)).expect("a value");
    assert_eq!((fresh.value, older.value), (6.0, 6.0));
    assert_eq!(fresh.produced.duration_since(older.produced).expect("older"), seconds(30));
    let too_old = both(seconds(61)).expect_err("no value").to_string();
    assert!(too_old.starts_with("job_queue_state_run_count: "), "{too_old}");
}
