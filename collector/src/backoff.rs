//! Waits that grow while something keeps failing, and are never the same for two collectors.

use std::time::Duration;

/// Doubling waits from [`Backoff::FIRST`] to [`Backoff::CAP`], each shortened at random by up to a
/// half, so that a thousand collectors do not come back in the same millisecond.
#[derive(Debug)]
pub(crate) struct Backoff(Duration);

impl Backoff {
    /// The first wait.
    pub(crate) const FIRST: Duration = Duration::from_millis(100);

    /// The longest wait: what comes back is noticed within 5 s.
    pub(crate) const CAP: Duration = Duration::from_secs(5);

    /// Starts with the first wait.
    pub(crate) const fn new() -> Self {
        Self(Self::FIRST)
    }

    /// How long to wait now.
    pub(crate) fn next_wait(&mut self) -> Duration {
        let full = self.0;
        self.0 = (full * 2).min(Self::CAP);
        full.mul_f64(1.0 - fastrand::f64() / 2.0)
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
