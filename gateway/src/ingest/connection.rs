//! A collector's connection: who is at its other end, and whether it has a stream.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{runtime::Handle, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::auth::collectors::Caller;

/// How long a connection may stay that had a stream and has none. Whoever is refused comes by another
/// one; it would keep others out for nothing.
pub const UNUSED_TIMEOUT: Duration = Duration::from_secs(5);

/// The connection of one collector.
#[derive(Debug)]
pub struct Connection {
    pub(super) caller: Caller,
    /// Ends it when what is in flight has been answered.
    leave: CancellationToken,
    streams: AtomicUsize,
    /// Whether somebody waits for [`UNUSED_TIMEOUT`].
    watched: AtomicBool,
}

impl Connection {
    /// One without streams yet.
    pub const fn new(caller: Caller, leave: CancellationToken) -> Self {
        let (streams, watched) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self { caller, leave, streams, watched }
    }

    /// Counts a stream for as long as what this returns lives.
    pub(super) fn stream(self: &Arc<Self>) -> Occupied {
        self.streams.fetch_add(1, Relaxed);
        Occupied(Arc::clone(self))
    }

    /// Ends the connection if it gets no other stream.
    async fn leave_if_unused(self: Arc<Self>) {
        sleep(UNUSED_TIMEOUT).await;
        self.watched.store(false, Relaxed);
        if self.streams.load(Relaxed) == 0 {
            self.leave.cancel();
        }
    }
}

/// A stream of a connection.
#[derive(Debug)]
pub(super) struct Occupied(Arc<Connection>);

impl Drop for Occupied {
    fn drop(&mut self) {
        let is_last = self.0.streams.fetch_sub(1, Relaxed) == 1;
        if is_last && !self.0.watched.swap(true, Relaxed) {
            match Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn(Arc::clone(&self.0).leave_if_unused())),
                // The runtime ends, and with it all connections.
                Err(_) => self.0.leave.cancel(),
            }
        }
    }
}
