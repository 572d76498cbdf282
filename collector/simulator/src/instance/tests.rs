use std::collections::BTreeMap;

use fastrand::Rng;
use flux_client::{Idset, ResourceSet};
use serde_json::Value;

use super::*;
use crate::{
    answers::{JobStats, SchedStatus},
    manners::Release,
};

fn instance() -> Instance {
    let queue = |name: &str, first, last| Queue {
        name: name.to_owned(),
        ranks: Some(Idset::range(first, last)),
    };
    let queues = vec![queue("batch", 0, 5), queue("debug", 5, 7)];
    Instance::new(Shape { size: 8, cores: 4, gpus: 2 }, queues)
}

fn need(random: &mut Rng) -> Need {
    if random.bool() {
        return Need::Nodes(random.u32(1..=4));
    }
    Need::Slots { count: random.u32(1..=6), cores: random.u32(0..=4), gpus: random.u32(0..=2) }
}

/// Does something that can happen to an instance.
fn disturb(instance: &mut Instance, random: &mut Rng) {
    let rank = random.u32(..8);
    let ranks = Idset::range(rank, (rank + random.u32(..3)).min(7));
    let states = [State::Depend, State::Priority, State::Sched, State::Run, State::Cleanup];
    let state = *random.choice(&states).unwrap();
    let jobs: Vec<_> = instance.jobs_in(state).collect();
    let job = random.choice(jobs);
    let outcomes = [Outcome::Successful, Outcome::Failed, Outcome::Canceled, Outcome::Timeout];
    match random.u32(..22) {
        0..=7 => {
            let holds = [
                None,
                None,
                None,
                Some(Hold::Dependency),
                Some(Hold::Priority),
                Some(Hold::Urgency),
            ];
            let hold = *random.choice(&holds).unwrap();
            let queue = *random.choice(&[None, Some("batch"), Some("debug")]).unwrap();
            instance.submit(need(random), queue, hold).unwrap();
        }
        8..=10 => {
            if let Some(job) = job {
                instance.finish(job, *random.choice(&outcomes).unwrap());
            }
        }
        11 | 12 => job.into_iter().for_each(|job| instance.release(job)),
        13 => job.into_iter().for_each(|job| instance.clean_up(job)),
        14 => instance.drain(&ranks, "test", 1.0),
        15 => instance.undrain(&ranks),
        16 => instance.lose(rank),
        17 => instance.join(rank),
        18 => instance.set_torpid(rank, random.bool()),
        19 => instance.exclude(&if random.bool() { ranks } else { Idset::new() }),
        20 => instance.purge(),
        _ => instance.undrain(&Idset::range(0, 7)),
    }
}

#[test]
fn running_jobs_have_exactly_what_they_asked_for_whatever_happens() {
    for seed in 0..40 {
        let mut random = Rng::with_seed(seed);
        let mut instance = instance();
        for _ in 0..200 {
            disturb(&mut instance, &mut random);
            let mut owned: BTreeMap<JobId, (usize, usize)> = BTreeMap::new();
            for rank in &instance.ranks {
                rank.cores.iter().flatten().for_each(|job| owned.entry(*job).or_default().0 += 1);
                rank.gpus.iter().flatten().for_each(|job| owned.entry(*job).or_default().1 += 1);
            }
            let running = instance.jobs.iter().filter(|(_, job)| !job.ranks.is_empty());
            for (id, job) in running {
                let (cores, gpus) = match job.need {
                    Need::Nodes(nodes) => (nodes * 4, nodes * 2),
                    Need::Slots { count, cores, gpus } => (count * cores, count * gpus),
                };
                let has = owned.remove(id).unwrap_or_default();
                assert_eq!(has, (cores as usize, gpus as usize), "seed {seed}, {job:?}");
            }
            assert!(owned.is_empty(), "seed {seed}: ids of jobs that do not run: {owned:?}");
        }
    }
}

