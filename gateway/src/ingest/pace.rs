//! How many samples a stream may send: as many as anybody needs, and no more than a gateway takes of
//! all its collectors.

use std::time::Duration;

use tokio::time::Instant;

/// Samples of one stream in a second, lastingly. A collector sends 20 at most while nothing changes;
/// 2,000 that send so many keep some ten cores busy.
pub(super) const MAX_SAMPLES_PER_SECOND: u32 = 100;

/// Samples at once after a quiet time, as when a thousand jobs are submitted.
pub(super) const BURST: u32 = 200;

/// What a stream has left.
#[derive(Debug)]
pub(super) struct Pace {
    left: f64,
    at: Instant,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { left: f64::from(BURST), at: now }
    }

    /// Takes one sample, and says how long its ack is to wait, so that the next one comes later. No
    /// longer than one sample's time: there is one in flight.
    pub(super) fn take(&mut self, now: Instant) -> Duration {
        let rate = f64::from(MAX_SAMPLES_PER_SECOND);
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        self.left = passed.mul_add(rate, self.left).min(f64::from(BURST)) - 1.0;
        Duration::from_secs_f64((-self.left / rate).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_and_what_lasts_has_the_pace_of_the_bound() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let mut acked = 0;
        while start.elapsed() < Duration::from_secs(10) {
            acked += 1;
            tokio::time::sleep(pace.take(Instant::now())).await;
        }
        let expected = BURST + 10 * MAX_SAMPLES_PER_SECOND;
        assert!(acked <= expected + 2, "{acked} samples, at most {expected} in 10 s");
        assert!(acked * 2 > expected, "the timer has whole milliseconds, but {acked} are too few");
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(pace.take(Instant::now()), Duration::ZERO);
    }
}
