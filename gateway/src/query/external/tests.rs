use super::*;
use crate::{
    model::Snapshot,
    query::tests::{Fake, add, now, two, unwatched},
    store::Store,
};

fn ask(fakes: &[Fake], metric: &str, selector: &str) -> Result<Vec<(String, f64)>, Error> {
    let store = Arc::new(Store::default());
    let now = now();
    for fake in fakes {
        add(&store, now, fake);
    }
    answer(&store, now, metric, &parse(selector))
}

fn parse(selector: &str) -> Selector {
    Selector::parse(selector).expect("a selector")
}

/// Labels and value of each item.
fn answer(
    store: &Store,
    now: Moment,
    metric: &str,
    selector: &Selector,
) -> Result<Vec<(String, f64)>, Error> {
    let max_age = std::time::Duration::from_secs(60);
    let rules = Rules { max_age, service_aliases: Vec::new(), derived: Default::default() };
    let request = ExternalRequest { namespace: "hpc", metric, selector, traced: true };
    let found = find_external(unwatched(store), &rules, now, &request)?;
    let text = |one: &External| {
        let labels = one.labels.iter().map(|(name, value)| format!(" {name}={value}"));
        format!("{}{}", one.item.object, labels.collect::<String>())
    };
    Ok(found.iter().map(|one| (text(one), one.item.value)).collect())
}

fn error(answer: Result<Vec<(String, f64)>, Error>) -> String {
    answer.expect_err("no values").to_string()
}

#[test]
fn each_series_is_there_once_and_a_total_never_beside_its_parts() {
    let working = two().into_iter().map(|fake| Fake { failures: &[], ..fake }).collect::<Vec<_>>();
    let jobs = |selector| ask(&working, "job_queue_state_run_count", selector).expect("values");
    let ask = |selector| ask(&two(), "node_up_count", selector).expect("values");
    assert_eq!(ask(""), [("mc0".into(), 3.0), ("mc1".into(), 5.0)]);
    assert_eq!(ask("minicluster=mc1"), [("mc1".into(), 5.0)]);
    assert_eq!(
        jobs("queue"),
        [
            ("mc0 queue=batch".into(), 2.0),
            ("mc0 queue=debug".into(), 1.0),
            ("mc1 queue=batch".into(), 2.0),
            ("mc1 queue=debug".into(), 1.0),
        ]
    );
    assert_eq!(ask("queue=debug,minicluster=mc0"), [("mc0 queue=debug".into(), 1.0)]);
}

#[test]
fn nodes_of_queues_that_may_share_them_are_not_added_up() {
    let ask = |selector| ask(&two(), "node_up_count", selector);
    for several in ["queue", "queue in (batch,debug)", "queue,minicluster=mc0"] {
        let refused = ask(several);
        assert!(matches!(refused, Err(Error::Bad(_))), "{refused:?}");
        assert!(error(refused).starts_with("queues may share nodes"));
    }
    let one = [("mc0 queue=debug".into(), 1.0), ("mc1 queue=debug".into(), 1.0)];
    assert_eq!(ask("queue!=batch").expect("one queue of each"), one);
}

/// A MiniCluster, with other series of the nodes that are up.
fn publish(fake: &Fake, change: impl FnOnce(&mut Vec<Series>)) -> Arc<Store> {
    let store = Arc::new(Store::default());
    add(&store, now(), fake);
    let lead = store.cluster("hpc", "mc0").expect("reports");
    let lead = lead.lead().and_then(crate::store::Slot::snapshot).expect("lead");
    let mut snapshot = Snapshot::clone(&lead);
    let mut up = snapshot.instance["node_up_count"].to_vec();
    change(&mut up);
    snapshot.instance.insert("node_up_count".into(), up.into());
    let writer = store.claim(Arc::clone(&lead.reporter)).expect("claim");
    writer.publish(snapshot).expect("publish");
    store
}

#[test]
fn what_is_known_of_queues_only_says_so() {
    let store = publish(&Fake::default(), |up| up.retain(|series| !series.labels.is_empty()));
    let whole = error(answer(&store, now(), "node_up_count", &parse("minicluster=mc0")));
    assert_eq!(whole, "MiniCluster mc0: it is known of each queue: select one by queue=NAME");
}

