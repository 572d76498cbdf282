//! For how long nothing has happened.

use std::time::Duration;

/// The state machine, fed with whether anything happens at each moment.
#[derive(Clone, Debug, Default)]
pub struct Idle {
    since: Option<Duration>,
}

impl Idle {
    /// Nothing was seen yet.
    pub const fn new() -> Self {
        Self { since: None }
    }

    /// Takes whether anything happens at `moment`, counted from any fixed one, and gives for how long
    /// nothing has: 0 while something does. Moments do not go back.
    pub fn feed(&mut self, moment: Duration, busy: bool) -> Duration {
        if busy {
            self.since = None;
            return Duration::ZERO;
        }
        moment.saturating_sub(*self.since.get_or_insert(moment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_from_the_first_idle_moment_and_starts_over() {
        let mut idle = Idle::new();
        let feeds = [(5, false, 0), (9, false, 4), (10, true, 0), (12, false, 0), (15, false, 3)];
        for (second, busy, want) in feeds {
            let got = idle.feed(Duration::from_secs(second), busy);
            assert_eq!(got, Duration::from_secs(want), "at {second}");
        }
    }
}
