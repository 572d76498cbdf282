//! Ranks by what is true of them.

use flux_client::Idset;

use super::{Instance, Rank};

impl Instance {
    /// Brokers that are connected: the group `broker.online`.
    pub fn online(&self) -> Idset {
        self.ranks_that(|rank| rank.online)
    }

    /// Brokers that are not.
    pub fn offline(&self) -> Idset {
        self.ranks_that(|rank| !rank.online)
    }

    /// The group `broker.torpid`.
    pub fn torpid(&self) -> Idset {
        self.ranks_that(|rank| rank.torpid)
    }

    /// Ranks that the configuration excludes.
    pub fn excluded(&self) -> Idset {
        self.ranks_that(|rank| rank.excluded)
    }

    /// Ranks that the scheduler knows: R without the excluded ones.
    pub fn all(&self) -> Idset {
        self.ranks_that(|rank| !rank.excluded)
    }

    /// Ranks that get no new jobs: offline, torpid or drained.
    pub fn down(&self) -> Idset {
        (0..)
            .zip(&self.ranks)
            .filter(|(number, rank)| !rank.excluded && !self.is_up(*number, rank))
            .map(|(number, _)| number)
            .collect()
    }

    /// Ranks that take jobs, or would if their brokers were online.
    pub fn usable(&self) -> Idset {
        let drained: Idset = self.drained.keys().copied().collect();
        self.all().difference(&self.torpid()).difference(&drained)
    }

    fn ranks_that(&self, is: impl Fn(&Rank) -> bool) -> Idset {
        (0..).zip(&self.ranks).filter(|(_, rank)| is(rank)).map(|(number, _)| number).collect()
    }
}
