//! All traces under all policies, as a table for people.

use std::{fmt, thread};

use crate::{
    autoscaler::PERIOD,
    play::{Outcome, oracle, play},
    pods::START,
    policy::Policy,
    trace::Trace,
};

/// What a job may wait longer than under the oracle, in seconds: until the autoscaler decides, and its
/// pods start.
pub const MOST_ADDED_WAIT: i64 = (PERIOD + START) as i64;

/// Of the oracle's node-seconds.
pub const MOST_NODE_SECONDS: f64 = 1.10;

/// One trace under one policy.
#[derive(Debug)]
pub struct Row {
    /// The trace.
    pub trace: Trace,
    /// The policy.
    pub policy: Policy,
    /// Times that a job lost a node.
    pub killed: u32,
    /// Jobs that never completed.
    pub never: usize,
    /// What the others waited longer than under the oracle, in seconds, the least first.
    pub added_waits: Vec<i64>,
    /// Node-seconds, of the oracle's.
    pub node_seconds: f64,
}

/// All of them.
#[derive(Debug)]
pub struct Report {
    /// By trace, and for each in the order of policies.
    pub rows: Vec<Row>,
    oracles: Vec<(Trace, Outcome)>,
}

impl Report {
    /// Plays everything.
    #[expect(clippy::new_without_default, reason = "it is work")]
    pub fn new() -> Self {
        let oracles: Vec<_> =
            Trace::all(0).into_iter().map(|trace| (trace.clone(), oracle(&trace))).collect();
        // A thread for each trace.
        let rows = thread::scope(|scope| {
            let of_trace = |(trace, ideal)| {
                scope.spawn(move || {
                    let row = |policy| Row::new(trace, policy, ideal);
                    Policy::all().into_iter().map(row).collect::<Vec<_>>()
                })
            };
            let threads: Vec<_> =
                oracles.iter().map(|(trace, ideal)| of_trace((trace, ideal))).collect();
            threads.into_iter().flat_map(|rows| rows.join().unwrap()).collect()
        });
        Self { rows, oracles }
    }
}

/// The recommended policy on many traces of each kind.
#[derive(Debug)]
pub struct Seeds {
    of_each: u64,
    /// Of each kind.
    rows: Vec<Vec<Row>>,
}

impl Seeds {
    /// Plays so many of each kind.
    pub fn new(of_each: u64) -> Self {
        let mut rows: Vec<Vec<Row>> = Vec::new();
        for seed in 0..of_each {
            for (nth, trace) in Trace::all(seed).iter().enumerate() {
                let policy = Policy::all().into_iter().find(|policy| policy.is_ours).unwrap();
                let row = Row::new(trace, policy, &oracle(trace));
                match rows.get_mut(nth) {
                    Some(rows) => rows.push(row),
                    None => rows.push(vec![row]),
                }
            }
        }
        Self { of_each, rows }
    }
}

impl fmt::Display for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} traces of each kind", self.of_each)?;
        for rows in &self.rows {
            let jobs: usize = rows.iter().map(|row| row.trace.jobs.len()).sum();
            let killed: u32 = rows.iter().map(|row| row.killed).sum();
            let late =
                |row: &Row| row.added_waits.iter().filter(|wait| **wait > MOST_ADDED_WAIT).count();
            let late: usize = rows.iter().map(late).sum();
            let most = rows.iter().map(|row| row.node_seconds).fold(0.0, f64::max);
            let name = rows.first().map_or("", |row| row.trace.name);
            writeln!(
                f,
                "{name:10} {jobs:6} jobs: {killed} killed, {late} over {MOST_ADDED_WAIT} s of added \
                 wait, at most {most:.2} of the oracle's node-seconds"
            )?;
        }
        Ok(())
    }
}

impl Row {
    fn new(trace: &Trace, policy: Policy, ideal: &Outcome) -> Self {
        let outcome = play(trace, &policy);
        let both = outcome.waits.iter().zip(&ideal.waits);
        let mut added_waits: Vec<_> = both
            .filter_map(|(own, ideal)| Some(i64::from((*own)?) - i64::from((*ideal)?)))
            .collect();
        added_waits.sort_unstable();
        Self {
            trace: trace.clone(),
            policy,
            killed: outcome.killed,
            never: outcome.waits.iter().filter(|wait| wait.is_none()).count(),
            added_waits,
            node_seconds: outcome.node_seconds as f64 / ideal.node_seconds as f64,
        }
    }

    /// The added wait that this part of the jobs, in percent, does not exceed.
    pub fn added_wait(&self, percent: usize) -> i64 {
        let last = self.added_waits.len().saturating_sub(1);
        self.added_waits.get(last * percent / 100).copied().unwrap_or_default()
    }

    /// Mean, 95th percentile and most, for a table.
    fn waits(&self) -> String {
        if self.added_waits.is_empty() {
            return "– | – | –".to_owned();
        }
        format!("{:.0} s | {} s | {} s", self.mean(), self.added_wait(95), self.added_wait(100))
    }

    fn mean(&self) -> f64 {
        self.added_waits.iter().sum::<i64>() as f64 / self.added_waits.len().max(1) as f64
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| trace | jobs | oracle: mean wait | oracle: node-hours |")?;
        writeln!(f, "| --- | ---: | ---: | ---: |")?;
        for (trace, ideal) in &self.oracles {
            let waits: u64 = ideal.waits.iter().flatten().map(|wait| u64::from(*wait)).sum();
            writeln!(
                f,
                "| {}: {} | {} | {:.0} s | {:.0} |",
                trace.name,
                trace.what,
                trace.jobs.len(),
                waits as f64 / trace.jobs.len() as f64,
                ideal.node_seconds as f64 / 3600.0
            )?;
        }
        writeln!(f)?;
        writeln!(
            f,
            "| trace | policy | killed | never run | added wait: mean | p95 | most | node-seconds |"
        )?;
        writeln!(f, "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")?;
        for row in &self.rows {
            writeln!(
                f,
                "| {} | {} | {} | {} | {} | {:.2} |",
                row.trace.name,
                row.policy.name,
                row.killed,
                row.never,
                row.waits(),
                row.node_seconds
            )?;
        }
        Ok(())
    }
}
