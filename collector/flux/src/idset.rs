//! RFC 22 idsets: `"0-3,7"`, how Flux writes sets of ranks, cores and GPUs.
//!
//! A set is kept as its ranges, so that `"0-4294967294"` costs as much as `"7"`, and all operations
//! are linear in the number of ranges. Text comes from payloads and attributes.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The largest id. The next one means "no id" in libflux.
pub const MAX_ID: u32 = u32::MAX - 1;

/// Bytes of text that are read: 100,000 ids of which no two are neighbours are 700 kB.
pub const MAX_TEXT: usize = 1024 * 1024;

/// A set of ids, as ascending ranges that neither overlap nor touch.
///
/// ```
/// use flux_client::Idset;
///
/// let all: Idset = "0-9999".parse()?;
/// let down: Idset = "[3,17-20]".parse()?;
/// let up = all.difference(&down);
/// assert_eq!(up.to_string(), "0-2,4-16,21-9999");
/// assert_eq!(up.len(), 9995);
/// assert_eq!(up.max(), Some(9999));
/// # Ok::<(), flux_client::idset::ParseError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Idset {
    /// First and last id of each range.
    ranges: Vec<(u32, u32)>,
}

/// Text that is no idset.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not read at all.
    #[error("an idset of {len} bytes is over the limit of {MAX_TEXT}")]
    TooLong {
        /// Bytes of the text.
        len: usize,
    },
    /// A `[` without its `]`.
    #[error("an idset's brackets have to surround all of it")]
    Brackets,
    /// Neither `7` nor `7-9`.
    #[error("{found:?} at byte {at} of an idset is neither an id nor a range such as 7-9")]
    Id {
        /// Where it starts.
        at: usize,
        /// The beginning of what is there.
        found: String,
    },
    /// The last id is smaller than the first one, or not larger than what came before.
    #[error("{found:?} at byte {at} of an idset is not in ascending order")]
    Order {
        /// Where it starts.
        at: usize,
        /// The beginning of what is there.
        found: String,
    },
}

impl Idset {
    /// The empty set.
    pub const fn new() -> Self {
        Self { ranges: Vec::new() }
    }

    /// All ids from `first` to `last`, both included; empty if there are none.
    pub fn range(first: u32, last: u32) -> Self {
        let last = last.min(MAX_ID);
        Self { ranges: if first <= last { vec![(first, last)] } else { Vec::new() } }
    }

    /// How many ids it has.
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|(first, last)| u64::from(last - first) + 1).sum()
    }

    /// Whether it has none.
    pub const fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether `id` is one of them.
    pub fn contains(&self, id: u32) -> bool {
        let before = self.ranges.partition_point(|(_, last)| *last < id);
        self.ranges.get(before).is_some_and(|(first, _)| *first <= id)
    }

    /// The smallest id.
    pub fn min(&self) -> Option<u32> {
        self.ranges.first().map(|(first, _)| *first)
    }

    /// The largest id.
    pub fn max(&self) -> Option<u32> {
        self.ranges.last().map(|(_, last)| *last)
    }

    /// The ids, ascending. There can be four thousand million: look at [`len`](Self::len) first.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.ranges.iter().flat_map(|(first, last)| *first..=*last)
    }

    /// The ranges, ascending, both ends included.
    pub fn ranges(&self) -> impl ExactSizeIterator<Item = (u32, u32)> + '_ {
        self.ranges.iter().copied()
    }

    /// Adds one id.
    pub fn insert(&mut self, id: u32) {
        if !self.contains(id) {
            *self = self.union(&Self::range(id, id));
        }
    }

    /// Ids in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut out = Self::new();
        let (mut left, mut right) = (self.ranges().peekable(), other.ranges().peekable());
        while let Some(range) = match (left.peek(), right.peek()) {
            (Some(a), Some(b)) if a <= b => left.next(),
            (_, Some(_)) => right.next(),
            (_, None) => left.next(),
        } {
            out.push(range);
        }
        out
    }

    /// Ids in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut out = Self::new();
        let (mut left, mut right) = (self.ranges().peekable(), other.ranges().peekable());
        while let (Some(a), Some(b)) = (left.peek().copied(), right.peek().copied()) {
            let (first, last) = (a.0.max(b.0), a.1.min(b.1));
            if first <= last {
                out.push((first, last));
            }
            if a.1 < b.1 {
                left.next()
            } else {
                right.next()
            };
        }
        out
    }

    /// Ids in this and not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut out = Self::new();
        let mut holes = other.ranges().peekable();
        for (mut first, last) in self.ranges() {
            while holes.next_if(|hole| hole.1 < first).is_some() {}
            while let Some((from, to)) = holes.peek().copied()
                && from <= last
                && first <= last
            {
                if first < from {
                    out.push((first, from - 1));
                }
                first = to + 1; // MAX_ID is below u32::MAX
                if to <= last {
                    holes.next();
                }
            }
            if first <= last {
                out.push((first, last));
            }
        }
        out
    }

    /// Adds a range that starts no earlier than the last one does.
    fn push(&mut self, (first, last): (u32, u32)) {
        match self.ranges.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => self.ranges.push((first, last)),
        }
    }
}

impl FromStr for Idset {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text.len() > MAX_TEXT {
            return Err(ParseError::TooLong { len: text.len() });
        }
        let (inner, mut at) = match (text.strip_prefix('['), text.strip_suffix(']')) {
            (Some(opened), Some(_)) => (opened.strip_suffix(']').ok_or(ParseError::Brackets)?, 1),
            (None, None) => (text, 0),
            _ => return Err(ParseError::Brackets),
        };
        let mut set = Self::new();
        if inner.is_empty() {
            return Ok(set);
        }
        for part in inner.split(',') {
            let found = || part.chars().take(32).collect();
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (Some(first), Some(last)) = (id(first), id(last)) else {
                return Err(ParseError::Id { at, found: found() });
            };
            if first > last || set.max().is_some_and(|max| first <= max) {
                return Err(ParseError::Order { at, found: found() });
            }
            set.push((first, last));
            at += part.len() + 1;
        }
        Ok(set)
    }
}

/// A decimal without sign or leading zeros, up to [`MAX_ID`].
fn id(text: &str) -> Option<u32> {
    let plain =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|id| plain && *id <= MAX_ID)
}

impl fmt::Display for Idset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.ranges().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            if first == last {
                write!(f, "{comma}{first}")?;
            } else {
                write!(f, "{comma}{first}-{last}")?;
            }
        }
        Ok(())
    }
}

impl FromIterator<u32> for Idset {
    /// From ids in any order; those above [`MAX_ID`] are left out.
    fn from_iter<I: IntoIterator<Item = u32>>(ids: I) -> Self {
        let mut ids: Vec<_> = ids.into_iter().filter(|id| *id <= MAX_ID).collect();
        ids.sort_unstable();
        let mut set = Self::new();
        for id in ids {
            set.push((id, id));
        }
        set
    }
}

impl<'de> Deserialize<'de> for Idset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = Idset;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an idset such as \"0-3,7\"")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Idset, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl Serialize for Idset {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests;
