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

use super::{Known, MAX_OUTAGE, MAX_PODS, Pod, Pods, SELECTOR, Shared, Stage, Unknown};
use crate::kubernetes::{Kubernetes, Refused, WATCH_DURATION, reason_of_watch};

/// Pods in one answer to a list: at 10 KiB each about 5 MiB.
const PAGE: u32 = 500;

/// The shortest time between two states: a burst of ten thousand events costs ten states a second,
/// each of a few milliseconds.
const PUBLISH_INTERVAL: Duration = Duration::from_millis(100);

/// What does not work while the watch does not.
const WHAT: &str =
    "cannot watch pods, by which metrics of pods and sums over a namespace are found";

/// How long pods that were too many are left alone before they are counted again.
const TOO_MANY_PAUSE: Duration = Duration::from_secs(60);

/// Keeps `pods` what Kubernetes says, for ever. `listed` is told when the first list is complete.
/// MiniClusters that are gone are remembered for as long as `remember`.
pub async fn follow(kubernetes: &Kubernetes, pods: &Shared, remember: Duration, listed: &Notify) {
    let config = watcher::Config::default()
        .labels(SELECTOR)
        .page_size(PAGE)
        .timeout(u32::try_from(WATCH_DURATION.as_secs()).unwrap_or(u32::MAX));
    let mut watch = Watch::new(pods, remember, listed);
    loop {
        // Attempts to reach the API server come 0.8 s to 30 s apart.
        let events =
            watcher(Api::<api::Pod>::all(kubernetes.client()), config.clone()).default_backoff();
        match watch.run(events).await {
            Stop::TooMany => {
                tracing::error!(
                    "MiniClusters have more than {MAX_PODS} pods: none of them and no sum is \
                     served until they are fewer"
                );
                pods.publish(Pods::Unknown(Unknown::TooMany));
                sleep(TOO_MANY_PAUSE).await;
            }
            Stop::Outage => tracing::warn!("reading all pods of MiniClusters anew"),
        }
    }
}

/// Namespace and name.
type Key = (Arc<str>, Arc<str>);

type Held = HashMap<Key, Arc<Pod>>;

/// What watches have told, one after the other.
struct Watch<'a> {
    pods: &'a Shared,
    remember: Duration,
    listed: &'a Notify,
    /// All pods that count.
    held: Held,
    /// Those of a list that is not complete.
    listing: Held,
    /// Pods that others take the place of, and that count no more. They are told once, so that their
    /// MiniCluster is not taken for one that was deleted.
    parting: Vec<Arc<Pod>>,
    /// What was published last of all that is known.
    known: Arc<Pods>,
    /// Whether this watch has had a complete list.
    is_listed: bool,
    /// Since when there are errors alone.
    failing: Option<Instant>,
    /// What was said of them.
    refused: Refused,
    /// When a change is published; `None` while there is none.
    due: Option<Instant>,
    published: Option<Instant>,
}

/// There are more than [`MAX_PODS`].
struct TooMany;

/// Why a watch goes on no more.
#[derive(Debug, PartialEq, Eq)]
enum Stop {
    /// There are more than [`MAX_PODS`].
    TooMany,
    /// It has brought errors alone for [`MAX_OUTAGE`]: only a list tells whether there was anything
    /// to bring.
    Outage,
}

impl<'a> Watch<'a> {
    fn new(pods: &'a Shared, remember: Duration, listed: &'a Notify) -> Self {
        Self {
            pods,
            remember,
            listed,
            held: Held::new(),
            listing: Held::new(),
            parting: Vec::new(),
            known: Arc::default(),
            is_listed: false,
            failing: None,
            refused: Refused::default(),
            due: None,
            published: None,
        }
    }

    /// Applies the events of one watch until another must begin.
    async fn run(
        &mut self,
        events: impl Stream<Item = Result<Event<api::Pod>, watcher::Error>> + Send,
    ) -> Stop {
        let mut events = pin!(events);
        (self.is_listed, self.due) = (false, None);
        loop {
            let due = self.due;
            tokio::select! {
                event = events.next() => match event {
                    Some(Ok(event)) => {
                        if self.apply(event).is_err() {
                            return Stop::TooMany;
                        }
                    }
                    Some(Err(_)) if self.is_outage() && self.is_listed => return Stop::Outage,
                    // The stream reconnects by itself; what is known stays.
                    Some(Err(error)) => self.refused.say(WHAT, &reason_of_watch(&error)),
                    None => return Stop::Outage,
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.publish();
                }
            }
        }
    }

