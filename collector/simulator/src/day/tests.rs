use super::*;
use crate::instance::{Queue, Shape, Tallies};

fn instance() -> Instance {
    let queue = |name: &str, first, last| Queue {
        name: name.to_owned(),
        ranks: Some(Idset::range(first, last)),
    };
    let queues = vec![queue("batch", 0, 11), queue("debug", 12, 15)];
    Instance::new(Shape { size: 16, cores: 8, gpus: 2 }, queues)
}

/// The tallies after each second, at the demo's speed.
fn seconds_of(seed: u64, seconds: u64) -> Vec<(Tallies, u64)> {
    let (mut day, mut instance) = (Day::new(seed, 300.0), instance());
    let second = |second| {
        day.advance(&mut instance, Duration::from_secs(second), 1.0);
        (instance.tallies(None).unwrap(), instance.states(None).unwrap().total)
    };
    (0..seconds).map(second).collect()
}

#[test]
fn the_same_seed_plays_the_same_day() {
    assert_eq!(seconds_of(3, 60), seconds_of(3, 60));
    assert_ne!(seconds_of(3, 60), seconds_of(4, 60));
}

#[test]
fn numbers_change_in_nearly_every_second_and_nodes_come_and_go() {
    for seed in 1..=5 {
        let seconds = seconds_of(seed, 300);
        let changes = seconds.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!(changes > 200, "seed {seed}: {changes} changes in 300 seconds");
        let down = |count| seconds.iter().any(|(tallies, _)| tallies.down.nodes == count);
        assert!(down(0) && down(1), "seed {seed}");
        let busy: u64 = seconds.iter().map(|(tallies, _)| tallies.allocated.cores).sum();
        let share = busy * 100 / (300 * 16 * 8);
        assert!((20..95).contains(&share), "seed {seed}: {share} % of the cores are busy");
    }
}

#[test]
fn a_pause_is_not_made_up_for_longer_than_an_hour() {
    let (mut day, mut instance) = (Day::new(1, MAX_SPEED), instance());
    day.advance(&mut instance, Duration::from_secs(1_000_000), 1.0);
    assert!(instance.states(None).unwrap().total < 200);
}

#[test]
fn a_day_without_outages_loses_no_node() {
    let (day, mut instance) = (Day::new(1, 300.0), instance());
    let mut day = day.without_outages();
    for second in 0..250 {
        day.advance(&mut instance, Duration::from_secs(second), 1.0);
        assert_eq!(instance.tallies(None).unwrap().down.nodes, 0);
    }
    assert!(instance.states(None).unwrap().total > 100);
}

#[test]
fn half_the_load_is_half_the_jobs() {
    let jobs = |load| {
        let (day, mut instance) = (Day::new(1, 300.0), instance());
        let mut day = day.with_load(load);
        (0..250).for_each(|n| day.advance(&mut instance, Duration::from_secs(n), 1.0));
        instance.states(None).unwrap().total
    };
    let share = jobs(0.5) * 100 / jobs(1.0);
    assert!((40..60).contains(&share), "{share} %");
}
