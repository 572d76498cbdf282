//! What one answer costs: `cargo bench -p flux-demand`.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "a benchmark prints"
)]
#![expect(clippy::disallowed_types, reason = "it measures real time")]

use std::{collections::BTreeMap, hint::black_box, time::Instant};

use flux_client::{Idset, ResourceSet};
use flux_demand::{Demand, Instance, Job, MAX_JOBS, Request};

fn main() {
    report("10,000 alike jobs, 1,000 ranks", 1_000, 10_000, |_| Request::whole_nodes(2));
    report("10,000 jobs of 64 kinds, 1,000 ranks", 1_000, 10_000, |job| {
        Request::slots(1 + job % 16, 1 + job / 16 % 4, 0)
    });
    report("10,000 jobs, no two alike, 1,000 ranks", 1_000, 10_000, |job| {
        Request::slots(1, 1 + job % 128, job / 128)
    });
    report("the most jobs, no two alike, 4,000 ranks", 4_000, MAX_JOBS as u32, |job| {
        Request::slots(1, 1 + job % 128, job / 128)
    });
}

fn report(what: &str, ranks: u32, jobs: u32, request: impl Fn(u32) -> Request) {
    let json = format!(
        r#"{{"version":1,"execution":{{"R_lite":[{{"rank":"0-{}",
           "children":{{"core":"0-127","gpu":"0-127"}}}}]}}}}"#,
        ranks - 1
    );
    let all = ResourceSet::from_json(json.as_bytes()).unwrap();
    let allocated = all.restrict(&(0..ranks).step_by(2).collect());
    let instance = Instance::new(all, &allocated, &Idset::new()).unwrap();
    let jobs: Vec<_> = (0..jobs)
        .map(|job| Job {
            request: Some(request(job)),
            constraint: None,
            queue: None,
            held: false,
            submitted: 0.0,
            duration: 60.0,
        })
        .collect();
    let mut times: Vec<_> = (0..11)
        .map(|_| {
            let start = Instant::now();
            let demand = Demand::of(black_box(&instance), &BTreeMap::new(), true, &jobs, 0.0);
            let error = black_box(demand).err();
            (start.elapsed(), error)
        })
        .collect();
    times.sort_by_key(|(time, _)| *time);
    let (median, error) = times.swap_remove(times.len() / 2);
    let outcome = error.map_or_else(|| "answered".to_owned(), |error| error.to_string());
    println!("{what:42} {:8.2} ms   {outcome}", median.as_secs_f64() * 1e3);
}
