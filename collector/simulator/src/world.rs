//! What all connections see: the instance, the release that is played, and the faults.
//!
//! One lock around the whole, held for one answer and never across an await. Whoever changes
//! something does it through [`Shared::change`], which wakes the streams of all connections.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::{sync::watch, time::Instant};

use crate::{faults::Plan, instance::Instance, manners::Release};

/// Everything that a broker of the simulated instance knows.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) instance: Instance,
    pub(crate) release: Release,
    pub(crate) faults: Plan,
    /// Connections are those of a guest, not of the owner.
    pub(crate) guests: bool,
    /// As `state-machine.get` names it.
    pub(crate) state: String,
    /// Seconds since the epoch: the attribute `broker.starttime`.
    pub(crate) starttime: f64,
    /// When that was.
    pub(crate) started: Instant,
    /// Open streams of job-stats.
    pub(crate) watchers: usize,
    /// Where the sockets are: the attribute `rundir`.
    pub(crate) rundir: String,
}

impl World {
    /// Seconds since the broker started.
    pub(crate) fn uptime(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Seconds since the epoch, by the simulator's clock.
    pub(crate) fn now(&self) -> f64 {
        self.starttime + self.uptime()
    }
}

/// The world, and what wakes those who look at it.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    world: Arc<Mutex<World>>,
    changes: watch::Sender<u64>,
    pulses: watch::Sender<u32>,
}

impl Shared {
    pub(crate) fn new(world: World) -> Self {
        Self {
            world: Arc::new(Mutex::new(world)),
            changes: watch::Sender::new(0),
            pulses: watch::Sender::new(0),
        }
    }

    /// Looks at the world. A panic of another test's thread does not spoil it.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the world, then wakes all streams.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let result = change(&mut self.world());
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
        result
    }

    /// Publishes `heartbeat.pulse`.
    pub(crate) fn pulse(&self) {
        self.pulses.send_modify(|sequence| *sequence = sequence.wrapping_add(1));
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The newest event's sequence number.
    pub(crate) fn pulses(&self) -> watch::Receiver<u32> {
        self.pulses.subscribe()
    }
}
