//! RFC 20 R: which ranks there are and which cores and GPUs each of them has.
//!
//! Comes from the payloads of `resource.sched-status`, `sched.resource-status` and
//! `resource.status`. Only ranks, `core`, `gpu` and `properties` are kept; every other key, such as
//! `scheduling` with its graph of megabytes, is skipped as it is read.
//!
//! Ranks that look alike share one [`Shape`], and every operation is linear in the ranks.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::{Deserialize, Deserializer, de};

use crate::idset::Idset;

/// Ranks of one set, ten times the largest machine. At 16 bytes each 2 MiB.
pub const MAX_RANKS: u64 = 128 * 1024;

/// The only version of R there is.
const VERSION: u32 = 1;

/// The resources of some ranks.
///
/// ```
/// use flux_client::ResourceSet;
///
/// let all = ResourceSet::from_json(
///     br#"{"version":1,"execution":{"R_lite":[{"rank":"0-3","children":{"core":"0-7"}}],
///          "nodelist":["flux-sample-[0-3]"],"properties":{"batch":"0-2"}}}"#,
/// )?;
/// let down = all.restrict(&"3".parse()?);
/// let allocated = ResourceSet::from_json(
///     br#"{"version":1,"execution":{"R_lite":[{"rank":"0","children":{"core":"0-5"}}]}}"#,
/// )?;
///
/// // As `flux resource list` counts: a node is free while any of its ids is.
/// let free = all.difference(&down).difference(&allocated);
/// assert_eq!((free.nodes(), free.cores(), free.gpus()), (3, 18, 0));
/// assert_eq!(all.ranks_with("batch").to_string(), "0-2");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ResourceSet {
    /// By rank, ascending; no rank without an id.
    nodes: Vec<(u32, Arc<Shape>)>,
    properties: Arc<BTreeMap<String, Idset>>,
}

/// What one rank has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Ids of its cores.
    pub cores: Idset,
    /// Ids of its GPUs.
    pub gpus: Idset,
}

/// JSON that is no R.
#[derive(Debug, thiserror::Error)]
#[error("not an RFC 20 resource set")]
pub struct ParseError(#[source] serde_json::Error);

impl ResourceSet {
    /// Reads one R; `null` is the empty set, as fluxion sends it.
    pub fn from_json(json: &[u8]) -> Result<Self, ParseError> {
        serde_json::from_slice(json).map_err(ParseError)
    }

    /// Ranks that have anything.
    pub const fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Cores of all ranks.
    pub fn cores(&self) -> u64 {
        self.nodes.iter().map(|(_, shape)| shape.cores.len()).sum()
    }

    /// GPUs of all ranks.
    pub fn gpus(&self) -> u64 {
        self.nodes.iter().map(|(_, shape)| shape.gpus.len()).sum()
    }

    /// Whether there is no rank.
    pub const fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The ranks.
    pub fn ranks(&self) -> Idset {
        self.nodes.iter().map(|(rank, _)| *rank).collect()
    }

    /// The largest rank.
    pub fn highest_rank(&self) -> Option<u32> {
        self.nodes.last().map(|(rank, _)| *rank)
    }

    /// What `rank` has.
    pub fn shape(&self, rank: u32) -> Option<&Shape> {
        let index = self.nodes.binary_search_by_key(&rank, |(rank, _)| *rank).ok()?;
        self.nodes.get(index).map(|(_, shape)| &**shape)
    }

    /// Every rank with what it has, ascending.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (u32, &Shape)> + '_ {
        self.nodes.iter().map(|(rank, shape)| (*rank, &**shape))
    }

    /// Names of the properties that any rank has.
    pub fn properties(&self) -> impl Iterator<Item = &str> + '_ {
        self.properties.keys().map(String::as_str)
    }

    /// The ranks of this set that have `property`.
    pub fn ranks_with(&self, property: &str) -> Idset {
        self.properties
            .get(property)
            .map_or_else(Idset::new, |ranks| ranks.intersection(&self.ranks()))
    }

    /// These ranks only.
    #[must_use]
    pub fn restrict(&self, ranks: &Idset) -> Self {
        let nodes = self.nodes.iter().filter(|(rank, _)| ranks.contains(*rank)).cloned().collect();
        Self { nodes, properties: Arc::clone(&self.properties) }
    }

    /// Ids of this that `other` does not have. A rank stays while any id of it does.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.combine(other, |mine, theirs| match theirs {
            None => mine.clone(),
            Some(theirs) => mine.difference(theirs),
        })
    }

    /// Ids that both have.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.combine(other, |mine, theirs| match theirs {
            None => Shape::default(),
            Some(theirs) => Shape {
                cores: mine.cores.intersection(&theirs.cores),
                gpus: mine.gpus.intersection(&theirs.gpus),
            },
        })
    }

    /// Takes in what `other` has.
    pub fn add(&mut self, other: &Self) {
        for (rank, shape) in &other.nodes {
            match self.nodes.binary_search_by_key(rank, |(rank, _)| *rank) {
                Ok(at) => {
                    if let Some((_, mine)) = self.nodes.get_mut(at) {
                        *mine = Arc::new(mine.union(shape));
                    }
                }
                Err(at) => self.nodes.insert(at, (*rank, Arc::clone(shape))),
            }
        }
    }

    /// Takes out what `other` has.
    pub fn remove(&mut self, other: &Self) {
        for (rank, shape) in &other.nodes {
            let Ok(at) = self.nodes.binary_search_by_key(rank, |(rank, _)| *rank) else {
                continue;
            };
            let left = self.nodes.get(at).map(|(_, mine)| mine.difference(shape));
            match (left, self.nodes.get_mut(at)) {
                (Some(left), Some((_, mine))) if !left.is_empty() => *mine = Arc::new(left),
                _ => drop(self.nodes.remove(at)),
            }
        }
    }

    /// Walks both in step. Neighbours mostly look alike, so that the last answer is kept.
    fn combine(&self, other: &Self, op: impl Fn(&Shape, Option<&Shape>) -> Shape) -> Self {
        type Pair<'a> = (&'a Arc<Shape>, Option<&'a Arc<Shape>>);
        let same = |a: Pair<'_>, b: Pair<'_>| {
            Arc::ptr_eq(a.0, b.0)
                && match (a.1, b.1) {
                    (Some(a), Some(b)) => Arc::ptr_eq(a, b),
                    (a, b) => a.is_none() && b.is_none(),
                }
        };
        let mut theirs = other.nodes.iter().peekable();
        let mut last: Option<(Pair<'_>, Arc<Shape>)> = None;
        let mut nodes = Vec::new();
        for (rank, shape) in &self.nodes {
            while theirs.next_if(|(other, _)| other < rank).is_some() {}
            let pair = (shape, theirs.next_if(|(other, _)| other == rank).map(|(_, shape)| shape));
            let result = match &last {
                Some((before, result)) if same(*before, pair) => Arc::clone(result),
                _ => Arc::new(op(shape, pair.1.map(|shape| &**shape))),
            };
            if !result.is_empty() {
                nodes.push((*rank, Arc::clone(&result)));
            }
            last = Some((pair, result));
        }
        Self { nodes, properties: Arc::clone(&self.properties) }
    }

    /// Joins the entries of `R_lite`, in which a rank may come more than once.
    fn from_entries(entries: Vec<Entry>) -> Result<Self, String> {
        let ranks: u64 = entries.iter().map(|entry| entry.rank.len()).sum();
        if ranks > MAX_RANKS {
            return Err(format!("R_lite has {ranks} ranks, over the limit of {MAX_RANKS}"));
        }
        let mut nodes: Vec<(u32, Arc<Shape>)> = Vec::new();
        for Entry { rank: ranks, children } in entries {
            let shape = Arc::new(Shape { cores: children.core, gpus: children.gpu });
            if !shape.is_empty() {
                nodes.extend(ranks.iter().map(|rank| (rank, Arc::clone(&shape))));
            }
        }
        nodes.sort_by_key(|(rank, _)| *rank);
        nodes.dedup_by(|(rank, shape), (kept, joined)| {
            if rank == kept {
                *joined = Arc::new(joined.union(shape));
            }
            rank == kept
        });
        Ok(Self { nodes, properties: Arc::default() })
    }
}

