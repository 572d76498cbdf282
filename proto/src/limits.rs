//! Bounds on what travels between a collector and a gateway.
//!
//! A sender keeps them, a receiver enforces them: a stream that breaks one is ended with a status
//! that names the bound.

use std::time::Duration;

/// Bytes of one encoded message, either way. A full sample of [`MAX_SERIES`] series with queues of
/// 128 bytes is 900 KiB.
pub const MAX_MESSAGE_BYTES: usize = 1024 * 1024;

/// Series that one stream may hold: 64 queues with 55 series each, and room for the instance and
/// the broker.
pub const MAX_SERIES: usize = 4096;

/// Sources that one sample may name; there are fifteen.
pub const MAX_SOURCES: usize = 64;

/// Labels of one series.
pub const MAX_LABELS: usize = 8;

/// Bytes of a metric's name, a label's name or a label's value: Kubernetes' own bound on the
/// longest of its names (253, a DNS subdomain).
pub const MAX_NAME_BYTES: usize = 253;

/// Bytes of a free text: a failure, a reason, a version.
pub const MAX_TEXT_BYTES: usize = 1024;

/// The largest magnitude of a value. Kubernetes reads a Quantity in thousandths as an `i64`, which
/// ends at 9 223 372 036 854 775.
pub const MAX_VALUE: f64 = 9.2e15;

/// How long a value stays readable after it was last proved, unless a gateway is told otherwise.
pub const DEFAULT_MAX_AGE: Duration = Duration::from_secs(60);

/// The longest time between two samples of a healthy stream, unless a gateway wishes otherwise.
pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);

/// How often each source is proved: the max-age over this, so that three proofs may fail before
/// a healthy value is refused.
pub const PROOFS_PER_MAX_AGE: u32 = 4;

/// How long a collector waits for an [`Ack`](crate::v1::Ack) before it gives the stream up.
pub const ACK_TIMEOUT: Duration = Duration::from_secs(10);
