//! The task that owns the watch.

use std::{collections::HashMap, pin::pin, sync::Arc, time::Duration};

use futures_util::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1 as api;
use kube::{
    Api,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};

use super::{Known, MAX_PODS, Pod, Pods, SELECTOR, Shared, Stage, Unknown};
use crate::kubernetes::{Kubernetes, WATCH_DURATION};

/// Pods in one answer to a list: at 10 KiB each about 5 MiB.
const PAGE: u32 = 500;

/// The shortest time between two states: a burst of ten thousand events costs ten states a second,
/// each of a few milliseconds.
const PUBLISH_INTERVAL: Duration = Duration::from_millis(100);

/// How long pods that were too many are left alone before they are counted again.
const TOO_MANY_PAUSE: Duration = Duration::from_secs(60);

/// Keeps `pods` what Kubernetes says, for ever. `listed` is told when the first list is complete.
/// MiniClusters that are gone are remembered for as long as `remember`.
pub async fn follow(kubernetes: &Kubernetes, pods: &Shared, remember: Duration, listed: &Notify) {
    let config = watcher::Config::default()
        .labels(SELECTOR)
        .page_size(PAGE)
        .timeout(u32::try_from(WATCH_DURATION.as_secs()).unwrap_or(u32::MAX));
    loop {
        // Attempts to reach the API server come 0.8 s to 30 s apart.
        let events =
            watcher(Api::<api::Pod>::all(kubernetes.client()), config.clone()).default_backoff();
        Watch::new(pods, remember, listed).run(events).await;
        tracing::error!(
            "MiniClusters have more than {MAX_PODS} pods: none of them and no sum is served until \
             they are fewer"
        );
        pods.publish(Pods::Unknown(Unknown::TooMany));
        sleep(TOO_MANY_PAUSE).await;
    }
}

/// Namespace and name.
type Key = (Arc<str>, Arc<str>);

type Held = HashMap<Key, Arc<Pod>>;

/// One watch, from its first list on.
struct Watch<'a> {
    pods: &'a Shared,
    remember: Duration,
    listed: &'a Notify,
    /// All pods that count.
    held: Held,
    /// Those of a list that is not complete.
    listing: Held,
    /// When a change is published; `None` while there is none.
    due: Option<Instant>,
    published: Option<Instant>,
}

/// There are more than [`MAX_PODS`].
struct TooMany;

impl<'a> Watch<'a> {
    fn new(pods: &'a Shared, remember: Duration, listed: &'a Notify) -> Self {
        let (held, listing) = (Held::new(), Held::new());
        Self { pods, remember, listed, held, listing, due: None, published: None }
    }

    /// Applies events until there are too many pods.
    async fn run(
        &mut self,
        events: impl Stream<Item = Result<Event<api::Pod>, watcher::Error>> + Send,
    ) {
        let mut events = pin!(events);
        loop {
            let due = self.due;
            tokio::select! {
                event = events.next() => match event {
                    Some(Ok(event)) => {
                        if self.apply(event).is_err() {
                            return;
                        }
                    }
                    // The stream reconnects by itself; what is known stays.
                    Some(Err(error)) => complain(&error),
                    None => return,
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.publish();
                }
            }
        }
    }

    fn apply(&mut self, event: Event<api::Pod>) -> Result<(), TooMany> {
        match event {
            Event::Init => self.listing.clear(),
            Event::InitApply(pod) => {
                keep(&mut self.listing, pod)?;
            }
            Event::InitDone => {
                self.held = std::mem::take(&mut self.listing);
                self.publish();
                self.listed.notify_one();
            }
            Event::Apply(pod) => {
                if keep(&mut self.held, pod)? {
                    self.change();
                }
            }
            Event::Delete(pod) => {
                if key(&pod).is_some_and(|key| self.held.remove(&key).is_some()) {
                    self.change();
                }
            }
        }
        Ok(())
    }

    fn change(&mut self) {
        let now = Instant::now();
        let soonest = self.published.map_or(now, |published| published + PUBLISH_INTERVAL);
        self.due.get_or_insert(soonest);
    }

    fn publish(&mut self) {
        let now = Instant::now();
        let next = match &**self.pods.load() {
            Pods::Known(known) => known.next(self.held.values(), now, self.remember),
            Pods::Unwatched | Pods::Unknown(_) => {
                Known::default().next(self.held.values(), now, self.remember)
            }
        };
        self.pods.publish(Pods::Known(next));
        self.published = Some(now);
        self.due = None;
    }
}

/// Says what the API server said, or why it said nothing.
fn complain(error: &watcher::Error) {
    use watcher::Error::{InitialListFailed, WatchError, WatchFailed, WatchStartFailed};
    let what = "the watch of pods is interrupted";
    match error {
        InitialListFailed(kube::Error::Api(status))
        | WatchStartFailed(kube::Error::Api(status))
        | WatchFailed(kube::Error::Api(status))
        | WatchError(status) => tracing::warn!(error = status.message, "{what}"),
        other => tracing::warn!(error = other as &dyn std::error::Error, "{what}"),
    }
}

fn key(pod: &api::Pod) -> Option<Key> {
    let metadata = &pod.metadata;
    Some((metadata.namespace.as_deref()?.into(), metadata.name.as_deref()?.into()))
}

/// Keeps a pod if it counts, and forgets it if it does no more. Says whether anything changed.
fn keep(held: &mut Held, pod: api::Pod) -> Result<bool, TooMany> {
    let Some(key) = key(&pod) else {
        return Ok(false);
    };
    let counts = |pod: &Pod| match pod.stage {
        Stage::Live | Stage::Ending => true,
        // That the lead has completed ends the MiniCluster; of others it means nothing.
        Stage::Completed => pod.index == 0,
        Stage::Gone => false,
    };
    let Some(pod) = Pod::of(pod).filter(counts) else {
        return Ok(held.remove(&key).is_some());
    };
    if held.get(&key).is_some_and(|known| **known == pod) {
        return Ok(false);
    }
    if held.len() >= MAX_PODS && !held.contains_key(&key) {
        return Err(TooMany);
    }
    held.insert(key, Arc::new(pod));
    Ok(true)
}

#[cfg(test)]
mod tests;
