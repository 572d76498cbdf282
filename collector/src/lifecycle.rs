//! When a collector is done: the end conditions of a MiniCluster's pod.
//!
//! A pod of a Job finishes only when all of its containers do, so that a collector which runs on
//! keeps the user's Job from completing. The operator's script leaves a marker when Flux is done.

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use crate::state::State;

/// The file that the operator's script touches at its end, below the root.
const MARKER: &str = "mnt/flux/flux-operator-complete.txt";

/// How long the broker has to be gone once the marker is there: it may be restarting.
const GRACE: Duration = Duration::from_secs(10);

/// How often the marker is looked for.
const PERIOD: Duration = Duration::from_secs(1);

/// Returns, with the reason, when the MiniCluster is complete, or when no broker could be reached
/// for `gone_exit`.
pub(crate) async fn end(
    root: &Path,
    gone_exit: Option<Duration>,
    mut state: watch::Receiver<State>,
) -> String {
    let marker = root.join(MARKER);
    let mut gone_since = Some(Instant::now());
    // A marker that was there when a broker was met is from an earlier run in the same pod.
    let mut stale: Option<SystemTime> = None;
    loop {
        let touched = std::fs::metadata(&marker).and_then(|file| file.modified()).ok();
        let connected = state.borrow_and_update().connected;
        match (connected, gone_since) {
            (true, Some(_)) => {
                gone_since = None;
                stale = touched;
            }
            (true, None) => {}
            (false, None) => gone_since = Some(Instant::now()),
            (false, Some(since)) => {
                let gone = since.elapsed();
                if gone >= GRACE && touched.is_some() && touched != stale {
                    return "the MiniCluster is complete".to_owned();
                }
                if let Some(limit) = gone_exit.filter(|limit| gone >= *limit) {
                    let limit = humantime::format_duration(limit);
                    return format!("no broker for {limit}, the limit of --gone-exit");
                }
            }
        }
        tokio::select! {
            Ok(()) = state.changed() => {}
            () = sleep(PERIOD) => {}
        }
    }
}

#[cfg(test)]
mod tests;
