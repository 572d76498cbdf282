//! First fit: each job as a whole on the lowest ranks that have room for it.

use std::collections::HashMap;

use flux_client::Idset;

use crate::{Instance, Request, demand::TooMuch, instance::Node, request::Need};

/// Looks at a rank for one answer. Each of 16,384 jobs of which no two are alike looks twice at 1,000
/// ranks: 33 million, a fifth of a second.
pub const MAX_VISITS: u64 = 32 * 1024 * 1024;

/// The instance as it fills up.
#[derive(Debug)]
pub(crate) struct Packing {
    nodes: Vec<Node>,
    /// By class of ranks; at most one for each job.
    kinds: HashMap<(usize, Need), Kind>,
    /// 1 + the highest rank that was wanted.
    size: u32,
    visits: u64,
}

/// What is known of all jobs that need the same of the same ranks.
#[derive(Clone, Copy, Debug)]
struct Kind {
    /// No rank below has room for a part.
    first: u32,
    /// There is room for so many parts at most.
    room: u64,
    empty: Empty,
}

/// What the ranks have when nothing runs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Empty {
    /// Parts that have room.
    parts: u64,
    /// The least of any rank that has room for a part: parts, cores, GPUs.
    least: [u64; 3],
    /// 1 + the highest rank that has room for a part.
    end: u32,
}

/// What a job takes of the instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Nodes that would do.
    pub(crate) nodes: u64,
    /// Cores.
    pub(crate) cores: u64,
    /// GPUs, where it is known.
    pub(crate) gpus: Option<u64>,
}

impl Packing {
    /// Only what runs is there.
    pub(crate) fn new(instance: &Instance) -> Self {
        Self { nodes: instance.nodes().to_vec(), kinds: HashMap::new(), size: 0, visits: 0 }
    }

    /// 1 + the highest rank that any job placed so far wants.
    pub(crate) const fn size(&self) -> u32 {
        self.size
    }

    /// Places a job on the ranks of its class; where there is no room, it wants all of them that would
    /// do. `None` if it has no room even when nothing runs.
    pub(crate) fn place(
        &mut self,
        class: usize,
        ranks: &Idset,
        request: &Request,
    ) -> Result<Option<Wanted>, TooMuch> {
        let (need, parts) = (request.need(), request.parts());
        let mut kind = match self.kinds.get(&(class, need)) {
            Some(kind) => *kind,
            None => {
                let empty = self.look(ranks, need)?;
                Kind { first: 0, room: u64::MAX, empty }
            }
        };
        let empty = kind.empty;
        let fits = parts <= empty.parts;
        if fits {
            let end = self.fill(ranks, need, parts, &mut kind)?;
            self.size = self.size.max(end.unwrap_or(empty.end));
        }
        self.kinds.insert((class, need), kind);
        Ok(fits.then(|| empty.wanted(request, parts)))
    }

    /// What the ranks would have if nothing ran.
    fn look(&mut self, ranks: &Idset, need: Need) -> Result<Empty, TooMuch> {
        let mut empty = Empty { least: [u64::MAX; 3], ..Empty::default() };
        for rank in ranks.iter() {
            let node = visit(&mut self.nodes, rank, &mut self.visits)?;
            let room = node.emptied().room(need);
            if room > 0 {
                empty.parts = empty.parts.saturating_add(room);
                empty.end = rank.saturating_add(1);
                let has = [room, node.cores, node.gpus];
                empty.least.iter_mut().zip(has).for_each(|(least, has)| *least = has.min(*least));
            }
        }
        Ok(empty)
    }

    /// Takes the lowest ranks with room for all parts, and gives 1 + the highest of them.
    fn fill(
        &mut self,
        ranks: &Idset,
        need: Need,
        parts: u64,
        kind: &mut Kind,
    ) -> Result<Option<u32>, TooMuch> {
        if parts > kind.room {
            return Ok(None);
        }
        let (mut plan, mut left, mut first) = (Vec::new(), parts, None);
        let ranges = ranks.ranges().filter(|(_, last)| *last >= kind.first);
        let candidates = ranges.flat_map(|(from, last)| from.max(kind.first)..=last);
        for rank in candidates {
            let node = visit(&mut self.nodes, rank, &mut self.visits)?;
            let room = node.room(need).min(left);
            if room > 0 {
                first.get_or_insert(rank);
                plan.push((rank, room));
                left -= room;
                if left == 0 {
                    break;
                }
            }
        }
        kind.first = first.unwrap_or(u32::MAX);
        if left > 0 {
            kind.room = parts - left;
            return Ok(None);
        }
        for &(rank, parts) in &plan {
            visit(&mut self.nodes, rank, &mut self.visits)?.take(need, parts);
        }
        Ok(plan.last().map(|(rank, _)| rank.saturating_add(1)))
    }
}

impl Empty {
    fn wanted(&self, request: &Request, parts: u64) -> Wanted {
        let [parts_each, cores_each, gpus_each] = self.least;
        if request.is_exclusive() {
            let all = |each: u64| parts.saturating_mul(each);
            return Wanted { nodes: parts, cores: all(cores_each), gpus: Some(all(gpus_each)) };
        }
        let nodes = if request.nodes.is_some() { parts } else { parts.div_ceil(parts_each.max(1)) };
        Wanted { nodes, cores: request.named_cores(), gpus: request.named_gpus() }
    }
}

fn visit<'a>(nodes: &'a mut [Node], rank: u32, visits: &mut u64) -> Result<&'a mut Node, TooMuch> {
    *visits += 1;
    if *visits > MAX_VISITS {
        return Err(TooMuch::Visits);
    }
    nodes.get_mut(rank as usize).ok_or(TooMuch::Rank(rank))
}
