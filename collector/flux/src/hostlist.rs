//! RFC 29 hostlists: `"node[00-03],login"`, how Flux writes the hosts of its ranks.
//!
//! Order matters and hosts may repeat: in the attribute `hostlist` host `r` is that of rank `r`. A
//! list is kept as its ranges, and a host's name is made when it is asked for.

use std::{fmt, str::FromStr};

/// Hosts of one list; libflux has the same bound.
pub const MAX_HOSTS: usize = 1024 * 1024;

/// Bytes of text that are read: 10,000 hosts that all have 100 bytes of their own.
pub const MAX_TEXT: usize = 1024 * 1024;

/// Hosts in order.
///
/// ```
/// use flux_client::Hostlist;
///
/// let hosts: Hostlist = "flux-sample-[0-9999]".parse()?;
/// assert_eq!(hosts.len(), 10_000);
/// assert_eq!(hosts.nth(42).as_deref(), Some("flux-sample-42"));
/// assert_eq!(hosts.to_string(), "flux-sample-[0-9999]");
///
/// let padded: Hostlist = "node[08-10]p,login".parse()?;
/// assert_eq!(padded.iter().collect::<Vec<_>>(), ["node08p", "node09p", "node10p", "login"]);
/// # Ok::<(), flux_client::hostlist::ParseError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Hostlist {
    runs: Vec<Run>,
    len: usize,
}

/// Hosts that differ in one number, which ascends by one.
#[derive(Clone, Debug)]
struct Run {
    prefix: String,
    /// None for a single host without a number of its own.
    numbers: Option<Numbers>,
    suffix: String,
}

#[derive(Clone, Copy, Debug)]
struct Numbers {
    first: u64,
    last: u64,
    /// Digits at least, by leading zeros.
    width: usize,
}

/// Text that is no hostlist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not read at all.
    #[error("a hostlist of {len} bytes is over the limit of {MAX_TEXT}")]
    TooLong {
        /// Bytes of the text.
        len: usize,
    },
    /// More hosts than are ever in one instance.
    #[error("the hostlist has over {MAX_HOSTS} hosts at byte {at}")]
    TooMany {
        /// Where the part that is too much starts.
        at: usize,
    },
    /// Brackets that nest, do not close, or come twice in a host.
    #[error("the brackets in {found:?} at byte {at} of a hostlist do not match: one [ ] in a host")]
    Brackets {
        /// Where the host starts.
        at: usize,
        /// The beginning of what is there.
        found: String,
    },
    /// Not a list of numbers and ranges between the brackets.
    #[error("{found:?} at byte {at} of a hostlist is neither a number nor a range such as 00-15")]
    Number {
        /// Where it starts.
        at: usize,
        /// The beginning of what is there.
        found: String,
    },
}

impl Hostlist {
    /// How many hosts it has, repeated ones counted again.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The host at `index`, which for the attribute `hostlist` is the rank.
    pub fn nth(&self, index: usize) -> Option<String> {
        let mut left = index as u64;
        for run in &self.runs {
            if left < run.len() {
                return Some(run.host(left));
            }
            left -= run.len();
        }
        None
    }

    /// Their names, in order.
    pub fn iter(&self) -> impl Iterator<Item = String> + '_ {
        self.runs.iter().flat_map(|run| (0..run.len()).map(|index| run.host(index)))
    }

    fn push(&mut self, run: Run, at: usize) -> Result<(), ParseError> {
        let len = usize::try_from(run.len()).unwrap_or(usize::MAX);
        self.len = self.len.saturating_add(len);
        if self.len > MAX_HOSTS {
            return Err(ParseError::TooMany { at });
        }
        self.runs.push(run);
        Ok(())
    }
}

impl Run {
    /// At least 1; 2^64 hosts are refused before, by [`MAX_HOSTS`].
    fn len(&self) -> u64 {
        self.numbers.map_or(1, |numbers| (numbers.last - numbers.first).saturating_add(1))
    }

    fn host(&self, index: u64) -> String {
        let Self { prefix, suffix, numbers } = self;
        match numbers {
            None => format!("{prefix}{suffix}"),
            Some(Numbers { first, width, .. }) => {
                format!("{prefix}{:0width$}{suffix}", first + index)
            }
        }
    }

    /// What the number adds to: two runs of the same family can share brackets.
    fn family(&self) -> (&str, &str, bool) {
        (&self.prefix, &self.suffix, self.numbers.is_some())
    }

