//! Every value of every MiniCluster, and the gateway's own health, as Prometheus reads them.
//!
//! ```text
//!  store, pods ──▶ query::everything ──▶ values ──┐
//!  telemetry::counters, tls::Expiry ────▶ own ────┴─▶ page: text 0.0.4, or OpenMetrics 1.0
//! ```
//!
//! A value that a single read would refuse has no line: Prometheus takes that for the end of its
//! series. The families and their labels are those of the catalogue; [`values`] says what becomes of
//! metrics that it does not know.

use std::sync::Arc;

use thiserror::Error;

use crate::{
    clock::Moment,
    query::{Rules, View, everything},
    telemetry::{Authorization, Reads, Streams},
    tls::Expiry,
};

mod families;
mod own;
mod page;
mod values;

pub use page::{Format, MAX_PAGE_BYTES};

use page::Page;

/// What the gateway counts of its own doings. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Own {
    /// What collectors do.
    pub streams: Arc<Streams>,
    /// What readers do.
    pub reads: Arc<Reads>,
    /// What is asked about readers.
    pub authorization: Arc<Authorization>,
    /// When the certificate ends.
    pub certificate: Expiry,
}

/// What a page is made from.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// What is known.
    pub view: View<'a>,
    /// How often the watch of pods has brought an error; `None`: there is none.
    pub watch_errors: Option<u64>,
    /// What is served of it.
    pub rules: &'a Rules,
    /// What the gateway counts.
    pub own: &'a Own,
}

/// The page would have more than [`MAX_PAGE_BYTES`].
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "all values together have more than {} MiB as Prometheus reads them, which this server does not \
     write: a part of them would be taken for all",
    MAX_PAGE_BYTES / 1024 / 1024
)]
pub struct TooLong;

/// Writes everything there is as of `now`.
///
/// # Errors
///
/// When that is too long.
pub fn write(sources: Sources<'_>, now: Moment, format: Format) -> Result<Vec<u8>, TooLong> {
    let everything = everything(sources.view, now.instant);
    let mut page = Page::new(format);
    own::write(&mut page, &sources, &everything);
    values::write(&mut page, sources.rules, now, &everything);
    page.finish()
}

#[cfg(test)]
mod tests;
