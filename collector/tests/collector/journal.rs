//! Jobs and ranks, event by event, where their journals can be followed.

use flux_client::{Errno, Idset};
use flux_simulator::{
    Fault,
    instance::{Hold, Need, Outcome},
};

use crate::{
    brokers::{Scene, scene},
    gateway::Heard,
};

const JOBS: &str = "job-manager.events-journal";
const RANKS: &str = "resource.journal";
const DISAGREEMENTS: &str = "journal_disagreements_total";

/// Whether a sample came of a message with this topic.
fn came_of(heard: &Heard, topic: &str) -> bool {
    heard
        .samples
        .iter()
        .filter_map(|sample| sample.trace.as_ref())
        .any(|trace| trace.cause == topic)
}

/// What the simulator counts: jobs by state, and nodes that jobs hold.
fn truth(scene: &Scene) -> [Option<f64>; 6] {
    let states = scene.simulator.states(None).unwrap();
    let held = scene.simulator.tallies(None).unwrap().allocated.nodes;
    let numbers = [states.depend, states.priority, states.sched, states.run, states.cleanup, held];
    numbers.map(|number| Some(number as f64))
}

fn values(heard: &Heard) -> [Option<f64>; 6] {
    [
        "job_queue_state_depend_count",
        "job_queue_state_priority_count",
        "job_queue_state_sched_count",
        "job_queue_state_run_count",
        "job_queue_state_cleanup_count",
        "node_allocated_count",
    ]
    .map(|metric| heard.value(metric))
}

async fn agrees(scene: &Scene, what: &str) -> Heard {
    let want = truth(scene);
    scene.gateway.until(what, |heard| values(heard) == want).await
}

#[tokio::test]
async fn every_state_of_a_job_is_known_without_a_list_and_without_a_sched_status() {
    let scene = scene(|_| {}).await;
    let Scene { simulator, gateway, .. } = &scene;
    // One that was there before the journal was followed.
    let early = simulator.submit(Need::cores(1), Some("debug")).unwrap();
    agrees(&scene, "the backlog").await;
    gateway.until("the journal", |heard| came_of(heard, JOBS)).await;
    // Nobody needs these any more but to have it proved.
    for topic in ["job-list.list", "job-info.lookup"] {
        simulator.fault(topic, Fault::NotJson);
    }
    let held = simulator.submit_held(Need::Nodes(1), Some("batch"), Hold::Dependency).unwrap();
    agrees(&scene, "one that depends").await;
    simulator.release(held);
    agrees(&scene, "it runs").await;
    let wide = simulator.submit(Need::Nodes(3), Some("batch")).unwrap();
    let heard = agrees(&scene, "three nodes are waited for").await;
    assert_eq!(heard.value(DISAGREEMENTS), Some(0.0));
    let waits = |heard: &Heard| heard.value("pending_nodes_demand") == Some(3.0);
    gateway.until("its demand", waits).await;
    simulator.clean_up(held);
    agrees(&scene, "it has ended and holds its node").await;
    simulator.finish(held, Outcome::Successful);
    agrees(&scene, "the wide one runs").await;
    simulator.finish(wide, Outcome::Canceled);
    simulator.finish(early, Outcome::Timeout);
    let heard = agrees(&scene, "nothing is left").await;
    assert_eq!(heard.of_queue("batch", "job_queue_state_run_count"), Some(0.0));
    let ended = |heard: &Heard| heard.value("job_queue_state_inactive_count") == Some(3.0);
    let heard = gateway.until("all are inactive", ended).await;
    assert_eq!(heard.value(DISAGREEMENTS), Some(0.0));
    scene.pod.stop().await;
}

#[tokio::test]
async fn whatever_happens_in_whatever_order_is_followed_without_a_disagreement() {
    let scene = scene(|_| {}).await;
    let Scene { simulator, gateway, .. } = &scene;
    gateway.until("the journal", |heard| came_of(heard, JOBS)).await;
    let mut random = fastrand::Rng::with_seed(6);
    for round in 0..40 {
        for _ in 0..random.usize(1..8) {
            let jobs: Vec<_> = simulator.list().iter().map(|job| job.id).collect();
            let some = random.choice(jobs);
            let queue = Some(random.choice(["batch", "debug"]).unwrap());
            let hold = random.choice([Hold::Dependency, Hold::Priority, Hold::Urgency]).unwrap();
            let rank = Idset::range(random.u32(0..3), 2);
            match (random.u32(0..9), some) {
                (0, Some(job)) => simulator.finish(job, Outcome::Failed),
                (1, Some(job)) => simulator.finish(job, Outcome::Canceled),
                (2, Some(job)) => simulator.release(job),
                (3, Some(job)) => simulator.clean_up(job),
                (4, _) => simulator.drain(&rank, "test"),
                (5, _) => simulator.undrain(&rank),
                (6, _) => drop(simulator.submit_held(Need::Nodes(1), queue, hold)),
                (7, _) => drop(simulator.submit(Need::Nodes(random.u32(1..4)), queue)),
                _ => drop(simulator.submit(Need::cores(random.u32(1..20)), queue)),
            }
        }
        let heard = agrees(&scene, &format!("round {round}")).await;
        assert_eq!(heard.value(DISAGREEMENTS), Some(0.0));
    }
    scene.pod.stop().await;
}

