//! Moments as Kubernetes writes them: `Time`, in whole seconds.

use std::fmt;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::encoding::Message;

/// A moment. As text it is RFC 3339 in UTC.
pub(crate) struct Time(pub(crate) Timestamp);

impl Time {
    pub(crate) fn write_fields(&self, message: &mut Message<'_>) {
        message.integer(1, self.0.as_second());
        // Nanoseconds: Kubernetes neither writes nor reads them.
        message.integer(2, 0);
    }
}

impl fmt::Display for Time {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:.0}", self.0)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
