//! What a broker says of itself.

use serde::Serialize;

use crate::world::World;

/// `broker.rusage`, of which a real broker tells more.
#[derive(Debug, Serialize)]
pub(crate) struct Usage {
    utime: f64,
    stime: f64,
    /// KiB
    maxrss: u64,
}

impl Usage {
    /// About what a broker has used after it started.
    pub(crate) const fn of_any() -> Self {
        Self { utime: 0.25, stime: 0.5, maxrss: 16_384 }
    }
}

/// `overlay.health`. The overlay network is flat: all brokers are below the first one.
#[derive(Debug, Serialize)]
pub(crate) struct Health {
    rank: u32,
    status: &'static str,
    duration: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    children: Option<Vec<Self>>,
}

impl Health {
    pub(crate) fn of(world: &World, rank: u32) -> Self {
        let (duration, online) = (world.uptime(), world.instance.online());
        let child = |rank| {
            let status = if online.contains(rank) { "full" } else { "lost" };
            Self { rank, status, duration, children: None }
        };
        let below = if rank == 0 { 1..world.instance.shape().size } else { 0..0 };
        let children: Vec<_> = below.map(child).collect();
        let is_full = children.iter().all(|child| child.status == "full");
        let status = if is_full { "full" } else { "degraded" };
        Self { rank, status, duration, children: Some(children) }
    }
}

/// `overlay.stats-get`
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct OverlayStats {
    child_count: u64,
    child_connected: u64,
    parent_count: u64,
    parent_rpc: u64,
    child_rpc: u64,
}

impl OverlayStats {
    /// Nothing is on its way.
    pub(crate) fn of(world: &World, rank: u32) -> Self {
        let (size, online) = (world.instance.shape().size, world.instance.online().len());
        let [count, connected, parents] = match rank {
            0 => [u64::from(size) - 1, online.saturating_sub(1), 0],
            _ => [0, 0, 1],
        };
        Self {
            child_count: count,
            child_connected: connected,
            parent_count: parents,
            parent_rpc: 0,
            child_rpc: 0,
        }
    }
}

/// `module.list`
#[derive(Debug, Serialize)]
pub(crate) struct Modules {
    mods: Vec<Module>,
}

#[derive(Debug, Serialize)]
struct Module {
    name: &'static str,
    sendqueue: u64,
    recvqueue: u64,
}

impl Modules {
    /// These, for which no message waits.
    pub(crate) fn idle(names: &[&'static str]) -> Self {
        let module = |name: &&'static str| Module { name, sendqueue: 0, recvqueue: 0 };
        Self { mods: names.iter().map(module).collect() }
    }
}
