//! Takes what collectors report and serves it as Kubernetes metrics APIs.
//!
//! ```text
//!  kube-apiserver ◀── authority: the certificate, and who trusts it
//!        └───────────list, watch──▶ pods ──┐
//!                                         ▼
//!  collectors ──gRPC──▶ ingest ──▶ store ──▶ query ──▶ api ──REST──▶ kube-apiserver, people, Prometheus
//!                         │▲                             │▲
//!                         │└──────────── auth ───────────┼┘──▶ kube-apiserver: who is it, who may?
//!                         └────────── telemetry ─────────┘──OTLP──▶ traces
//! ```
//!
//! Data flows one way, and so do the modules: `model` ← `store` ← {`ingest`, `query`} ← `api`,
//! {`model` ← `pods`, `derived`} ← `query`, `pods` ← `auth`, `query` ← `prometheus` ← `api`, and `auth` ← {`ingest`, `api`}.
//! `serve`, `tls`, `authority` and `telemetry` carry it and know nothing of it but `model`; `crowd` counts
//! for all. Only this file knows all of them.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use hyper_util::service::TowerToHyperService;
use metrics_api::group_version::GroupVersion;
use rustls::{
    ServerConfig,
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use thiserror::Error;
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

use crate::{
    api::{Api, Health, State},
    args::{Config, Tls},
    auth::{
        Policy, PolicyError, Readers,
        collectors::{self, Collectors},
    },
    authority::{Authority, AuthorityError},
    clock::Clock,
    ingest::{Connection, Ingest},
    kubernetes::{Kubernetes, ReachError},
    model::{Provenance, Reporter},
    pods::{Pods, Unknown},
    prometheus::Own,
    query::Rules,
    serve::{Limits, Peer, Transport},
    store::Store,
    telemetry::Traces,
    tls::{AnyClient, Certificate, Expiry, Loader, TlsError},
};

pub mod api;
pub mod args;
pub mod auth;
pub mod authority;
pub mod clock;
pub mod crowd;
pub mod derived;
pub mod ingest;
pub mod kubernetes;
pub mod model;
pub mod pods;
pub mod prometheus;
pub mod query;
pub mod run;
pub mod serve;
pub mod store;
pub mod telemetry;
pub mod tls;

/// How many times the max-age a MiniCluster that no collector reports any more is remembered, so
/// that a reader learns how old its last sample is.
const REMEMBERED_MAX_AGES: u32 = 10;

/// How long the gateway waits for the pods of MiniClusters before it is ready without. An API
/// server that is restarted is back by then; one that is not needs no metrics from anybody.
const PODS_PATIENCE: Duration = Duration::from_secs(30);

/// How long connections wait at first for a certificate that clients can trust: an API server that is
/// there answers in milliseconds. Probes are answered without one after that.
const CERTIFICATE_PATIENCE: Duration = Duration::from_secs(5);

/// Why a gateway could not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// A port could not be had.
    #[error("cannot listen on {address}, asked for by {flag}: choose another or free it")]
    Listen {
        /// The flag that names the address.
        flag: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The certificate cannot be served with.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// There is no way to a certificate in a Secret.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// Kubernetes is to be asked, and there is no way to it.
    #[error(transparent)]
    Kubernetes(#[from] ReachError),
    /// Nobody could ever read, or report.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

/// A gateway that has its ports and its certificate.
#[derive(Debug)]
pub struct Gateway {
    config: Config,
    api: TcpListener,
    ingest: TcpListener,
    certificate: Served,
    kubernetes: Option<Kubernetes>,
    trust: auth::trust::Shared,
    readers: Readers,
    pods: pods::Shared,
    collectors: Collectors,
    store: Arc<Store>,
}

/// What a gateway serves with.
#[derive(Debug)]
enum Served {
    Plain,
    Files(Certificate),
    Secret(Box<Authority>),
}

impl Served {
    /// Reads files; a Secret is read later.
    fn new(config: &Config, kubernetes: Option<&Kubernetes>) -> Result<Self, StartError> {
        let show = config.readers == Policy::Kubernetes || shows_certificates(&config.collectors);
        let clients: Arc<dyn ClientCertVerifier> = match show {
            true => Arc::new(AnyClient::new()),
            false => WebPkiClientVerifier::no_client_auth(),
        };
        Ok(match &config.tls {
            Tls::Off => Self::Plain,
            Tls::Files(files) => {
                let loader = Loader::new(&files.cert, &files.key);
                Self::Files(loader.with_client_verifier(clients).load()?)
            }
            Tls::Secret(secret) => {
                let versions = GroupVersion::of(config.groups);
                let names = versions.map(|api| format!("{}.{}", api.version(), api.group().name()));
                let (secret, names, clock) = (secret.clone(), names.collect(), Clock::system());
                Self::Secret(Box::new(Authority::new(secret, kubernetes, names, clients, clock)?))
            }
        })
    }

    /// The configuration for the next handshake, where there are any.
    fn current(&self) -> Option<watch::Receiver<Arc<ServerConfig>>> {
        match self {
            Self::Plain => None,
            Self::Files(certificate) => Some(certificate.current()),
            Self::Secret(authority) => Some(authority.current()),
        }
    }

    /// When it ends.
    fn expiry(&self) -> Expiry {
        match self {
            Self::Plain => Expiry::default(),
            Self::Files(certificate) => certificate.expiry(),
            Self::Secret(authority) => authority.expiry(),
        }
    }

    /// Whether clients can trust it.
    fn known(&self) -> watch::Receiver<bool> {
        match self {
            Self::Plain | Self::Files(_) => watch::channel(true).1,
            Self::Secret(authority) => authority.known(),
        }
    }

    /// Waits for [`CERTIFICATE_PATIENCE`], and no longer than until clients can trust it.
    fn first(&self, drain: &CancellationToken) -> impl Future<Output = ()> + use<> {
        let (mut known, drain) = (self.known(), drain.clone());
        async move {
            let known = known.wait_for(|known| *known);
            let known = tokio::time::timeout(CERTIFICATE_PATIENCE, known);
            if let Some(Err(_)) = drain.run_until_cancelled(known).await {
                tracing::warn!("answering probes without a certificate that clients can trust");
            }
        }
    }

    /// Exchanges it until `drain`.
    async fn follow(self, drain: CancellationToken) {
        match self {
            Self::Plain => {}
            Self::Files(certificate) => certificate.follow(drain).await,
            Self::Secret(authority) => {
                let _: Option<()> = drain.run_until_cancelled(Box::pin(authority.follow())).await;
            }
        }
    }
}

/// When a gateway ends.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// Readiness goes off, and everything is served for the drain delay.
    pub begin: CancellationToken,
    /// The drain delay is cut short.
    pub hurry: CancellationToken,
}

impl Gateway {
    /// Reads how to reach Kubernetes and the certificate, and takes the ports.
    ///
    /// # Errors
    ///
    /// When any cannot be had.
    pub async fn bind(config: Config) -> Result<Self, StartError> {
        let kubernetes = kubernetes::connect(&config.kubernetes).await?;
        let trust = auth::trust::Shared::default();
        let readers = Readers::new(&config.readers, kubernetes.as_ref(), &trust)?;
        let pods = pods::Shared::default();
        let collectors =
            Collectors::new(&config.collectors, kubernetes.as_ref(), &pods, readers.counters())?;
        let certificate = Served::new(&config, kubernetes.as_ref())?;
        Ok(Self {
            api: listen("--listen", config.listen).await?,
            ingest: listen("--ingest-listen", config.ingest_listen).await?,
            certificate,
            kubernetes,
            trust,
            readers,
            pods,
            collectors,
            store: Arc::new(Store::new(config.of_namespace)),
            config,
        })
    }

    /// Where the REST API and the collectors' port are.
    ///
    /// # Errors
    ///
    /// When the system does not say.
    pub fn addresses(&self) -> io::Result<(SocketAddr, SocketAddr)> {
        Ok((self.api.local_addr()?, self.ingest.local_addr()?))
    }

    /// Serves until `shutdown`, then drains; returns when the last connection is closed.
    pub async fn run(self, traces: Traces, shutdown: Shutdown) {
        let Self { config, api, ingest, certificate, kubernetes, .. } = self;
        let Self { trust, readers, pods, collectors, store, .. } = self;
        let clock = Clock::system();
        let drain = CancellationToken::new();
        let (state, health) = watch::channel(State::WarmingUp);

        let transport = certificate.current().map_or(Transport::Plain, Transport::Tls);
        let derived = config.derived.clone();
        let rules = Rules {
            max_age: config.max_age,
            service_aliases: config.service_aliases.clone(),
            derived: derived.in_use.clone(),
        };
        if kubernetes.is_some() {
            pods.publish(Pods::Unknown(Unknown::Unlisted));
        }
        let (pods_known, known) = watch::channel(kubernetes.is_none());
        let asks_kubernetes = config.readers == Policy::Kubernetes;
        let (trust_known, trusted) = watch::channel(!asks_kubernetes);
        let health = Health::new(health, known, trusted, certificate.known());
        let rest = Api::new(Arc::clone(&store), pods.clone(), rules, health);
        let own = Own {
            authorization: Arc::clone(readers.counters()),
            certificate: certificate.expiry(),
            ..Own::default()
        };
        let counters = Arc::clone(&own.streams);
        let rest = api::Service::new(rest.with_groups(config.groups).with_own(own), clock);
        let streams = Ingest {
            store: Arc::clone(&store),
            clock,
            interval: config.interval,
            max_age: config.max_age,
            on_sample: Arc::new(move |reporter: &Reporter, sample: &Provenance| {
                traces.record_sample(sample, &reporter.cluster);
            }),
            counters,
            shutdown: drain.clone(),
        };
        let callers = collectors.clone();
        let grpc = move |peer: Peer| {
            let caller = callers.on(peer.address, peer.certificates);
            streams.on(Connection::new(caller, peer.leave))
        };

        let of_readers = Limits {
            connections: config.max_connections,
            max_age: Some(config.connection_max_age),
            drain_timeout: config.drain_timeout,
        };
        let of_collectors =
            Limits { connections: config.max_collectors, max_age: None, ..of_readers };
        let first = certificate.first(&drain).shared();
        tokio::join!(
            first.clone().then(|()| serve::serve(
                api,
                transport.clone(),
                of_readers,
                move |peer: Peer| {
                    let caller = readers.on(peer.certificates).at(peer.address.ip());
                    rest.on(caller, peer.leave)
                },
                drain.clone()
            )),
            first.then(|()| serve::serve(
                ingest,
                transport.clone(),
                of_collectors,
                move |peer| TowerToHyperService::new(grpc(peer)),
                drain.clone()
            )),
            live(&state, &config, &shutdown, &drain),
            forget(&store, &pods, config.max_age, &drain),
            async {
                let _: Option<()> = drain.run_until_cancelled(collectors.follow()).await;
            },
            async {
                if let Some(kubernetes) = &kubernetes {
                    let follow = follow(kubernetes, &pods, &pods_known, &config);
                    let _: Option<()> = drain.run_until_cancelled(Box::pin(follow)).await;
                }
            },
            async {
                if let Some(kubernetes) = kubernetes.as_ref().filter(|_| asks_kubernetes) {
                    let follow = auth::follow(kubernetes, &trust, &trust_known);
                    let _: Option<()> = drain.run_until_cancelled(Box::pin(follow)).await;
                }
            },
            derived.follow(drain.clone()),
            certificate.expiry().tell(clock, drain.clone()),
            certificate.follow(drain.clone()),
        );
    }
}

/// Whether collectors may prove by certificates who they are.
fn shows_certificates(policy: &collectors::Policy) -> bool {
    matches!(policy, collectors::Policy::Proved(ways) if ways.authority.is_some())
}

async fn listen(flag: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    serve::bind(address).await.map_err(|source| StartError::Listen { flag, address, source })
}

/// Warms up, is ready, and at the end cancels `drain`.
async fn live(
    state: &watch::Sender<State>,
    config: &Config,
    shutdown: &Shutdown,
    drain: &CancellationToken,
) {
    let warm = tokio::time::sleep(config.warm_up);
    if shutdown.begin.run_until_cancelled(warm).await.is_some() {
        state.send_replace(State::Ready);
        tracing::info!("ready");
        shutdown.begin.cancelled().await;
    }
    state.send_replace(State::Draining);
    tracing::info!(delay = ?config.drain_delay, "shutting down: not ready, still serving");
    let delay = tokio::time::sleep(config.drain_delay);
    let _: Option<()> = shutdown.hurry.run_until_cancelled(delay).await;
    drain.cancel();
}

/// Keeps pods what Kubernetes says, and says in `known` when readers have what they need: one
/// interval after the first list every collector has reported again, from the pod that it is in.
async fn follow(
    kubernetes: &Kubernetes,
    pods: &pods::Shared,
    known: &watch::Sender<bool>,
    config: &Config,
) {
    // The store remembers a MiniCluster less long, also one whose stream took a max-age to end.
    let remember = config.max_age * REMEMBERED_MAX_AGES * 2;
    let listed = Notify::new();
    let all_reported = async {
        listed.notified().await;
        tokio::time::sleep(config.interval).await;
    };
    tokio::join!(pods::follow(kubernetes, pods, remember, &listed), async {
        if tokio::time::timeout(PODS_PATIENCE, all_reported).await.is_err() {
            tracing::warn!("ready though the pods of MiniClusters are not known");
        }
        known.send_replace(true);
    });
}

/// Lets go of reporters that are long gone, but for those whose pods may run.
async fn forget(store: &Store, pods: &pods::Shared, max_age: Duration, drain: &CancellationToken) {
    let mut tick = tokio::time::interval(max_age);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while drain.run_until_cancelled(tick.tick()).await.is_some() {
        let (now, pods) = (Instant::now(), pods.load());
        store.forget(now, max_age * REMEMBERED_MAX_AGES, |cluster| pods.may_run(cluster, now));
    }
}