impl Shape {
    /// Whether it has neither cores nor GPUs.
    pub const fn is_empty(&self) -> bool {
        self.cores.is_empty() && self.gpus.is_empty()
    }

    fn union(&self, other: &Self) -> Self {
        Self { cores: self.cores.union(&other.cores), gpus: self.gpus.union(&other.gpus) }
    }

    fn difference(&self, other: &Self) -> Self {
        Self { cores: self.cores.difference(&other.cores), gpus: self.gpus.difference(&other.gpus) }
    }
}

impl PartialEq for ResourceSet {
    /// The same ids on the same ranks; properties are not compared.
    fn eq(&self, other: &Self) -> bool {
        self.nodes == other.nodes
    }
}

impl Eq for ResourceSet {}

impl fmt::Display for ResourceSet {
    /// As the rows of `flux resource list`: `4 nodes, 32 cores, 0 gpus`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} nodes, {} cores, {} gpus", self.nodes(), self.cores(), self.gpus())
    }
}

#[derive(Deserialize)]
struct R {
    version: u32,
    execution: Execution,
}

#[derive(Deserialize)]
struct Execution {
    #[serde(rename = "R_lite", default)]
    r_lite: Option<Vec<Entry>>,
    #[serde(default)]
    properties: Option<BTreeMap<String, Idset>>,
}

#[derive(Deserialize)]
struct Entry {
    rank: Idset,
    #[serde(default)]
    children: Children,
}

#[derive(Deserialize, Default)]
struct Children {
    #[serde(default)]
    core: Idset,
    #[serde(default)]
    gpu: Idset,
}

impl<'de> Deserialize<'de> for ResourceSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Some(R { version, execution }) = Option::<R>::deserialize(deserializer)? else {
            return Ok(Self::default());
        };
        if version != VERSION {
            return Err(de::Error::custom(format_args!(
                "R has version {version}, but only version {VERSION} is known"
            )));
        }
        let mut set =
            Self::from_entries(execution.r_lite.unwrap_or_default()).map_err(de::Error::custom)?;
        set.properties = Arc::new(execution.properties.unwrap_or_default());
        Ok(set)
    }
}

#[cfg(test)]
mod tests;