#[tokio::test]
async fn a_drain_is_known_when_it_happens() {
    let scene = scene(|_| {}).await;
    let Scene { simulator, gateway, .. } = &scene;
    gateway.until("four nodes", |heard| heard.value("node_up_count") == Some(4.0)).await;
    // The heartbeat would see it too: what tells is what made it looked at.
    let rank: Idset = "2".parse().unwrap();
    for (up, want) in [(false, 3.0), (true, 4.0)] {
        if up {
            simulator.undrain(&rank);
        } else {
            simulator.drain(&rank, "a bad disk");
        }
        let seen = |heard: &Heard| heard.value("node_up_count") == Some(want);
        let heard = gateway.until("the drain", seen).await;
        assert!(came_of(&heard, RANKS), "not by its event");
    }
    scene.pod.stop().await;
}

#[tokio::test]
async fn without_the_journal_jobs_are_polled_and_with_it_followed_again() {
    let scene = scene(|_| {}).await;
    let Scene { simulator, gateway, .. } = &scene;
    simulator.submit(Need::Nodes(2), Some("batch")).unwrap();
    gateway.until("the journal", |heard| came_of(heard, JOBS)).await;
    // The service goes: the next event ends the stream, and there is no other one.
    simulator.fault(JOBS, Fault::Fail(Errno::ENODATA, None));
    let waiting = simulator.submit(Need::Nodes(2), Some("batch")).unwrap();
    agrees(&scene, "the polls").await;
    let waits = |heard: &Heard| heard.value("pending_nodes_demand") == Some(2.0);
    gateway.until("the list", waits).await;

    simulator.heal(JOBS);
    simulator.fault("job-list.list", Fault::NotJson);
    simulator.finish(waiting, Outcome::Canceled);
    simulator.submit(Need::Nodes(3), Some("batch")).unwrap();
    agrees(&scene, "the journal again").await;
    gateway.until("no list", |heard| heard.value("pending_nodes_demand") == Some(3.0)).await;
    scene.pod.stop().await;
}

#[tokio::test]
async fn a_journal_that_loses_an_event_is_found_out_counted_and_read_anew() {
    // What the end of the first one frees, `sched-status` tells as well; of the second, who waits in
    // vain, only `job-stats`.
    for lost in 0..2 {
        let scene = scene(|_| {}).await;
        let Scene { simulator, gateway, .. } = &scene;
        let submit = || simulator.submit(Need::Nodes(2), Some("batch")).unwrap();
        let jobs = [submit(), submit()];
        gateway.until("the journal", |heard| came_of(heard, JOBS)).await;
        agrees(&scene, "a job that runs and one that waits").await;
        simulator.fault(JOBS, Fault::Silence);
        simulator.finish(jobs[lost], Outcome::Canceled);
        // It is found out by the services that it is compared with, which then speak for themselves.
        agrees(&scene, "a job has ended").await;
        let counted = |heard: &Heard| heard.value(DISAGREEMENTS).is_some_and(|count| count >= 1.0);
        gateway.until("a disagreement", counted).await;
        simulator.heal(JOBS);
        scene.pod.stop().await;
    }
}

#[tokio::test]
async fn guests_and_old_releases_are_told_what_lists_tell() {
    for (minor, guests) in [(88, true), (60, false), (54, false)] {
        let scene = scene(|config| {
            config.release = flux_simulator::Release::new(minor);
            config.guests = guests;
        })
        .await;
        scene.simulator.submit(Need::Nodes(2), Some("batch")).unwrap();
        scene.simulator.submit(Need::Nodes(2), Some("batch")).unwrap();
        let heard = agrees(&scene, "two jobs").await;
        assert!(!came_of(&heard, JOBS), "0.{minor}, guests: {guests}");
        scene.until_value("pending_nodes_demand", Some(2.0)).await;
        scene.pod.stop().await;
    }
}
