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
use crate::kubernetes::{Kubernetes, WATCH_DURATION};

/// Where kube-apiserver says whom the servers behind it may believe.
const NAMESPACE: &str = "kube-system";
const NAME: &str = "extension-apiserver-authentication";

/// Keeps `trust` what the ConfigMap says, for ever. Says in `known` when it was looked at for the
/// first time.
pub async fn follow(kubernetes: &Kubernetes, trust: &Shared, known: &watch::Sender<bool>) {
    let config = watcher::Config::default()
        .fields(&format!("metadata.name={NAME}"))
        .timeout(u32::try_from(WATCH_DURATION.as_secs()).unwrap_or(u32::MAX));
    let api = Api::<ConfigMap>::namespaced(kubernetes.client(), NAMESPACE);
    // Attempts to reach the API server come 0.8 s to 30 s apart.
    let events = watcher(api, config).default_backoff();
    Follow { trust, known, seen: false, complained: false }.run(events).await;
}

struct Follow<'a> {
    trust: &'a Shared,
    known: &'a watch::Sender<bool>,
    /// Whether the list that is being read has the ConfigMap.
    seen: bool,
    /// Whether the last attempt failed, and that was said.
    complained: bool,
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
                Err(error) => {
                    if !std::mem::replace(&mut self.complained, true) {
                        complain(&error);
                    }
                }
            }
        }
    }

    fn apply(&mut self, event: Event<ConfigMap>) {
        // Each attempt begins with this one, whatever becomes of it.
        if !matches!(event, Event::Init) {
            self.complained = false;
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

fn complain(error: &watcher::Error) {
    let status = match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => Some(status),
        _ => None,
    };
    if status.is_some_and(|status| status.code == 403) {
        tracing::error!(
            "may not read ConfigMap {NAMESPACE}/{NAME}: bind Role {NAME}-reader in {NAMESPACE} to \
             the gateway's account; until then nobody is believed who comes by kube-apiserver"
        );
    } else {
        tracing::warn!(
            error = error as &dyn std::error::Error,
            "the watch of ConfigMap {NAMESPACE}/{NAME} is interrupted"
        );
    }
}
