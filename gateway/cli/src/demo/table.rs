//! What is shown: some numbers of one MiniCluster, their newest readings and the last minute.
//!
//! Pure: readings go in, `screen` draws what is there.

use std::collections::VecDeque;

use crate::demo::reader::Reading;

/// Readings that a row remembers: as many as fit beside name and number in 80 columns.
pub const REMEMBERED: usize = 38;

/// The metrics of an instance, in groups. With a header and a footer they fit 24 lines.
const METRICS: [&[&str]; 4] = [
    &["node_up_count", "node_free_count", "node_allocated_count"],
    &["node_cores_up_count", "node_cores_free_count"],
    &[
        "job_queue_state_depend_count",
        "job_queue_state_sched_count",
        "job_queue_state_run_count",
        "job_queue_state_cleanup_count",
        "job_queue_state_inactive_count",
    ],
    &["pending_nodes_demand", "cluster_size_desired", "cluster_size_min_safe"],
];

/// One metric, or another number.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// Whether it begins a group.
    pub leads: bool,
    /// The newest reading; none before the first.
    pub latest: Option<Reading>,
    /// The last [`REMEMBERED`] readings, the newest last; `None` where there was no value.
    pub history: VecDeque<Option<f64>>,
}

/// All rows.
#[derive(Clone, Debug)]
pub struct Table {
    /// In the order in which they are shown.
    pub rows: Vec<Row>,
}

/// What a round of readings changed, as plain lines tell it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Change {
    /// New values.
    pub values: Vec<(&'static str, f64)>,
    /// Reasons why there is no value any more, each with the metrics that it holds for.
    pub losses: Vec<(String, Vec<&'static str>)>,
    /// What else is to be told, a line each.
    pub news: Vec<String>,
}

impl Default for Table {
    /// The metrics of an instance, before the first reading.
    fn default() -> Self {
        Self::new(&METRICS)
    }
}

impl Table {
    /// Numbers of these names, in groups, before the first reading.
    pub fn new(groups: &[&[&'static str]]) -> Self {
        let row = |leads, name| Row { name, leads, latest: None, history: VecDeque::new() };
        let rows = groups
            .iter()
            .flat_map(|group| group.iter().enumerate().map(move |(n, name)| row(n == 0, *name)));
        Self { rows: rows.collect() }
    }

    /// Takes one reading for each row.
    pub fn update(&mut self, readings: Vec<Reading>) -> Change {
        let mut change = Change::default();
        for (row, reading) in self.rows.iter_mut().zip(readings) {
            if row.history.len() == REMEMBERED {
                row.history.pop_front();
            }
            let value = match reading {
                Reading::Value(value) => Some(value),
                Reading::Refused { .. } | Reading::Failed(_) => None,
            };
            row.history.push_back(value);
            if !row.latest.as_ref().is_some_and(|latest| says_the_same(latest, &reading)) {
                change.add(row.name, &reading);
            }
            row.latest = Some(reading);
        }
        change
    }
}

impl Change {
    fn add(&mut self, metric: &'static str, reading: &Reading) {
        if let Reading::Value(value) = reading {
            self.values.push((metric, *value));
            return;
        }
        let reason = reason(metric, reading);
        match self.losses.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, metrics)) => metrics.push(metric),
            None => self.losses.push((reason, vec![metric])),
        }
    }
}

/// Why there is no value, with `METRIC` for the metric's name in Kubernetes' own words, so that
/// metrics without a value for the same reason read the same.
fn reason(metric: &str, reading: &Reading) -> String {
    reading.to_string().replace(&format!(" {metric} "), " METRIC ")
}

/// Whether nothing has changed but an age, which does so every second.
fn says_the_same(one: &Reading, other: &Reading) -> bool {
    let words = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "");
    match (one, other) {
        (Reading::Refused { code, message }, Reading::Refused { code: other, message: second }) => {
            code == other && words(message) == words(second)
        }
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn old(metric: &str, age: u32) -> Reading {
        let message = format!(
            "the server could not find the metric {metric} for pods p: last sample is {age}s old"
        );
        Reading::Refused { code: 404, message }
    }

    fn all(table: &Table, reading: impl Fn(&str) -> Reading) -> Vec<Reading> {
        table.rows.iter().map(|row| reading(row.name)).collect()
    }

    #[test]
    fn only_what_changed_is_told() {
        let mut table = Table::default();
        let rows = table.rows.len();
        let change = table.update(all(&table, |_| Reading::Value(1.0)));
        assert_eq!(change.values.len(), rows);
        assert_eq!(table.update(all(&table, |_| Reading::Value(1.0))), Change::default());
        let change = table.update(all(&table, |metric| {
            Reading::Value(if metric == "node_up_count" { 2.0 } else { 1.0 })
        }));
        assert_eq!(change.values, [("node_up_count", 2.0)]);
    }

    #[test]
    fn a_value_that_is_lost_is_told_once_for_all_metrics_and_not_as_it_ages() {
        let mut table = Table::default();
        table.update(all(&table, |_| Reading::Value(1.0)));
        let change = table.update(all(&table, |metric| old(metric, 9)));
        let [(reason, metrics)] = change.losses.as_slice() else { panic!("{change:?}") };
        assert_eq!(
            reason,
            "404 the server could not find the metric METRIC for pods p: last sample is 9s old"
        );
        assert_eq!(metrics.len(), table.rows.len());
        assert_eq!(table.update(all(&table, |metric| old(metric, 10))), Change::default());
    }

    #[test]
    fn the_past_is_bounded_and_has_gaps() {
        let mut table = Table::default();
        for n in 0..2 * REMEMBERED {
            let failed = n % 2 == 1;
            table.update(all(&table, |_| {
                if failed { Reading::Failed("gone".to_owned()) } else { Reading::Value(1.0) }
            }));
        }
        let history = &table.rows[0].history;
        assert_eq!(history.len(), REMEMBERED);
        assert_eq!((history[0], history[1]), (Some(1.0), None));
    }
}
