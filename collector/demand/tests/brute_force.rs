//! Against every placement that there is, on instances small enough to try them all.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test that fails panics"
)]

use std::collections::BTreeMap;

use flux_client::{Idset, ResourceSet};
use flux_demand::{Demand, Instance, Job, Nodes, Request};
use proptest::prelude::*;

const RANKS: u32 = 5;
const CORES: u32 = 3;
const GPUS: u32 = 1;

/// An instance as the brute force sees it.
#[derive(Clone, Debug)]
struct World {
    /// Cores that running jobs hold, lowest first, by rank.
    held: Vec<u32>,
    unusable: Vec<bool>,
    jobs: Vec<Request>,
}

impl World {
    fn instance(&self) -> Instance {
        let set = |entries: Vec<String>| {
            let json =
                format!(r#"{{"version":1,"execution":{{"R_lite":[{}]}}}}"#, entries.join(","));
            ResourceSet::from_json(json.as_bytes()).unwrap()
        };
        let (core, gpu) = (CORES - 1, GPUS - 1);
        let all = set(vec![format!(
            r#"{{"rank":"0-{}","children":{{"core":"0-{core}","gpu":"0-{gpu}"}}}}"#,
            RANKS - 1
        )]);
        let busy = (0..).zip(&self.held).filter(|(_, cores)| **cores > 0);
        let allocated = set(busy
            .map(|(rank, cores)| {
                format!(r#"{{"rank":"{rank}","children":{{"core":"0-{}"}}}}"#, cores - 1)
            })
            .collect());
        let unusable: Idset =
            (0..).zip(&self.unusable).filter(|(_, down)| **down).map(|(rank, _)| rank).collect();
        Instance::new(all, &allocated, &unusable).unwrap()
    }

    fn measure(&self) -> Demand {
        let job = |request: &Request| Job {
            request: Some(*request),
            constraint: None,
            queue: None,
            held: false,
            submitted: 0.0,
            duration: 0.0,
        };
        let jobs: Vec<_> = self.jobs.iter().map(job).collect();
        Demand::of(&self.instance(), &BTreeMap::new(), true, &jobs, 0.0).unwrap()
    }

    fn size(&self) -> u32 {
        self.measure().size.unwrap()
    }

    /// What is free on the first `n` ranks, for jobs that may have them.
    fn free(&self, n: u32, empty: bool) -> Vec<[u32; 2]> {
        let ranks = self.held.iter().zip(&self.unusable).take(n as usize);
        ranks
            .map(|(held, down)| match (down, empty) {
                (true, _) => [0, 0],
                (false, true) => [CORES, GPUS],
                (false, false) => [CORES - held, GPUS],
            })
            .collect()
    }

    /// Whether these jobs have room at once on the first `n` ranks, in whatever way.
    fn has_room(&self, jobs: &[Request], n: u32, empty: bool) -> bool {
        place(&mut self.free(n, empty), jobs)
    }

    /// The jobs that have room on the instance when nothing else runs.
    fn satisfiable(&self) -> Vec<Request> {
        let fits = |job: &&Request| self.has_room(&[**job], RANKS, true);
        self.jobs.iter().filter(fits).copied().collect()
    }

    /// 1 + the highest rank that is in use, at least 1.
    fn safe(&self) -> u32 {
        (0..)
            .zip(&self.held)
            .filter(|(_, cores)| **cores > 0)
            .map(|(r, _)| r + 1)
            .max()
            .unwrap_or(1)
    }

    /// The smallest size that has room for all jobs that ever have.
    fn optimum(&self) -> Option<u32> {
        let jobs = self.satisfiable();
        (self.safe()..=RANKS).find(|n| self.has_room(&jobs, *n, false))
    }
}

/// Tries every placement.
fn place(free: &mut [[u32; 2]], jobs: &[Request]) -> bool {
    let Some((job, rest)) = jobs.split_first() else { return true };
    let gpus = job.gpus.unwrap();
    match job.nodes {
        Some(Nodes { count, exclusive }) => {
            let each = [job.cores * job.slots, gpus * job.slots];
            nodes(free, 0, count, each, exclusive, rest)
        }
        None => slots(free, 0, job.slots, [job.cores, gpus], rest),
    }
}

fn nodes(
    free: &mut [[u32; 2]],
    from: usize,
    count: u32,
    each: [u32; 2],
    exclusive: bool,
    rest: &[Request],
) -> bool {
    if count == 0 {
        return place(free, rest);
    }
    for rank in from..free.len() {
        let before = free[rank];
        if before[0] < each[0] || before[1] < each[1] || (exclusive && before != [CORES, GPUS]) {
            continue;
        }
        free[rank] = if exclusive { [0, 0] } else { [before[0] - each[0], before[1] - each[1]] };
        if nodes(free, rank + 1, count - 1, each, exclusive, rest) {
            return true;
        }
        free[rank] = before;
    }
    false
}

fn slots(free: &mut [[u32; 2]], from: usize, count: u32, each: [u32; 2], rest: &[Request]) -> bool {
    if count == 0 {
        return place(free, rest);
    }
    for rank in from..free.len() {
        let before = free[rank];
        if before[0] < each[0] || before[1] < each[1] {
            continue;
        }
        free[rank] = [before[0] - each[0], before[1] - each[1]];
        if slots(free, rank, count - 1, each, rest) {
            return true;
        }
        free[rank] = before;
    }
    false
}

fn request() -> impl Strategy<Value = Request> {
    let whole = (1..=RANKS + 1).prop_map(Request::whole_nodes);
    let shared =
        (1..=RANKS, 1..=2_u32, 1..=2_u32, 0..=GPUS).prop_map(|(count, slots, cores, gpus)| {
            Request {
                nodes: Some(Nodes { count, exclusive: false }),
                slots,
                cores,
                gpus: Some(gpus),
            }
        });
    prop_oneof![whole, shared, slots_of_a_job()]
}

fn slots_of_a_job() -> impl Strategy<Value = Request> {
    (1..=4_u32, 0..=CORES + 1, 0..=GPUS)
        .prop_filter("something is asked for", |(_, cores, gpus)| cores + gpus > 0)
        .prop_map(|(slots, cores, gpus)| Request::slots(slots, cores, gpus))
}

fn world(jobs: impl Strategy<Value = Vec<Request>>) -> impl Strategy<Value = World> {
    let ranks = RANKS as usize;
    // Mostly idle and usable.
    let held = prop::collection::vec(prop_oneof![3 => Just(0), 1 => 1..=CORES], ranks);
    let unusable = prop::collection::vec(prop::bool::weighted(0.2), ranks);
    (held, unusable, jobs).prop_map(|(held, unusable, jobs)| World { held, unusable, jobs })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_size_has_room_for_all_jobs_or_is_all_that_would_help(
        world in world(prop::collection::vec(request(), 0..5))
    ) {
        let (size, optimum) = (world.size(), world.optimum());
        prop_assert!(size >= world.safe() && size <= RANKS);
        match optimum {
            Some(optimum) => {
                prop_assert!(size >= optimum, "{} jobs have no room on {size} ranks", world.jobs.len());
                prop_assert!(world.has_room(&world.satisfiable(), size, false));
            }
            // No size is enough: then every rank that would do is wanted.
            None => {
                let highest = (0..RANKS).filter(|rank| !world.unusable[*rank as usize]).max();
                prop_assert!(size >= highest.map_or(1, |rank| rank + 1));
            }
        }
        let unsatisfiable = world.jobs.len() - world.satisfiable().len();
        prop_assert_eq!(world.measure().instance.unsatisfiable, unsatisfiable as u64);
    }

    #[test]
    fn alike_slots_get_the_smallest_size(
        world in world((slots_of_a_job(), 0..5_usize).prop_map(|(job, count)| vec![job; count]))
    ) {
        if let Some(optimum) = world.optimum() {
            prop_assert_eq!(world.size(), optimum);
        }
    }

    #[test]
    fn whole_nodes_and_single_cores_get_the_smallest_size(
        world in world(prop_oneof![
            prop::collection::vec((1..=RANKS).prop_map(Request::whole_nodes), 0..4),
            prop::collection::vec((1..=4_u32).prop_map(|n| Request::slots(n, 1, 0)), 0..5),
        ])
    ) {
        if let Some(optimum) = world.optimum() {
            prop_assert_eq!(world.size(), optimum);
        }
    }

    #[test]
    fn one_more_job_at_the_end_never_makes_it_smaller(
        world in world(prop::collection::vec(request(), 1..6))
    ) {
        let mut before = world.clone();
        before.jobs.pop();
        prop_assert!(before.size() <= world.size());
        let (before, after) = (before.measure().instance, world.measure().instance);
        prop_assert!(before.nodes <= after.nodes && before.cores <= after.cores);
        prop_assert!(before.gpus <= after.gpus && before.largest <= after.largest);
    }

    #[test]
    fn a_job_that_starts_where_it_was_expected_leaves_the_size(
        world in world(prop::collection::vec((1..=2_u32).prop_map(Request::whole_nodes), 1..4))
    ) {
        // The first job runs on the lowest idle ranks.
        let size = world.size();
        let mut started = world.clone();
        let job = started.jobs.remove(0);
        let idle: Vec<usize> = (0..RANKS as usize)
            .filter(|rank| world.held[*rank] == 0 && !world.unusable[*rank])
            .collect();
        let count = job.nodes.unwrap().count as usize;
        prop_assume!(idle.len() >= count);
        idle[..count].iter().for_each(|rank| started.held[*rank] = CORES);
        prop_assert!(started.size() <= size);
    }
}
