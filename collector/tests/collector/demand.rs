//! What waiting jobs need, and the size that an autoscaler should choose.

use flux_client::Idset;
use flux_demand::MAX_JOBS;
use flux_simulator::{
    Fault, Release,
    instance::{Hold, Need, Outcome, Shape},
};
use fluxgauge_proto::catalogue::Source;

use crate::{
    brokers::{Scene, scene, scene_with},
    gateway::Heard,
};

const DESIRED: &str = "cluster_size_desired";

/// Sixteen ranks of which one is online, as in a MiniCluster that was just made, and no queue.
async fn small(gpus: u32, guests: bool) -> Scene {
    let scene = scene(|config| {
        config.shape = Shape { size: 16, cores: 4, gpus };
        config.queues = Vec::new();
        config.guests = guests;
    })
    .await;
    (1..16).for_each(|rank| scene.simulator.lose(rank));
    scene
}

#[tokio::test]
async fn rank_0_busy_and_a_job_of_12_nodes_waiting_make_13_while_their_pods_come() {
    let scene = small(2, false).await;
    let Scene { simulator, gateway, .. } = &scene;
    gateway.until("an empty instance", |heard| heard.value(DESIRED) == Some(1.0)).await;
    let first = simulator.submit(Need::cores(3), None).unwrap();
    simulator.submit(Need::Nodes(12), None).unwrap();
    gateway.until("a size", |heard| heard.value(DESIRED) == Some(13.0)).await;
    for rank in 1..12 {
        simulator.join(rank);
        let online = Some(f64::from(rank + 1));
        let heard = gateway
            .until("another rank", |heard| {
                heard.value("node_online_count") == online && heard.value(DESIRED).is_some()
            })
            .await;
        assert_eq!(heard.value(DESIRED), Some(13.0), "with {online:?} ranks");
        assert_eq!(heard.value("pending_nodes_demand"), Some(12.0));
    }
    // It starts on ranks 1 to 12, and keeps them when the first one ends.
    simulator.join(12);
    gateway
        .until("it runs", |heard| {
            heard.value("job_queue_state_run_count") == Some(2.0)
                && heard.value("pending_nodes_demand") == Some(0.0)
        })
        .await;
    simulator.finish(first, Outcome::Successful);
    let idle = |heard: &Heard| heard.value("node_free_count") == Some(1.0);
    let heard = gateway.until("rank 0 is free", idle).await;
    assert_eq!(heard.value(DESIRED), Some(13.0));
    scene.pod.stop().await;
}

#[tokio::test]
async fn only_jobs_that_more_nodes_would_help_demand_any() {
    let scene = scene(|_| {}).await;
    let Scene { simulator, gateway, .. } = &scene;
    simulator.submit(Need::Nodes(3), Some("batch")).unwrap();
    simulator.submit_limited(Need::Nodes(2), Some("batch"), 60.0).unwrap();
    simulator.submit_limited(Need::Slots { count: 9, cores: 1, gpus: 1 }, None, 10.0).unwrap();
    simulator.submit(Need::Nodes(4), Some("batch")).unwrap();
    simulator.submit_held(Need::Nodes(1), Some("batch"), Hold::Urgency).unwrap();
    simulator.submit_held(Need::Nodes(1), Some("batch"), Hold::Dependency).unwrap();
    simulator.set_started("debug", false);
    simulator.submit(Need::Nodes(1), Some("debug")).unwrap();
    // Nine GPUs are those of three nodes; a job of four nodes does not fit on the three of its queue.
    let wanted = [
        ("pending_nodes_demand", 5.0, 5.0, 0.0),
        ("pending_cores_demand", 25.0, 25.0, 0.0),
        ("pending_gpus_demand", 17.0, 17.0, 0.0),
        ("pending_nodes_max", 3.0, 3.0, 0.0),
        ("pending_backlog_node_seconds", 150.0, 150.0, 0.0),
        ("pending_unlimited_count", 0.0, 0.0, 0.0),
        ("job_held_count", 1.0, 1.0, 0.0),
        ("job_stopped_count", 1.0, 0.0, 1.0),
        ("pending_unsatisfiable_count", 1.0, 1.0, 0.0),
        ("pending_unsized_count", 0.0, 0.0, 0.0),
    ];
    let agrees = |heard: &Heard| {
        wanted.iter().all(|(metric, instance, batch, debug)| {
            heard.value(metric) == Some(*instance)
                && heard.of_queue("batch", metric) == Some(*batch)
                && heard.of_queue("debug", metric) == Some(*debug)
        })
    };
    let heard = gateway.until("all that is wanted", agrees).await;
    assert_eq!(heard.value(DESIRED), Some(3.0));

    // Without rank 1 three nodes are more than there are.
    simulator.drain(&Idset::range(1, 1), "test");
    let count = |heard: &Heard| heard.value("pending_nodes_demand");
    gateway.until("less to be had", |heard| count(heard) == Some(5.0)).await;
    simulator.set_started("debug", true);
    gateway.until("the queue goes on", |heard| heard.value("job_stopped_count") == Some(0.0)).await;
    scene.pod.stop().await;
}

