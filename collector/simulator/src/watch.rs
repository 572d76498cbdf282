//! Streams: what each follows, and what it says next.

use bytes::Bytes;
use serde::Deserialize;

use crate::{
    answers::{JobStats, journal::Cursor},
    instance::Lost,
    services::{json, members},
    world::World,
};

/// What a stream follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    /// `job-list.job-stats`
    JobStats,
    /// `groups.get` of this group.
    Group(String),
    /// `job-manager.events-journal`
    Jobs(Cursor),
    /// `resource.journal`
    Ranks(Cursor),
}

impl Watch {
    /// The next message of this stream, if it has anything to say that it has not `said` last.
    pub(crate) fn next(&mut self, world: &World, said: &Bytes) -> Result<Option<Bytes>, Lost> {
        let snapshot = match self {
            Self::JobStats => json(&JobStats::of(&world.instance, world.release)),
            Self::Group(name) => json(&members(world, name)),
            Self::Jobs(cursor) => return cursor.next_of_jobs(&world.instance, world.release),
            Self::Ranks(cursor) => return cursor.next_of_ranks(&world.instance),
        };
        Ok((snapshot != *said).then_some(snapshot))
    }

    /// Whether it says all that happens, and not only how things are.
    pub(crate) const fn is_journal(&self) -> bool {
        matches!(self, Self::Jobs(_) | Self::Ranks(_))
    }

    /// Counts who watches, one more or one less.
    pub(crate) fn count(&self, world: &mut World, change: impl Fn(&mut usize)) {
        match self {
            Self::JobStats => change(&mut world.watchers),
            Self::Group(_) => {}
            Self::Jobs(_) => change(world.instance.followers(true)),
            Self::Ranks(_) => change(world.instance.followers(false)),
        }
    }
}

/// The matchtag of the stream that a request to cancel names.
pub(crate) fn canceled(payload: &[u8]) -> Option<u32> {
    #[derive(Deserialize)]
    struct Cancel {
        matchtag: u32,
    }
    serde_json::from_slice::<Cancel>(payload).ok().map(|cancel| cancel.matchtag)
}
