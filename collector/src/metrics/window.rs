//! Averages over the last minutes. No clock: moments are counted from any fixed one, and do not go back.

use std::{collections::VecDeque, time::Duration};

use crate::state::{Key, Values};

/// The longest of the windows.
const LONGEST: Duration = Duration::from_secs(300);

/// The windows of the catalogue, whose metrics end in `_1m` and `_5m`.
const WINDOWS: [Duration; 2] = [Duration::from_secs(60), LONGEST];

/// Averages over each of the windows; `None` while it is not full.
pub type Averages = [Option<f64>; WINDOWS.len()];

/// Puts those that are known, each by its metric.
pub fn put(values: &mut Values, metrics: [&'static str; WINDOWS.len()], averages: Averages) {
    let known = metrics.into_iter().zip(averages);
    values.extend(known.filter_map(|(metric, average)| Some((Key::instance(metric), average?))));
}

/// Between two points that are kept; between them a straight line is as good. 62 points are 1.5 kB.
const STEP: Duration = Duration::from_secs(5);

/// How fast a total grows.
#[derive(Clone, Debug, Default)]
pub struct Growth {
    /// Moments and totals, the newest apart.
    points: VecDeque<(Duration, f64)>,
    newest: Option<(Duration, f64)>,
}

impl Growth {
    /// Takes the total at a moment. One that is smaller than before is that of another count.
    pub fn feed(&mut self, moment: Duration, total: f64) {
        if self.newest.is_some_and(|(_, before)| total < before) {
            self.points.clear();
        }
        self.newest = Some((moment, total));
        if self.points.back().is_none_or(|(last, _)| moment.saturating_sub(*last) >= STEP) {
            self.points.push_back((moment, total));
        }
        // The one before the window is needed as well.
        while self.points.get(1).is_some_and(|(second, _)| moment.saturating_sub(*second) > LONGEST)
        {
            self.points.pop_front();
        }
    }

    /// Growth in a second, on average over each of the windows before the last moment.
    pub fn averages(&self) -> Averages {
        WINDOWS.map(|window| self.over(window))
    }

    /// The same over one `window`; `None` while less than that is known.
    fn over(&self, window: Duration) -> Option<f64> {
        let (now, total) = self.newest?;
        let from = now.checked_sub(window)?;
        let at = self.points.partition_point(|(moment, _)| *moment <= from);
        let (before, low) = *self.points.get(at.checked_sub(1)?)?;
        let (after, high) = *self.points.get(at).unwrap_or(&(now, total));
        let part = (from - before).as_secs_f64() / (after - before).as_secs_f64().max(f64::EPSILON);
        let start = (high - low).mul_add(part, low);
        Some((total - start) / window.as_secs_f64())
    }
}

/// The average of a value, weighted by how long it lasted.
#[derive(Clone, Debug, Default)]
pub struct Average {
    last: Option<(Duration, f64)>,
    /// Value × seconds.
    sum: f64,
    growth: Growth,
}

impl Average {
    /// Takes the value from a moment on; `None`: it is not known, and nothing before counts.
    pub fn feed(&mut self, moment: Duration, value: Option<f64>) {
        let Some(value) = value else {
            *self = Self::default();
            return;
        };
        if let Some((since, before)) = self.last {
            self.sum += before * moment.saturating_sub(since).as_secs_f64();
        }
        self.last = Some((moment, value));
        self.growth.feed(moment, self.sum);
    }

    /// The averages over each of the windows before the last moment.
    pub fn averages(&self) -> Averages {
        self.growth.averages()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    impl Average {
        fn over(&self, window: Duration) -> Option<f64> {
            self.growth.over(window)
        }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn an_average_weighs_each_value_by_its_time_and_is_absent_before_its_window_is_full() {
        let mut average = Average::default();
        average.feed(at(100), Some(4.0));
        average.feed(at(159), Some(4.0));
        assert_eq!(average.over(MINUTE), None);
        average.feed(at(160), Some(10.0));
        assert_eq!(average.over(MINUTE), Some(4.0));
        // 4 for 30 s, 10 for 30 s.
        average.feed(at(190), Some(0.0));
        assert_eq!(average.over(MINUTE), Some(7.0));
        assert_eq!(average.over(5 * MINUTE), None);
        average.feed(at(400), Some(0.0));
        assert_eq!(average.over(MINUTE), Some(0.0));
        assert_eq!(average.over(5 * MINUTE), Some((4.0 * 60.0 + 10.0 * 30.0) / 300.0));
    }

    #[test]
    fn a_value_that_was_unknown_leaves_no_average_until_the_window_is_full_again() {
        let mut average = Average::default();
        for second in [0, 30, 60, 90] {
            average.feed(at(second), Some(1.0));
        }
        assert_eq!(average.over(MINUTE), Some(1.0));
        average.feed(at(91), None);
        average.feed(at(92), Some(1.0));
        assert_eq!(average.over(MINUTE), None);
        average.feed(at(152), Some(1.0));
        assert_eq!(average.over(MINUTE), Some(1.0));
    }

    #[test]
    fn a_count_that_began_anew_is_another_one() {
        let mut growth = Growth::default();
        (0..=30).for_each(|n| growth.feed(at(10 * n), 5.0 * n as f64));
        assert_eq!(growth.over(MINUTE), Some(0.5));
        assert_eq!(growth.over(5 * MINUTE), Some(0.5));
        growth.feed(at(301), 0.0);
        assert_eq!(growth.over(MINUTE), None);
    }

    #[test]
    fn no_more_points_are_kept_than_the_longest_window_needs() {
        let mut growth = Growth::default();
        for step in 0..100_000_u32 {
            growth.feed(Duration::from_millis(100) * step, f64::from(step));
            assert!(growth.points.len() <= 63, "{}", growth.points.len());
        }
        assert!((growth.over(5 * MINUTE).unwrap() - 10.0).abs() < 1e-9);
    }
}
