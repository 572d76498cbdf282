//! What one broker says of itself, and of the way to the lead broker.

use std::time::Duration;

use serde::Deserialize;

use super::{Unreadable, count};
use crate::state::{Key, Reading, Values};

/// A broker that was asked.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Its rank.
    pub rank: u32,
    /// How long the answer took.
    pub round_trip: Duration,
    /// Seconds since it started, where that is known.
    pub uptime: Option<f64>,
    /// How often it was connected to again.
    pub reconnects: u32,
}

/// Reads `state-machine.get`.
pub fn state(json: &[u8], asked: Asked) -> Result<Reading, Unreadable> {
    #[derive(Deserialize)]
    struct Broker {
        state: String,
        /// Seconds in that state.
        duration: f64,
    }
    let Broker { state, duration } = serde_json::from_slice(json)?;
    let values = [
        ("broker_up", truth(state == "run")),
        ("broker_rank", f64::from(asked.rank)),
        ("broker_state_seconds", duration),
        ("broker_rpc_rtt_seconds", asked.round_trip.as_secs_f64()),
        ("broker_reconnects_total", f64::from(asked.reconnects)),
    ];
    let uptime = asked.uptime.map(|seconds| ("broker_uptime_seconds", seconds));
    Ok(reading(values.into_iter().chain(uptime)))
}

/// Reads `broker.ping` of the lead broker, of which only the time matters.
pub fn lead(_: &[u8], asked: Asked) -> Result<Reading, Unreadable> {
    Ok(reading([("broker_rpc_rtt_root_seconds", asked.round_trip.as_secs_f64())]))
}

/// Reads `broker.rusage`: what getrusage(2) says.
pub fn rusage(json: &[u8], _: Asked) -> Result<Reading, Unreadable> {
    #[derive(Deserialize)]
    struct Usage {
        utime: f64,
        stime: f64,
        /// KiB
        maxrss: u64,
    }
    let Usage { utime, stime, maxrss } = serde_json::from_slice(json)?;
    Ok(reading([
        ("broker_cpu_user_seconds_total", utime),
        ("broker_cpu_system_seconds_total", stime),
        ("broker_memory_max_bytes", count(maxrss.saturating_mul(1024))),
    ]))
}

/// Reads `overlay.health`.
pub fn overlay(json: &[u8], _: Asked) -> Result<Reading, Unreadable> {
    #[derive(Deserialize)]
    struct Health<'a> {
        status: &'a str,
        #[serde(borrow)]
        children: Vec<Child<'a>>,
    }
    #[derive(Deserialize)]
    struct Child<'a> {
        status: &'a str,
    }
    let Health { status, children } = serde_json::from_slice(json)?;
    let online = children.iter().filter(|child| !matches!(child.status, "lost" | "offline"));
    Ok(reading([
        ("broker_overlay_degraded", truth(matches!(status, "degraded" | "lost"))),
        ("broker_overlay_children_count", count(children.len() as u64)),
        ("broker_overlay_children_online_count", count(online.count() as u64)),
    ]))
}

/// Reads `overlay.stats-get`.
pub fn overlay_stats(json: &[u8], _: Asked) -> Result<Reading, Unreadable> {
    #[derive(Deserialize)]
    struct Stats {
        #[serde(rename = "parent-rpc")]
        parent: u64,
        #[serde(rename = "child-rpc")]
        child: u64,
    }
    let Stats { parent, child } = serde_json::from_slice(json)?;
    Ok(reading([("broker_overlay_rpcs_count", count(parent.saturating_add(child)))]))
}

/// The time since a heartbeat arrived, if one ever has.
pub fn heartbeat(age: Option<Duration>) -> Reading {
    reading(age.map(|age| ("broker_heartbeat_age_seconds", age.as_secs_f64())))
}

/// Reads `module.list`. Before 0.65 it does not count messages.
pub fn modules(json: &[u8], _: Asked) -> Result<Reading, Unreadable> {
    #[derive(Deserialize)]
    struct List {
        mods: Vec<Module>,
    }
    #[derive(Deserialize)]
    struct Module {
        sendqueue: Option<u64>,
        recvqueue: Option<u64>,
    }
    let List { mods } = serde_json::from_slice(json)?;
    let waiting = mods.iter().flat_map(|module| [module.sendqueue, module.recvqueue]).flatten();
    let most = waiting.max().map(|most| ("broker_module_queue_max", count(most)));
    Ok(reading(most))
}

fn reading(values: impl IntoIterator<Item = (&'static str, f64)>) -> Reading {
    let values: Values =
        values.into_iter().map(|(metric, value)| (Key::broker(metric), value)).collect();
    Reading { values, missing: None }
}

fn truth(is: bool) -> f64 {
    f64::from(u8::from(is))
}

#[cfg(test)]
mod tests;
