//! The certificate that the gateway serves with, kept in a Secret, and a CA of its own that signs it.
//!
//! ```text
//!            ┌──────watched──── Secret ◀──created, renewed── any replica
//!            ▼                                                  ▲
//!  content ──▶ renewal: what is due next, and when ─────────────┘
//!     │
//!     ├─ the pair ────▶ tls ──▶ serve                    every replica serves the same
//!     └─ the bundle ──▶ APIServices, ConfigMaps          each watched, and put right
//! ```
//!
//! Nothing but the watch says what is in the Secret, also after this replica has written it: all
//! replicas follow one order of events. A write names the version that it was decided on, so that of
//! several replicas one succeeds. A Secret without a CA's key is somebody else's: it is served with,
//! and never written.

use std::{collections::BTreeSet, pin::pin, sync::Arc};

use futures_util::future::join_all;
use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{ConfigMap, Secret},
    kube_aggregator::pkg::apis::apiregistration::v1::APIService,
};
use kube::Api;
use rustls::{ServerConfig, server::danger::ClientCertVerifier};
use thiserror::Error;
use tokio::sync::watch;

use crate::{
    clock::Clock,
    kubernetes::Kubernetes,
    tls::{self, Expiry, Names, Pair, TlsError},
};

mod api_service;
mod carry;
mod certificate;
mod config_map;
mod content;
mod issue;
mod keep;
mod renewal;

pub use config_map::{CONFIG_MAP, CONFIG_MAP_KEY};
pub use issue::IssueError;
pub use renewal::Terms;

use keep::Keep;

/// Namespaces in which the CA is published: each costs a watch. Who has more hands the ConfigMap out
/// by what they hand out others.
pub const MAX_PUBLISHED: usize = 100;

/// Who writes, as Kubernetes notes it beside each field.
const MANAGER: &str = "fluxgauge-gateway";

/// What the command line says of the certificate in a Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The Secret's name.
    pub secret: String,
    /// The namespace of the gateway: of the Secret and of the Services. `None`: that in which the
    /// gateway runs, or of the kubeconfig.
    pub namespace: Option<String>,
    /// Whether the Secret is made where there is none, and renewed.
    pub own: bool,
    /// The Service by which kube-apiserver reads.
    pub api_service: String,
    /// The Service by which collectors report.
    pub ingest_service: String,
    /// What else clients call the gateway.
    pub names: BTreeSet<String>,
    /// How long certificates last.
    pub terms: Terms,
    /// Where else the CA is published.
    pub publish: BTreeSet<String>,
}

/// Why there is not even a pair for probes.
#[derive(Debug, Error)]
pub enum AuthorityError {
    /// Kubernetes has the Secret, and it is not asked.
    #[error(
        "--tls-secret needs Kubernetes, and there is none here: give --kubeconfig FILE, or a \
         certificate by --tls-cert and --tls-key"
    )]
    NoKubernetes,
    /// No certificate can be made.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// It cannot be served with.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// The certificate in the Secret, and what it takes to keep it.
#[derive(Debug)]
pub struct Authority {
    config: Config,
    kubernetes: Kubernetes,
    /// The namespace of the Secret and of the Services.
    namespace: String,
    /// The names of the APIServices that should trust the CA.
    api_services: Vec<String>,
    clients: Arc<dyn ClientCertVerifier>,
    clock: Clock,
    current: watch::Sender<Arc<ServerConfig>>,
    expiry: Expiry,
    /// Whether `current` is from the Secret.
    known: watch::Sender<bool>,
    bundle: watch::Sender<Option<Arc<str>>>,
}

impl Authority {
    /// Nothing is read yet: until the Secret is, probes are answered with a certificate that nobody
    /// trusts, so that an API server that is down ends no pod. `api_services` are those that should
    /// trust the CA; `clients` checks the certificates of clients.
    ///
    /// # Errors
    ///
    /// When there is no Kubernetes, or the system gives no random numbers.
    pub fn new(
        config: Config,
        kubernetes: Option<&Kubernetes>,
        api_services: Vec<String>,
        clients: Arc<dyn ClientCertVerifier>,
        clock: Clock,
    ) -> Result<Self, AuthorityError> {
        let kubernetes = kubernetes.ok_or(AuthorityError::NoKubernetes)?.clone();
        let namespace = config.namespace.clone();
        let namespace =
            namespace.unwrap_or_else(|| kubernetes.client().default_namespace().to_owned());
        let nobodys = issue::nobodys(now(clock), config.terms.ca)?;
        let pair =
            Pair { cert: nobodys.certificate.pem.into_bytes(), key: nobodys.key.into_bytes() };
        let names = Names { cert: "the first certificate".to_owned(), key: "its key".to_owned() };
        let current = watch::Sender::new(tls::configure(&pair, &names, &clients)?);
        Ok(Self {
            config,
            kubernetes,
            namespace,
            api_services,
            clients,
            clock,
            current,
            expiry: Expiry::default(),
            known: watch::Sender::new(false),
            bundle: watch::Sender::new(None),
        })
    }

    /// The configuration for the next handshake, now and after each exchange.
    pub fn current(&self) -> watch::Receiver<Arc<ServerConfig>> {
        self.current.subscribe()
    }

    /// When the certificate from the Secret ends, now and after each exchange.
    pub fn expiry(&self) -> Expiry {
        self.expiry.clone()
    }

    /// Whether there is a certificate from the Secret to serve with.
    pub fn known(&self) -> watch::Receiver<bool> {
        self.known.subscribe()
    }

    /// Keeps the Secret, and what should trust its CA, for ever.
    pub async fn follow(&self) {
        let client = self.kubernetes.client();
        let secrets = Api::<Secret>::namespaced(client.clone(), &self.namespace);
        let ours = (&*self.namespace, &*self.config.api_service);
        let api_services = self.api_services.iter().map(|name| {
            let api = Api::<APIService>::all(client.clone());
            let what = format!("APIService {name}");
            carry::carry(api, name, what, self.bundle.subscribe(), move |found, bundle| {
                api_service::verdict(found, bundle, ours)
            })
        });
        let mut namespaces = self.config.publish.clone();
        namespaces.insert(self.namespace.clone());
        let config_maps = namespaces.iter().map(|namespace| {
            let api = Api::<ConfigMap>::namespaced(client.clone(), namespace);
            let what = format!("ConfigMap {namespace}/{CONFIG_MAP}");
            carry::carry(api, CONFIG_MAP, what, self.bundle.subscribe(), config_map::verdict)
        });
        let keep = pin!(Keep::new(self, secrets).run());
        let carried = pin!(async { tokio::join!(join_all(api_services), join_all(config_maps)) });
        tokio::join!(keep, carried);
    }

    /// All names of the gateway.
    fn names(&self) -> BTreeSet<String> {
        let Config { api_service, ingest_service, names, .. } = &self.config;
        let services = [api_service, ingest_service];
        let services = services.map(|name| format!("{name}.{}.svc", self.namespace));
        names.iter().cloned().chain(services).collect()
    }
}

fn now(clock: Clock) -> Timestamp {
    Timestamp::try_from(clock.now().wall).unwrap_or(Timestamp::UNIX_EPOCH)
}
