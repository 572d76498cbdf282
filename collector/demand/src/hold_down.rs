//! A size that rises at once and falls late.
//!
//! Between two jobs a rank is idle for a moment, in which nobody should take its pod away: a size
//! falls only after everything above it was idle for a while.

use std::{collections::VecDeque, time::Duration};

/// Sizes that are remembered while they wait to count. With more, the newest ones are taken for one,
/// which falls later.
pub const MAX_STEPS: usize = 64;

/// The state machine, fed with what the size would be at each moment.
///
/// ```
/// use std::time::Duration;
/// use flux_demand::HoldDown;
///
/// let mut size = HoldDown::new(Duration::from_secs(30));
/// let mut at = |second, raw| size.feed(Duration::from_secs(second), raw);
/// assert_eq!(at(0, 8), 8);
/// assert_eq!(at(10, 3), 8); // ranks 3 to 7 are idle from now on
/// assert_eq!(at(39, 3), 8);
/// assert_eq!(at(40, 3), 3);
/// assert_eq!(at(41, 9), 9); // it rises at once
/// ```
#[derive(Clone, Debug)]
pub struct HoldDown {
    period: Duration,
    /// Falling sizes, each with the moment since when nothing larger was seen. The first one counts.
    steps: VecDeque<(u32, Duration)>,
}

impl HoldDown {
    /// Falls after `period`.
    pub const fn new(period: Duration) -> Self {
        Self { period, steps: VecDeque::new() }
    }

    /// Takes what the size would be at `moment`, counted from any fixed one, and gives the size that
    /// counts. Moments do not go back.
    pub fn feed(&mut self, moment: Duration, size: u32) -> u32 {
        let mut since = moment;
        while let Some((_, earlier)) = self.steps.back().filter(|(step, _)| *step <= size) {
            since = *earlier;
            self.steps.pop_back();
        }
        if self.steps.len() >= MAX_STEPS {
            // Falls as late as if the last step had begun only now.
            self.steps.pop_back();
            since = moment;
        }
        self.steps.push_back((size, since));
        while let Some((_, next)) = self.steps.get(1)
            && moment.saturating_sub(*next) >= self.period
        {
            self.steps.pop_front();
        }
        self.steps.front().map_or(size, |(size, _)| *size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLD: Duration = Duration::from_secs(30);

    fn run(feeds: &[(u64, u32)]) -> Vec<u32> {
        let mut hold = HoldDown::new(HOLD);
        feeds.iter().map(|(second, size)| hold.feed(Duration::from_secs(*second), *size)).collect()
    }

    #[test]
    fn a_rank_that_is_idle_for_a_moment_between_two_jobs_stays() {
        assert_eq!(run(&[(0, 5), (10, 1), (20, 5), (45, 1), (74, 1), (75, 1)]), [5, 5, 5, 5, 5, 1]);
    }

    #[test]
    fn ranks_that_were_freed_one_after_another_go_one_after_another() {
        let feeds = [(0, 9), (10, 6), (20, 3), (39, 3), (40, 3), (49, 3), (50, 3)];
        assert_eq!(run(&feeds), [9, 9, 9, 9, 6, 6, 3]);
    }

    #[test]
    fn a_rank_that_is_used_again_does_not_keep_those_above_it() {
        // At 40 nothing above 5 was used for 30 s, although 5 was used in between.
        assert_eq!(run(&[(0, 9), (10, 3), (20, 5), (39, 3), (40, 3), (69, 3)]), [9, 9, 9, 9, 5, 3]);
    }

    #[test]
    fn without_a_period_it_follows_at_once() {
        let mut hold = HoldDown::new(Duration::ZERO);
        let sizes = [4, 2, 7, 1].map(|size| hold.feed(Duration::from_secs(1), size));
        assert_eq!(sizes, [4, 2, 7, 1]);
    }

    #[test]
    fn it_forgets_no_size_too_early_and_remembers_no_more_than_its_bound() {
        let mut hold = HoldDown::new(HOLD);
        let count = 4 * u32::try_from(MAX_STEPS).unwrap();
        for step in 0..count {
            let held = hold.feed(Duration::from_millis(step.into()), count - step);
            assert_eq!(held, count);
            assert!(hold.steps.len() <= MAX_STEPS);
        }
        let end = Duration::from_millis(count.into()) + HOLD;
        assert_eq!(hold.feed(end, 1), 1);
    }
}
