//! Waits that grow while something keeps failing, and are never the same for two collectors.

use std::time::Duration;

/// Doubling waits from [`Backoff::FIRST`] to [`Backoff::CAP`], each shortened at random by up to a
/// half, so that a thousand collectors do not come back in the same millisecond.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    /// All that was waited.
    waited: Duration,
}

impl Backoff {
    /// The first wait.
    pub(crate) const FIRST: Duration = Duration::from_millis(100);

    /// The longest wait: what comes back is noticed within 5 s.
    pub(crate) const CAP: Duration = Duration::from_secs(5);

    /// After so long a service that is not there is one that this Flux does not have.
    const STARTS_WITHIN: Duration = Duration::from_secs(60);

    /// How often that is asked for then.
    const RARELY: Duration = Duration::from_secs(60);

    /// Starts with the first wait.
    pub(crate) const fn new() -> Self {
        Self { next: Self::FIRST, waited: Duration::ZERO }
    }

    /// How long to wait now.
    pub(crate) fn next_wait(&mut self) -> Duration {
        let full = self.next;
        self.next = (full * 2).min(Self::CAP);
        let wait = full.mul_f64(1.0 - fastrand::f64() / 2.0);
        self.waited += wait;
        wait
    }

    /// Waits for a service that nobody has: a broker may be starting, or of an older Flux.
    pub(crate) async fn wait_for_service(&mut self) {
        let rare = self.waited >= Self::STARTS_WITHIN;
        let wait = self.next_wait();
        tokio::time::sleep(if rare { Self::RARELY } else { wait }).await;
    }

    /// Waits.
    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(self.next_wait()).await;
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_service_that_never_comes_is_asked_for_rarely() {
        let mut backoff = Backoff::new();
        let start = tokio::time::Instant::now();
        let mut asked = 0;
        while start.elapsed() < Duration::from_secs(60 * 60) {
            backoff.wait_for_service().await;
            asked += 1;
        }
        assert!((60..100).contains(&asked), "{asked} times in an hour");
    }

    #[test]
    fn waits_grow_to_the_cap_and_stay_there() {
        let mut backoff = Backoff::new();
        let mut full = Backoff::FIRST;
        for _ in 0..20 {
            let wait = backoff.next_wait();
            assert!(full / 2 <= wait && wait <= full, "{wait:?} is not within {full:?}");
            full = (full * 2).min(Backoff::CAP);
        }
    }
}