#[tokio::test]
async fn a_guest_is_told_all_but_the_gpus_of_jobs() {
    let without = small(0, true).await;
    without.simulator.submit(Need::cores(9), None).unwrap();
    without.until_value("pending_cores_demand", Some(9.0)).await;
    without.until_value(DESIRED, Some(3.0)).await;
    without.until_value("pending_gpus_demand", Some(0.0)).await;
    without.pod.stop().await;

    let with = small(2, true).await;
    with.until_value(DESIRED, Some(1.0)).await;
    with.simulator.submit(Need::cores(9), None).unwrap();
    with.until_value(DESIRED, None).await;
    let heard = with.gateway.until("why", |heard| heard.failure("job-list.list").is_some()).await;
    assert_eq!(heard.value("pending_cores_demand"), Some(9.0));
    assert_eq!(heard.value("pending_gpus_demand"), None);
    let failure = heard.failure(Source::Demand.name()).unwrap();
    assert!(failure.contains("run the collector under the broker's uid"), "{failure}");
    with.pod.stop().await;
}

#[tokio::test]
async fn what_waits_is_absent_without_any_of_its_answers_and_comes_back() {
    let places = ["resource.status", "job-manager.queue-status", "config.get"];
    // The journal tells which jobs wait, and an older Flux has to be asked.
    for (minor, lists) in [(88, &[][..]), (60, &["job-list.list"][..])] {
        let scene = scene(|config| config.release = Release::new(minor)).await;
        let Scene { simulator, gateway, .. } = &scene;
        simulator.submit(Need::Nodes(3), Some("batch")).unwrap();
        simulator.submit(Need::Nodes(1), Some("batch")).unwrap();
        let wanted = |heard: &Heard| heard.value("pending_nodes_demand");
        for topic in lists.iter().chain(&places) {
            gateway.until("a value", |heard| wanted(heard) == Some(1.0)).await;
            simulator.fault(topic, Fault::NotJson);
            let absent = |heard: &Heard| {
                let failure = heard.failure(Source::Demand.name());
                let failure = failure.is_some_and(|text| text.contains("not understood"));
                wanted(heard).is_none() && failure
            };
            let heard = gateway.until(topic, absent).await;
            assert!(heard.value("job_queue_state_sched_count").is_some(), "{topic}");
            simulator.heal(topic);
        }
        scene.pod.stop().await;
    }
}

#[tokio::test]
async fn a_size_falls_only_after_its_ranks_were_idle_for_the_hold_down() {
    for (hold_down, falls) in [("1h", false), ("500ms", true)] {
        let scene = scene_with(|_| {}, |args| args.hold_down = Some(hold_down.to_owned())).await;
        let Scene { simulator, gateway, .. } = &scene;
        let job = simulator.submit(Need::Nodes(3), Some("batch")).unwrap();
        let sizes = |heard: &Heard| [heard.value("cluster_size_min_safe"), heard.value(DESIRED)];
        gateway.until("three ranks", |heard| sizes(heard) == [Some(3.0); 2]).await;
        simulator.finish(job, Outcome::Successful);
        // Both sources have spoken again, and time has passed.
        let idle = |heard: &Heard| {
            heard.value("node_allocated_count") == Some(0.0)
                && heard.value("instance_idle_seconds").is_some_and(|seconds| seconds >= 2.0)
        };
        let heard = gateway.until("an idle instance", idle).await;
        if falls {
            gateway.until("one rank", |heard| sizes(heard) == [Some(1.0); 2]).await;
        } else {
            assert_eq!(sizes(&heard), [Some(3.0); 2]);
        }
        scene.pod.stop().await;
    }
}

#[tokio::test]
async fn releases_that_filter_by_states_are_asked_so() {
    for minor in [49, 45] {
        let scene = scene(|config| config.release = Release::new(minor)).await;
        scene.simulator.submit(Need::Nodes(2), Some("batch")).unwrap();
        scene.simulator.submit(Need::Nodes(2), Some("batch")).unwrap();
        scene.until_value("pending_nodes_demand", Some(2.0)).await;
        scene.until_value(DESIRED, Some(3.0)).await;
        scene.pod.stop().await;
    }
}

#[tokio::test]
async fn more_jobs_than_are_looked_at_have_no_demand_and_the_reason() {
    let scene = scene(|_| {}).await;
    let Scene { simulator, gateway, .. } = &scene;
    simulator.submit(Need::Nodes(3), Some("batch")).unwrap();
    scene.until_value("pending_nodes_demand", Some(0.0)).await;
    simulator.submit_many(MAX_JOBS + 1, Need::cores(1), Some("batch")).unwrap();
    let heard = gateway
        .until("no demand", |heard| {
            heard.value("pending_nodes_demand").is_none()
                && heard.failure(Source::Demand.name()).is_some()
        })
        .await;
    let failure = heard.failure(Source::Demand.name()).unwrap();
    assert_eq!(failure, "16385 jobs wait, over the limit of 16384");
    scene.until_value("job_queue_state_sched_count", Some(16_385.0)).await;
    scene.pod.stop().await;
}
