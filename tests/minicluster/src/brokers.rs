//! Plays what runs in the pods of one MiniCluster: brokers of one simulated Flux, and real
//! collectors beside them.

use std::{collections::BTreeMap, io, sync::Arc};

use flux_simulator::{Config, Simulator};
use fluxgauge_collector::uplink::Resolve;
use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, ResourceExt as _,
    runtime::{WatchStreamExt as _, reflector, watcher},
};
use tokio_util::task::AbortOnDropHandle;
use tracing::{error, info, warn};

use crate::operator::{COMPLETION_INDEX, SELECTOR};

mod collector;
mod token;

use collector::Collector;

/// The brokers of a MiniCluster. Dropping it ends them; their collectors say goodbye.
#[derive(Debug)]
pub struct Brokers {
    flux: Arc<Simulator>,
    _follower: AbortOnDropHandle<()>,
}

impl Brokers {
    /// Starts a simulated Flux, all of whose ranks are offline, and follows the pods of the
    /// MiniCluster: each gets the broker of its index, and a collector that finds gateways by
    /// `resolver`. `config` says of how many ranks Flux knows: the MiniCluster's `maxSize`.
    ///
    /// # Errors
    ///
    /// When sockets cannot be made in the folder.
    pub async fn start<R>(
        client: Client,
        namespace: &str,
        minicluster: &str,
        resolver: R,
        mut config: Config,
    ) -> io::Result<Self>
    where
        R: Resolve + Clone + 'static,
    {
        config.sockets = config.shape.size;
        let ranks = 0..config.shape.size;
        let flux = Arc::new(Simulator::start(config).await?);
        for rank in ranks {
            flux.lose(rank);
        }
        let pods = Api::namespaced(client.clone(), namespace);
        let selector = watcher::Config::default().labels(&format!("{SELECTOR}={minicluster}"));
        let follower =
            Follower { client, flux: Arc::clone(&flux), resolver, running: BTreeMap::new() };
        let follower = tokio::spawn(follower.follow(pods, selector));
        Ok(Self { flux, _follower: AbortOnDropHandle::new(follower) })
    }

    /// The simulated Flux: its jobs, its true numbers, its faults.
    pub fn flux(&self) -> &Simulator {
        &self.flux
    }
}

/// Keeps a broker for each pod.
struct Follower<R> {
    client: Client,
    flux: Arc<Simulator>,
    resolver: R,
    /// By the UID of the pod.
    running: BTreeMap<String, Broker>,
}

/// What runs in a pod.
struct Broker {
    rank: u32,
    /// `None`: it was told that its pod ends.
    collector: Option<Collector>,
}

impl<R: Resolve + Clone + 'static> Follower<R> {
    async fn follow(mut self, pods: Api<Pod>, selector: watcher::Config) {
        let (known, writer) = reflector::store();
        let events = watcher(pods, selector).default_backoff().reflect(writer);
        let mut events = std::pin::pin!(events);
        while let Some(event) = events.next().await {
            match event {
                Ok(_) => self.settle(&known.state()).await,
                Err(error) => warn!(%error, "the watch of pods broke; it begins again"),
            }
        }
    }

    /// Makes what runs what the pods say.
    async fn settle(&mut self, pods: &[Arc<Pod>]) {
        let is = |pod: &Pod, uid: &String| pod.metadata.uid.as_ref() == Some(uid);
        let gone = |uid: &String| !pods.iter().any(|pod| is(pod, uid) && !has_ended(pod));
        let ended: Vec<_> = self.running.keys().filter(|uid| gone(uid)).cloned().collect();
        for uid in ended {
            if let Some(broker) = self.running.remove(&uid) {
                info!(rank = broker.rank, "the pod is gone, and its broker is lost");
                self.flux.lose(broker.rank);
            }
        }
        for pod in pods {
            let uid = pod.uid().unwrap_or_default();
            let ends = pod.metadata.deletion_timestamp.is_some();
            match self.running.get_mut(&uid) {
                // What kubelet does: SIGTERM first. The broker does not heed it: its shell does not
                // pass it on.
                Some(broker) if ends => broker.collector = None,
                None if !ends && is_ready(pod) => self.start(uid, pod).await,
                _ => {}
            }
        }
    }

    async fn start(&mut self, uid: String, pod: &Pod) {
        let Some(rank) = pod.labels().get(COMPLETION_INDEX).and_then(|index| index.parse().ok())
        else {
            return;
        };
        info!(rank, pod = pod.name_any(), "a broker joins");
        self.flux.join(rank);
        let socket = self.flux.socket(rank);
        match Collector::start(&self.client, pod, &socket, self.resolver.clone()).await {
            Ok(collector) => {
                self.running.insert(uid, Broker { rank, collector });
            }
            Err(error) => {
                error!(pod = pod.name_any(), %error, "its containers do not start");
                self.flux.lose(rank);
            }
        }
    }
}

/// Whether all its containers have ended for good.
fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}
