//! What the collectors of one namespace make the store keep, and how much that may be.
//!
//! Each namespace has bounds of its own, so that one at its bound takes nothing from another.

use std::sync::{Mutex, MutexGuard, PoisonError};

use thiserror::Error;

use crate::model::Size;

/// Collectors of one namespace that are kept, unless a gateway is told otherwise: eight namespaces at
/// their bound fill a store.
pub const MAX_COLLECTORS_PER_NAMESPACE: usize = 2048;

/// Series of one namespace, unless a gateway is told otherwise: two for each of its collectors, 30
/// MiniClusters of 2,000 series each, and at some 200 bytes 13 MiB.
pub const MAX_SERIES_PER_NAMESPACE: usize = 65_536;

/// Bytes of names, labels and failures for each series that a namespace may have, on average: names are
/// some 40, and a collector that fails has ten failures of some 200.
pub const TEXT_BYTES_PER_SERIES: usize = 256;

/// Streams for each collector: one that renews its credential opens the next before it ends the last.
pub const STREAMS_PER_COLLECTOR: usize = 2;

/// What a namespace may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Collectors that are kept.
    pub collectors: usize,
    /// Series of all of them.
    pub series: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { collectors: MAX_COLLECTORS_PER_NAMESPACE, series: MAX_SERIES_PER_NAMESPACE }
    }
}

impl Bounds {
    const fn text_bytes(self) -> usize {
        self.series.saturating_mul(TEXT_BYTES_PER_SERIES)
    }
}

/// A namespace is at its bound.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "the collectors of this namespace would have {would} {what}, and may have {most}: report less, or \
     let the administrator of the gateway set {flag}"
)]
pub struct TooMuch {
    /// Of what.
    what: &'static str,
    /// How much it would be.
    would: usize,
    /// The bound.
    most: usize,
    /// By which it is set.
    flag: &'static str,
}

/// What one namespace has.
#[derive(Debug)]
pub(super) struct Usage {
    bounds: Bounds,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    collectors: usize,
    streams: usize,
    size: Size,
}

const COLLECTORS_FLAG: &str = "--max-collectors-per-namespace";
const SERIES_FLAG: &str = "--max-series-per-namespace";

impl Usage {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, kept: Mutex::default() }
    }

    /// Counts one more collector.
    pub(super) fn add_collector(&self) -> Result<(), TooMuch> {
        let most = self.bounds.collectors;
        one_more(&mut self.kept().collectors, most, "collectors", COLLECTORS_FLAG)
    }

    /// Counts one more stream.
    pub(super) fn add_stream(&self) -> Result<(), TooMuch> {
        let most = self.bounds.collectors.saturating_mul(STREAMS_PER_COLLECTOR);
        one_more(&mut self.kept().streams, most, "streams", COLLECTORS_FLAG)
    }

    /// Counts one stream less.
    pub(super) fn remove_stream(&self) {
        let mut kept = self.kept();
        kept.streams = kept.streams.saturating_sub(1);
    }

    /// Counts one collector less, which kept so much.
    pub(super) fn remove_collector(&self, size: Size) {
        let mut kept = self.kept();
        kept.collectors = kept.collectors.saturating_sub(1);
        kept.size.series = kept.size.series.saturating_sub(size.series);
        kept.size.text_bytes = kept.size.text_bytes.saturating_sub(size.text_bytes);
    }

    /// Counts what a collector keeps now instead of what it kept before. Less is never too much.
    pub(super) fn exchange(&self, before: Size, after: Size) -> Result<(), TooMuch> {
        let mut kept = self.kept();
        let replaced = |all: usize, before: usize, after: usize| {
            all.saturating_sub(before).saturating_add(after)
        };
        let size = Size {
            series: replaced(kept.size.series, before.series, after.series),
            text_bytes: replaced(kept.size.text_bytes, before.text_bytes, after.text_bytes),
        };
        for (what, before, after, would, most) in [
            ("series", before.series, after.series, size.series, self.bounds.series),
            (
                "bytes of names, labels and failures",
                before.text_bytes,
                after.text_bytes,
                size.text_bytes,
                self.bounds.text_bytes(),
            ),
        ] {
            if after > before && would > most {
                return Err(TooMuch { what, would, most, flag: SERIES_FLAG });
            }
        }
        kept.size = size;
        Ok(())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing panics while it holds this; should it, the numbers are still whole.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn one_more(
    number: &mut usize,
    most: usize,
    what: &'static str,
    flag: &'static str,
) -> Result<(), TooMuch> {
    if *number >= most {
        return Err(TooMuch { what, would: number.saturating_add(1), most, flag });
    }
    *number += 1;
    Ok(())
}