#[test]
fn some_queues_are_not_taken_for_all_while_nobody_knows_which_there_are() {
    let failing = [Fake { failures: &[Origin::QueueStatus], ..Fake::default() }];
    // What one queue has rests on something that still works.
    let store = publish(&failing[0], |up| {
        up.truncate(2);
        up.iter_mut().for_each(|series| series.source = 0);
    });
    let ask = |selector| answer(&store, now(), "node_up_count", &parse(selector));
    let want = "MiniCluster mc0: resource.sched-status by queue: EPERM (1): insufficient role";
    assert_eq!(error(ask("queue")), want);
    assert_eq!(ask("queue=batch"), Ok(vec![("mc0 queue=batch".into(), 2.0)]), "it was found");
}

#[test]
fn a_minicluster_without_such_a_queue_adds_nothing_unless_nobody_knows() {
    let none = error(ask(&two(), "node_up_count", "queue=nosuch"));
    assert_eq!(none, "no MiniCluster of namespace hpc has a series that matches");
    let none = error(ask(&two(), "node_up_count", "color=red"));
    assert_eq!(none, "no MiniCluster of namespace hpc has a series that matches");
    // Its source has failed: there may be such a queue.
    let failed = error(ask(&two(), "job_queue_state_run_count", "queue=nosuch"));
    assert_eq!(failed, "MiniCluster mc0: job-list.job-stats: EPERM (1): insufficient role");
}

#[test]
fn a_metric_that_a_flux_release_lacks_is_no_part_to_leave_out() {
    let lacking = error(ask(&two(), "node_free_count", ""));
    assert_eq!(lacking, "MiniCluster mc0: Flux 0.88.0 does not report it");
    let lacking = error(ask(&two(), "node_free_count", "!queue"));
    assert!(lacking.starts_with("MiniCluster mc0: "), "{lacking}");
}

#[test]
fn an_average_whose_window_is_not_full_yet_says_so() {
    let early = error(ask(&two(), "node_utilization_ratio_1m", "minicluster=mc0"));
    let want = "MiniCluster mc0: it is an average over 60 s, which are not over yet";
    assert_eq!(early, want);
}

#[test]
fn what_does_not_add_up_is_served_of_one_minicluster() {
    let ask = |selector| ask(&two(), "cluster_size_min_safe", selector);
    assert!(error(ask("")).ends_with("select one by minicluster=NAME"));
    assert_eq!(ask("minicluster=mc0").expect("a value"), [("mc0".into(), 2.0)]);
}

#[test]
fn what_an_unknown_metric_adds_up_to_is_not_guessed() {
    let ask = |metric, selector| ask(&two(), metric, selector);
    assert!(error(ask("of_tomorrow", "")).contains("no meaning"));
    assert_eq!(ask("of_tomorrow", "minicluster=mc1").expect("a value"), [("mc1".into(), 7.0)]);
    assert!(matches!(ask("nonsense", ""), Err(Error::UnknownMetric(_))));
}

#[tokio::test]
async fn a_minicluster_that_ended_leaves_and_one_that_fell_silent_does_not() {
    let store = Arc::new(Store::default());
    let now = now();
    for fake in two() {
        add(&store, now, &fake);
    }
    let lead = store.cluster("hpc", "mc1").expect("reports");
    let lead = lead.lead().and_then(crate::store::Slot::snapshot).expect("lead");
    let writer = store.claim(Arc::clone(&lead.reporter)).expect("claim");
    writer.leave();
    let left = answer(&store, now, "node_up_count", &parse("")).expect("values");
    assert_eq!(left, [("mc0".into(), 3.0)]);

    let later = Moment { instant: now.instant + std::time::Duration::from_secs(90), ..now };
    let silent = error(answer(&store, later, "node_up_count", &parse("")));
    assert!(silent.starts_with("MiniCluster mc0: last sample is 91s old"), "{silent}");
}