    fn apply(&mut self, event: Event<api::Pod>) -> Result<(), TooMany> {
        // A list that begins has not succeeded.
        if !matches!(event, Event::Init) {
            self.failing = None;
            self.refused.over();
        }
        match event {
            Event::Init => self.listing.clear(),
            Event::InitApply(pod) => {
                keep(&mut self.listing, pod)?;
            }
            Event::InitDone => {
                self.held = std::mem::take(&mut self.listing);
                self.is_listed = true;
                self.publish();
                self.listed.notify_one();
            }
            Event::Apply(pod) => {
                let Some(key) = key(&pod) else { return Ok(()) };
                let known = self.held.get(&key).cloned();
                let stage = keep(&mut self.held, pod)?;
                let now = self.held.get(&key);
                if known.as_ref() != now {
                    if let (Some(known), None) = (&known, now) {
                        self.part(known, stage);
                    }
                    self.change();
                }
            }
            Event::Delete(pod) => {
                if let Some(known) = key(&pod).and_then(|key| self.held.remove(&key)) {
                    self.part(&known, Pod::of(pod).map(|pod| pod.stage));
                    self.change();
                }
            }
        }
        Ok(())
    }

    /// Notes that a pod counts no more, and where in its life it was seen last.
    fn part(&mut self, known: &Pod, stage: Option<Stage>) {
        if stage.is_some_and(Stage::is_replaced) {
            let mut last = known.clone();
            last.stage = Stage::Failed;
            self.parting.push(Arc::new(last));
        }
    }

    /// Notes an error, and says whether there was nothing else for [`MAX_OUTAGE`]. Where this watch
    /// has not brought a list either, what is known is too old then.
    fn is_outage(&mut self) -> bool {
        self.pods.fail();
        let now = Instant::now();
        let since = *self.failing.get_or_insert(now);
        let is_outage = now.saturating_duration_since(since) >= MAX_OUTAGE;
        if is_outage && !self.is_listed {
            tracing::error!("pods by name and sums are not served until Kubernetes tells of pods");
            self.pods.publish(Pods::Unknown(Unknown::Interrupted));
        }
        is_outage
    }

    fn change(&mut self) {
        let now = Instant::now();
        let soonest = self.published.map_or(now, |published| published + PUBLISH_INTERVAL);
        self.due.get_or_insert(soonest);
    }

    fn publish(&mut self) {
        let now = Instant::now();
        let pods = self.held.values().chain(&self.parting);
        let next = match &*self.known {
            Pods::Known(known) => known.next(pods, now, self.remember),
            Pods::Unwatched | Pods::Unknown(_) => Known::default().next(pods, now, self.remember),
        };
        self.pods.publish(Pods::Known(next));
        self.known = Arc::clone(&self.pods.load());
        self.published = Some(now);
        self.due = None;
        if !self.parting.is_empty() {
            self.parting.clear();
            self.change();
        }
    }
}

fn key(pod: &api::Pod) -> Option<Key> {
    let metadata = &pod.metadata;
    Some((metadata.namespace.as_deref()?.into(), metadata.name.as_deref()?.into()))
}

/// Keeps a pod if it counts, and forgets it if it does no more. Says where it is in its life.
fn keep(held: &mut Held, pod: api::Pod) -> Result<Option<Stage>, TooMany> {
    let Some(key) = key(&pod) else { return Ok(None) };
    let Some(pod) = Pod::of(pod) else {
        held.remove(&key);
        return Ok(None);
    };
    let stage = pod.stage;
    let counts = match stage {
        Stage::Live | Stage::Ending | Stage::Evicted => true,
        // That the lead has completed ends the MiniCluster; of others it means nothing.
        Stage::Completed => pod.index == 0,
        // Only that it has failed just now means that another is on its way.
        Stage::Failed | Stage::Gone => false,
    };
    if !counts {
        held.remove(&key);
    } else if held.len() >= MAX_PODS && !held.contains_key(&key) {
        return Err(TooMany);
    } else if held.get(&key).is_none_or(|known| **known != pod) {
        held.insert(key, Arc::new(pod));
    }
    Ok(Some(stage))
}

#[cfg(test)]
mod tests;
