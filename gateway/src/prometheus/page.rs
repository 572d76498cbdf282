//! The two text formats: families, each with its type and help, and the lines of each.

use std::fmt::{self, Write as _};

use super::TooLong;

/// Bytes of a page: 280,000 lines of 120 bytes are half of it, which are 16,384 brokers and 3,000
/// MiniClusters with 70 values each.
pub const MAX_PAGE_BYTES: usize = 64 * 1024 * 1024;

/// A format of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' own, version 0.0.4.
    Text,
    /// OpenMetrics, version 1.0.0.
    OpenMetrics,
}

impl Format {
    /// The `Content-Type` of a page.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The type of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only grows. Lines have `_total` at the end of the name.
    Counter,
    /// Counts by upper bounds.
    Histogram,
    /// Nobody here knows.
    Unknown,
}

/// Names and values of labels, in the order in which they are written.
pub(super) type Labels<'a> = [(&'a str, &'a str)];

/// What is written so far.
#[derive(Debug)]
pub(super) struct Page {
    format: Format,
    text: String,
    most: usize,
}

impl Page {
    pub(super) fn new(format: Format) -> Self {
        Self::of_at_most(MAX_PAGE_BYTES, format)
    }

    pub(super) const fn of_at_most(most: usize, format: Format) -> Self {
        Self { format, text: String::new(), most }
    }

    /// A family, which is there once it has a line. Its name is without the `_total` of a counter.
    pub(super) const fn family<'a>(
        &'a mut self,
        name: &'a str,
        kind: Kind,
        help: &'a str,
    ) -> Family<'a> {
        Family { page: self, name, kind, help, begun: false }
    }

    /// A gauge without labels.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.family(name, Kind::Gauge, help).line(&[], value);
    }

    /// All that was written.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, TooLong> {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        if self.text.len() > self.most { Err(TooLong) } else { Ok(self.text.into_bytes()) }
    }

    fn write(&mut self, line: fmt::Arguments<'_>) {
        // Once it is too long nothing more is needed of it.
        if self.text.len() <= self.most {
            // Writing to a `String` cannot fail.
            self.text.write_fmt(line).ok();
        }
    }
}

/// A family of a page.
#[derive(Debug)]
pub(super) struct Family<'a> {
    page: &'a mut Page,
    name: &'a str,
    kind: Kind,
    help: &'a str,
    begun: bool,
}

impl Family<'_> {
    /// Adds a line.
    pub(super) fn line(&mut self, labels: &Labels<'_>, value: f64) {
        let suffix = if self.kind == Kind::Counter { "_total" } else { "" };
        self.line_of(suffix, labels, value);
    }

    /// Adds the lines of a histogram without labels: how many were at most each bound, how many there
    /// were, and their sum.
    pub(super) fn histogram(&mut self, buckets: &[(f64, u64)], count: u64, sum: f64) {
        for (bound, count) in buckets {
            // OpenMetrics wants a decimal point.
            self.line_of("_bucket", &[("le", &format!("{bound:?}"))], float(*count));
        }
        self.line_of("_bucket", &[("le", "+Inf")], float(count));
        self.line_of("_sum", &[], sum);
        self.line_of("_count", &[], float(count));
    }

    fn line_of(&mut self, suffix: &str, labels: &Labels<'_>, value: f64) {
        if !std::mem::replace(&mut self.begun, true) {
            self.begin();
        }
        let name = self.name;
        self.page.write(format_args!("{name}{suffix}{} {value}\n", Braces(labels)));
    }

    fn begin(&mut self) {
        let (name, format) = (self.name, self.page.format);
        // The text format has no families: what it describes is what lines are named.
        let suffix = match (format, self.kind) {
            (Format::Text, Kind::Counter) => "_total",
            _ => "",
        };
        let kind = match (self.kind, format) {
            (Kind::Gauge, _) => "gauge",
            (Kind::Counter, _) => "counter",
            (Kind::Histogram, _) => "histogram",
            (Kind::Unknown, Format::Text) => "untyped",
            (Kind::Unknown, Format::OpenMetrics) => "unknown",
        };
        let help = Escaped { text: self.help, quotes: format == Format::OpenMetrics };
        self.page.write(format_args!("# HELP {name}{suffix} {help}\n"));
        self.page.write(format_args!("# TYPE {name}{suffix} {kind}\n"));
        if format == Format::OpenMetrics && name.ends_with("_seconds") {
            self.page.write(format_args!("# UNIT {name} seconds\n"));
        }
    }
}

/// A count as a value, exact up to 2⁵³.
#[allow(clippy::cast_precision_loss, reason = "what is lost is one in 10¹⁶")]
pub(super) const fn float(count: u64) -> f64 {
    count as f64
}

/// Labels between braces; nothing for none.
struct Braces<'a>(&'a Labels<'a>);

impl fmt::Display for Braces<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(((name, value), rest)) = self.0.split_first() else {
            return Ok(());
        };
        write!(f, "{{{name}=\"{}\"", Escaped { text: value, quotes: true })?;
        for (name, value) in rest {
            write!(f, ",{name}=\"{}\"", Escaped { text: value, quotes: true })?;
        }
        f.write_char('}')
    }
}

/// A text with its backslashes, ends of lines and, where it stands in some, quotes escaped.
struct Escaped<'a> {
    text: &'a str,
    quotes: bool,
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.text;
        while let Some((before, after)) = rest
            .find(|c| c == '\\' || c == '\n' || (c == '"' && self.quotes))
            .and_then(|at| rest.split_at_checked(at))
        {
            f.write_str(before)?;
            let mut after = after.chars();
            f.write_str(match after.next() {
                Some('\n') => "\\n",
                Some('"') => "\\\"",
                _ => "\\\\",
            })?;
            rest = after.as_str();
        }
        f.write_str(rest)
    }
}