#[test]
fn the_tallies_are_what_flux_resource_list_makes_of_the_answers() {
    for seed in 0..40 {
        let mut random = Rng::with_seed(seed);
        let mut instance = instance();
        for _ in 0..200 {
            disturb(&mut instance, &mut random);
            let answer = serde_json::to_value(SchedStatus::of(&instance)).unwrap();
            let set =
                |name: &str| ResourceSet::from_json(answer[name].to_string().as_bytes()).unwrap();
            let (all, down) = (set("all"), set("down"));
            let allocated = set("allocated");
            for queue in [None, Some("batch"), Some("debug")] {
                let of = |set: &ResourceSet| match queue {
                    None => set.clone(),
                    Some(queue) => set.restrict(&all.ranks_with(queue)),
                };
                let tally = |set: &ResourceSet| {
                    let set = of(set);
                    Tally { nodes: set.nodes() as u64, cores: set.cores(), gpus: set.gpus() }
                };
                let up = all.difference(&down);
                let want = Tallies {
                    total: tally(&all),
                    up: tally(&up),
                    free: tally(&up.difference(&allocated)),
                    allocated: tally(&allocated),
                    down: tally(&down),
                    used: tally(&up.intersection(&allocated)),
                    idle: tally(&up).nodes - tally(&up.intersection(&allocated)).nodes,
                    cluster_size_min_safe: of(&allocated)
                        .highest_rank()
                        .map_or(1, |rank| u64::from(rank) + 1),
                };
                assert_eq!(instance.tallies(queue).unwrap(), want, "seed {seed}, {queue:?}");
            }
        }
    }
}

#[test]
fn queues_sum_up_to_the_instance() {
    let mut random = Rng::with_seed(7);
    let mut instance = instance();
    for _ in 0..500 {
        disturb(&mut instance, &mut random);
    }
    let stats = serde_json::to_value(JobStats::of(&instance, Release::default())).unwrap();
    let sum = |path: &str| -> u64 {
        let queues = stats["queues"].as_array().unwrap();
        queues.iter().filter_map(|queue| queue.pointer(path).and_then(Value::as_u64)).sum()
    };
    for path in
        ["/job_states/total", "/job_states/sched", "/successful", "/failed", "/inactive_purged"]
    {
        assert_eq!(stats.pointer(path).and_then(Value::as_u64), Some(sum(path)), "{path}");
    }
}

#[test]
fn jobs_start_on_the_lowest_ranks_and_small_ones_share_a_node() {
    let mut instance = instance();
    let whole = instance.submit(Need::Nodes(2), None, None).unwrap();
    let small = instance.submit(Need::cores(1), None, None).unwrap();
    let other = instance.submit(Need::cores(1), None, None).unwrap();
    assert_eq!(instance.ranks_of(whole).to_string(), "0-1");
    assert_eq!(instance.ranks_of(small).to_string(), "2");
    assert_eq!(instance.ranks_of(other).to_string(), "2");
}

#[test]
fn a_lost_rank_fails_its_jobs_and_stays_down() {
    let mut instance = instance();
    let job = instance.submit(Need::Nodes(2), None, None).unwrap();
    instance.lose(1);
    assert_eq!(instance.state(job), None);
    assert_eq!(instance.ended(None).unwrap().failed, 1);
    assert_eq!(instance.down().to_string(), "1");
    assert_eq!(instance.all().len(), 8);
}

#[test]
fn a_draining_node_is_down_and_allocated_and_gets_no_new_job() {
    let mut instance = instance();
    let job = instance.submit(Need::cores(1), None, None).unwrap();
    instance.drain(&Idset::range(0, 0), "test", 1.0);
    let next = instance.submit(Need::cores(1), None, None).unwrap();
    assert_eq!(instance.ranks_of(job).to_string(), "0");
    assert_eq!(instance.ranks_of(next).to_string(), "1");
    let tallies = instance.tallies(None).unwrap();
    assert_eq!((tallies.down.nodes, tallies.allocated.nodes, tallies.free.nodes), (1, 2, 7));
}

#[test]
fn a_job_that_cannot_start_does_not_hold_up_the_next_ones() {
    let mut instance = instance();
    let large = instance.submit(Need::Nodes(7), Some("batch"), None).unwrap();
    let small = instance.submit(Need::Nodes(1), Some("batch"), None).unwrap();
    assert_eq!(instance.state(large), Some(State::Sched));
    assert_eq!(instance.state(small), Some(State::Run));
}
