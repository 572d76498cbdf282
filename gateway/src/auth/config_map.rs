//! The task that keeps [`Trust`](super::Trust) what the cluster says.

use std::{collections::BTreeMap, pin::pin};

use futures_util::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};
use tokio::sync::watch;

use super::trust::Shared;
use crate::kubernetes::{Kubernetes, Refused, WATCH_DURATION, reason_of_watch};

/// Where kube-apiserver says whom the servers behind it may believe.
const NAMESPACE: &str = "kube-system";
const NAME: &str = "extension-apiserver-authentication";

/// What does not work while the watch does not.
const WHAT: &str = "cannot watch ConfigMap kube-system/extension-apiserver-authentication, by which it \
                    is known whose certificates to believe";

/// Keeps `trust` what the ConfigMap says, for ever. Says in `known` when it was looked at for the
/// first time.
pub async fn follow(kubernetes: &Kubernetes, trust: &Shared, known: &watch::Sender<bool>) {
    let config = watcher::Config::default()
        .fields(&format!("metadata.name={NAME}"))
        .timeout(u32::try_from(WATCH_DURATION.as_secs()).unwrap_or(u32::MAX));
    let api = Api::<ConfigMap>::namespaced(kubernetes.client(), NAMESPACE);
    // Attempts to reach the API server come 0.8 s to 30 s apart.
    let events = watcher(api, config).default_backoff();
    Follow { trust, known, seen: false, refused: Refused::default() }.run(events).await;
}

struct Follow<'a> {
    trust: &'a Shared,
    known: &'a watch::Sender<bool>,
    /// Whether the list that is being read has the ConfigMap.
    seen: bool,
    /// What was said of attempts that failed.
    refused: Refused,
}

impl Follow<'_> {
    async fn run(
        &mut self,
        events: impl Stream<Item = Result<Event<ConfigMap>, watcher::Error>> + Send,
    ) {
        let mut events = pin!(events);
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => self.apply(event),
                // The stream reconnects by itself; what is trusted stays.
                Err(error) => self.refused.say(WHAT, &reason_of_watch(&error)),
            }
        }
    }

    fn apply(&mut self, event: Event<ConfigMap>) {
        // Each attempt begins with this one, whatever becomes of it.
        if !matches!(event, Event::Init) {
            self.refused.over();
        }
        match event {
            Event::Init => self.seen = false,
            Event::InitApply(map) => {
                self.seen = true;
                self.adopt(&map.data.unwrap_or_default());
            }
            Event::Apply(map) => self.adopt(&map.data.unwrap_or_default()),
            Event::InitDone => {
                if !self.seen {
                    tracing::warn!(
                        "there is no ConfigMap {NAMESPACE}/{NAME}: no certificate of a client is \
                         believed but by what was trusted before"
                    );
                }
                self.known.send_replace(true);
            }
            Event::Delete(_) => tracing::warn!(
                "the ConfigMap {NAMESPACE}/{NAME} was deleted: what it said is still trusted"
            ),
        }
    }

    fn adopt(&self, data: &BTreeMap<String, String>) {
        let (next, problems) = self.trust.load().next(data);
        for problem in problems {
            tracing::warn!(
                "ConfigMap {NAMESPACE}/{NAME}: {problem}; what was trusted before stays"
            );
        }
        tracing::info!(
            front_proxy = next.proxy.is_some(),
            clients = next.clients.is_some(),
            "certificates of clients are believed as kube-apiserver says"
        );
        self.trust.publish(next);
    }
}
