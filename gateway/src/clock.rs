//! The one place that reads the wall clock, so that tests can bring their own.
//!
//! Ages are measured by [`Instant`]s alone; the wall clock only dates what people and traces see.

use std::time::SystemTime;

use tokio::time::Instant;

/// Where the time of day comes from.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    wall: fn() -> SystemTime,
}

/// One moment, on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The moment on the monotonic clock, which ages are measured by.
    pub instant: Instant,
    /// The same moment as a time of day.
    pub wall: SystemTime,
}

impl Clock {
    /// The clock of the machine.
    #[allow(clippy::disallowed_methods, reason = "this is the clock that everything else takes")]
    pub const fn system() -> Self {
        Self { wall: SystemTime::now }
    }

    /// Reads both clocks.
    pub fn now(&self) -> Moment {
        Moment { instant: Instant::now(), wall: (self.wall)() }
    }
}
