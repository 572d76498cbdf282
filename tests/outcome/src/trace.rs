//! Traces: which jobs come when, on which kind of nodes.
//!
//! Made by formulas with fixed seeds, so that everybody plays the same ones.

use flux_simulator::instance::{Need, Shape};

use crate::Second;

/// A job that somebody submits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// When.
    pub arrives: Second,
    /// What it asks for.
    pub need: Need,
    /// How long it runs.
    pub runs: Second,
}

/// Jobs, and the instance that they are for.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The name.
    pub name: &'static str,
    /// What it is like, in a line.
    pub what: &'static str,
    /// The largest MiniCluster, and what a node has.
    pub shape: Shape,
    /// In the order in which they come.
    pub jobs: Vec<Job>,
}

const MINUTE: Second = 60;
const HOUR: Second = 60 * MINUTE;

/// Nodes of 16 cores.
const PLAIN: Shape = Shape { size: 32, cores: 16, gpus: 0 };

impl Trace {
    /// All traces, of one of many seeds. The first is that of the table.
    pub fn all(seed: u64) -> Vec<Self> {
        let random = |nth| Random(seed.wrapping_mul(4).wrapping_add(nth));
        vec![
            Self::bursty(random(1)),
            Self::diurnal(random(2)),
            Self::long_tail(random(3)),
            Self::mixed_gpu(random(4)),
        ]
    }

    /// Ensembles: every 40 minutes on average somebody submits many alike jobs at once.
    fn bursty(mut random: Random) -> Self {
        let (mut jobs, mut at) = (Vec::new(), 0);
        while at < 12 * HOUR {
            let (count, nodes) = (random.between(6, 24), random.between(1, 4));
            let runs = random.between(5 * MINUTE, 20 * MINUTE);
            for _ in 0..count {
                let arrives = at + random.between(0, 30);
                let runs = runs + random.between(0, runs / 5);
                jobs.push(Job { arrives, need: Need::Nodes(nodes), runs });
            }
            at += MINUTE + random.exponential(40 * MINUTE);
        }
        let what = "12 h; every 40 min 6 to 24 alike jobs of 1 to 4 nodes, 5 to 24 min each";
        Self::new("bursty", what, PLAIN, jobs)
    }

    /// People: many jobs by day, few by night.
    fn diurnal(mut random: Random) -> Self {
        let (mut jobs, mut at) = (Vec::new(), 0);
        while at < 24 * HOUR {
            let day = f64::from(at) / f64::from(24 * HOUR) * std::f64::consts::TAU;
            // Jobs an hour: 1 at midnight, 13 at noon.
            let rate = 7.0 - 6.0 * day.cos();
            at += 1 + random.exponential((f64::from(HOUR) / rate) as Second);
            let need = match random.between(0, 3) {
                0 => Need::cores(random.between(1, 48)),
                _ => Need::Nodes(random.between(1, 6)),
            };
            jobs.push(Job { arrives: at, need, runs: random.between(5 * MINUTE, 60 * MINUTE) });
        }
        let what = "24 h; 1 job an hour at midnight, 13 at noon, 1 to 6 nodes or up to 48 cores, 5 to 60 min";
        Self::new("diurnal", what, PLAIN, jobs)
    }

    /// Most jobs are short and small, a few are neither.
    fn long_tail(mut random: Random) -> Self {
        let (mut jobs, mut at) = (Vec::new(), 0);
        while at < 12 * HOUR {
            at += 1 + random.exponential(4 * MINUTE);
            let runs = random.pareto(3 * MINUTE, 1.1).min(6 * HOUR);
            let need = match random.between(0, 9) {
                0 => Need::Nodes(random.between(4, 12)),
                1..=4 => Need::Nodes(random.between(1, 2)),
                _ => Need::cores(random.between(1, 16)),
            };
            jobs.push(Job { arrives: at, need, runs });
        }
        let what = "12 h; a job every 4 min, most short and small, a few of 6 h or of 12 nodes";
        Self::new("long tail", what, PLAIN, jobs)
    }

    /// Trainings on GPUs beside whole nodes and work on cores alone.
    fn mixed_gpu(mut random: Random) -> Self {
        let (mut jobs, mut at) = (Vec::new(), 0);
        while at < 12 * HOUR {
            at += 1 + random.exponential(6 * MINUTE);
            let need = match random.between(0, 5) {
                0 => Need::Nodes(random.between(1, 4)),
                1 | 2 => Need::cores(random.between(4, 64)),
                _ => Need::Slots { count: random.between(1, 8), cores: 4, gpus: 1 },
            };
            jobs.push(Job { arrives: at, need, runs: random.between(10 * MINUTE, 90 * MINUTE) });
        }
        let what = "12 h; a job every 6 min: 1 to 8 GPUs, or 4 to 64 cores, or 1 to 4 whole nodes, 10 to 90 min";
        let shape = Shape { size: 32, cores: 32, gpus: 4 };
        Self::new("mixed GPU", what, shape, jobs)
    }

    fn new(name: &'static str, what: &'static str, shape: Shape, mut jobs: Vec<Job>) -> Self {
        jobs.sort_by_key(|job| job.arrives);
        Self { name, what, shape, jobs }
    }
}

/// SplitMix64: the same numbers on every machine and with every release.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to below 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A whole number, both ends included.
    fn between(&mut self, least: u32, most: u32) -> u32 {
        least + (self.next() % u64::from(most - least + 1)) as u32
    }

    /// Time until something happens that happens once in `mean` on average.
    fn exponential(&mut self, mean: Second) -> Second {
        (-f64::from(mean) * (1.0 - self.unit()).ln()) as Second
    }

    /// Mostly little more than `least`, at times very much more.
    fn pareto(&mut self, least: Second, shape: f64) -> Second {
        (f64::from(least) / (1.0 - self.unit()).powf(1.0 / shape)).min(1e9) as Second
    }
}
