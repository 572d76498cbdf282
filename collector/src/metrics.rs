//! Flux's answers → values of metrics, as `flux resource list` and `flux jobs --stats` count.
//!
//! Pure: bytes in, a [`Reading`](crate::state::Reading) out. One module per answer; what an older
//! Flux does not say is absent, never 0. What the metrics mean is in
//! [`fluxgauge_proto::catalogue`].

pub mod broker;
pub mod demand;
pub mod jobs;
pub mod online;
pub mod queues;
#[cfg(test)]
pub(crate) mod recorded;
pub mod resources;
pub mod status;
pub mod waiting;
pub mod window;

use std::sync::Arc;

use crate::state::Values;

/// Queues whose series are reported. Each has at most 51 (14 of jobs, 22 of resources, 13 of what
/// waiting jobs need, 2 of its own state), so that 64 of them and the instance's own stay below
/// [`fluxgauge_proto::limits::MAX_SERIES`].
pub const MAX_QUEUES: usize = 64;

/// Bytes of a queue's name, so that the largest sample fits into a message.
pub const MAX_QUEUE_BYTES: usize = 128;

/// An answer that is not what Flux documents.
#[derive(Debug, thiserror::Error)]
#[error("the answer is not understood: {0}")]
pub struct Unreadable(#[from] serde_json::Error);

/// A number that JSON gave, as a value.
#[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(crate) const fn count(number: u64) -> f64 {
    number as f64
}

/// Why no queue of these can be reported, if so: a part of them would look like all of them.
pub(crate) fn too_many_queues(queues: usize) -> Option<String> {
    (queues > MAX_QUEUES).then(|| {
        format!("{queues} queues are over the limit of {MAX_QUEUES}: no queue is reported")
    })
}

/// The name as a label, unless it is too long for one.
pub(crate) fn queue_label(name: &str) -> Result<Arc<str>, String> {
    if name.len() > MAX_QUEUE_BYTES {
        return Err(format!(
            "a queue's name of {} bytes is over the limit of {MAX_QUEUE_BYTES}: it is not reported",
            name.len()
        ));
    }
    Ok(name.into())
}

/// Adds a value where there is one.
fn put(values: &mut Values, key: crate::state::Key, value: Option<u64>) {
    if let Some(value) = value {
        values.insert(key, count(value));
    }
}