    /// A host written without brackets: its last digits are its number, as for `flux-sample-3`.
    fn of_host(host: &str) -> Self {
        let digits_end = host.trim_end_matches(|c: char| !c.is_ascii_digit()).len();
        let (head, suffix) = host.split_at(digits_end);
        let prefix = head.trim_end_matches(|c: char| c.is_ascii_digit());
        let (_, digits) = head.split_at(prefix.len());
        match number(digits) {
            Some((first, width)) => Self {
                prefix: prefix.to_owned(),
                numbers: Some(Numbers { first, last: first, width }),
                suffix: suffix.to_owned(),
            },
            None => Self { prefix: host.to_owned(), numbers: None, suffix: String::new() },
        }
    }
}

impl FromStr for Hostlist {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text.len() > MAX_TEXT {
            return Err(ParseError::TooLong { len: text.len() });
        }
        let mut list = Self::default();
        let mut at = 0;
        for part in split_outside_brackets(text) {
            match part.split_once('[') {
                _ if part.is_empty() => {}
                None if part.contains(']') => return Err(brackets(part, at)),
                None => list.push(Run::of_host(part), at)?,
                Some((prefix, rest)) => {
                    let (inner, suffix) = rest.split_once(']').ok_or_else(|| brackets(part, at))?;
                    if [prefix, inner, suffix].iter().any(|piece| piece.contains(['[', ']'])) {
                        return Err(brackets(part, at));
                    }
                    let mut inner_at = at + prefix.len() + 1;
                    for range in inner.split(',') {
                        let numbers = Numbers::parse(range).ok_or_else(|| ParseError::Number {
                            at: inner_at,
                            found: head(range),
                        })?;
                        list.push(
                            Run {
                                prefix: prefix.to_owned(),
                                numbers: Some(numbers),
                                suffix: suffix.to_owned(),
                            },
                            inner_at,
                        )?;
                        inner_at += range.len() + 1;
                    }
                }
            }
            at += part.len() + 1;
        }
        Ok(list)
    }
}

impl Numbers {
    /// `7` or `00-15`; the first one's leading zeros set the width.
    fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, width) = number(first)?;
        let (last, _) = number(last)?;
        (first <= last).then_some(Self { first, last, width })
    }
}

/// A number of up to 18 digits, and the width that its leading zeros ask for.
fn number(digits: &str) -> Option<(u64, usize)> {
    const MAX_DIGITS: usize = 18; // 10^18 is below 2^64
    let plain = !digits.is_empty()
        && digits.len() <= MAX_DIGITS
        && digits.bytes().all(|byte| byte.is_ascii_digit());
    let width = if digits.starts_with('0') { digits.len() } else { 1 };
    digits.parse().ok().filter(|_| plain).map(|number| (number, width))
}

fn split_outside_brackets(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    text.split(move |c| {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
}

fn brackets(part: &str, at: usize) -> ParseError {
    ParseError::Brackets { at, found: head(part) }
}

fn head(text: &str) -> String {
    text.chars().take(32).collect()
}

impl fmt::Display for Hostlist {
    /// Neighbours of one family share brackets, as libflux prints them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, family) in
            self.runs.chunk_by(|a, b| a.numbers.is_some() && a.family() == b.family()).enumerate()
        {
            let Some(Run { prefix, suffix, .. }) = family.first() else {
                continue;
            };
            f.write_str(if index == 0 { "" } else { "," })?;
            match merged(family).as_slice() {
                [] => write!(f, "{prefix}{suffix}")?,
                [Numbers { first, last, width }] if first == last => {
                    write!(f, "{prefix}{first:0width$}{suffix}")?;
                }
                several => {
                    write!(f, "{prefix}[")?;
                    for (index, Numbers { first, last, width }) in several.iter().enumerate() {
                        f.write_str(if index == 0 { "" } else { "," })?;
                        write!(f, "{first:0width$}")?;
                        if last > first {
                            write!(f, "-{last:0width$}")?;
                        }
                    }
                    write!(f, "]{suffix}")?;
                }
            }
        }
        Ok(())
    }
}

/// Ranges that continue each other become one.
fn merged(family: &[Run]) -> Vec<Numbers> {
    let mut out: Vec<Numbers> = Vec::new();
    for next in family.iter().filter_map(|run| run.numbers) {
        match out.last_mut() {
            Some(run) if run.last + 1 == next.first && continues(*run, next) => {
                run.last = next.last;
            }
            _ => out.push(next),
        }
    }
    out
}

/// Whether `next` prints the same with the width of `run`.
fn continues(run: Numbers, next: Numbers) -> bool {
    let digits = next.first.checked_ilog10().unwrap_or(0) as usize + 1;
    let printed = |width: usize| width.max(digits);
    // Wider numbers later in `next` print the same once the first one does, unless `next` pads
    // more than `run`, and then the first one differs.
    printed(run.width) == printed(next.width) && (next.width <= digits || run.width == next.width)
}

impl PartialEq for Hostlist {
    /// The same hosts in the same order, however they were written.
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl Eq for Hostlist {}

#[cfg(test)]
mod tests;
