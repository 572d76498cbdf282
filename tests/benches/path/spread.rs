//! Durations of many requests, and where they lie.

use std::time::Duration;

/// Durations in nanoseconds.
#[derive(Debug, Default)]
pub(crate) struct Spread(Vec<u64>);

impl Spread {
    pub(crate) fn add(&mut self, duration: Duration) {
        self.0.push(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.0.extend(&other.0);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The duration that this part of all, in percent, does not exceed.
    pub(crate) fn percentile(&mut self, percent: usize) -> Duration {
        self.0.sort_unstable();
        let at = (self.0.len() * percent / 100).min(self.0.len().saturating_sub(1));
        Duration::from_nanos(self.0.get(at).copied().unwrap_or_default())
    }
}

/// The middle one of some numbers.
pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

/// How long processors have been busy with this process, to 10 ms.
pub(crate) fn busy() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    // The second field is a name in parentheses; those of times in and for this process come 12th and
    // 13th after it, in hundredths of a second.
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let times = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = times.map(|time| time.parse::<u64>().expect("a number")).sum();
    Duration::from_millis(ticks * 10)
}

/// The share of one in a time that many have taken.
pub(crate) fn each(time: Duration, count: usize) -> Duration {
    time / u32::try_from(count.max(1)).unwrap_or(u32::MAX)
}

/// Microseconds, for a table.
pub(crate) fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// Times a second.
#[allow(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^53")]
pub(crate) fn rate(count: usize, duration: Duration) -> f64 {
    count as f64 / duration.as_secs_f64()
}
