//! The way to the Kubernetes API server: found, read and checked once, at the start.
//!
//! ```text
//!  --kubernetes, --kubeconfig ──▶ Reach ──▶ connect ──▶ Kubernetes ──▶ pods, auth, authority
//! ```
//!
//! Nothing is asked of the API server here, so that a gateway starts while it is down.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use http::{HeaderValue, header::USER_AGENT};
use kube::{
    Client, Config,
    config::{InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError},
};
use thiserror::Error;

mod refused;
mod single;

pub use refused::{Refused, reason, reason_of_watch};
pub use single::single;

/// How long a connection to the API server may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the API server may be silent within a request. Longer than [`WATCH_DURATION`] and the
/// 5 s that `kube` grants it to end a watch.
const READ_TIMEOUT: Duration = Duration::from_secs(75);

/// How long a write may take.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long one watch lasts before another goes on where it ended. A connection that died without
/// a word is noticed by then.
pub const WATCH_DURATION: Duration = Duration::from_secs(60);

/// Who asks, as the API server's audit log names it.
const AGENT: &str = concat!("fluxgauge-gateway/", env!("CARGO_PKG_VERSION"));

/// Set in every container of a pod.
const SERVICE_HOST: &str = "KUBERNETES_SERVICE_HOST";

/// Where the token of the pod's service account is mounted.
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// How the API server is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// By the service account of the pod, if this is a pod that has one; else not at all.
    #[default]
    Auto,
    /// Not at all.
    Off,
    /// By the service account of the pod.
    InCluster,
    /// By the current context of this kubeconfig.
    Kubeconfig(PathBuf),
}

/// Why the way to the API server is not known. The texts are whole: those of `kube` tell their
/// causes themselves.
#[derive(Debug, Error)]
pub enum ReachError {
    /// The service account cannot be used.
    #[error(
        "cannot reach Kubernetes as a pod: {0}; mount a service account, give --kubeconfig FILE, \
         or do without by --kubernetes off"
    )]
    InCluster(InClusterError),
    /// The kubeconfig cannot be used.
    #[error("cannot use --kubeconfig {}: {problem}", path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: KubeconfigError,
    },
    /// A certificate, a key or a token cannot be used.
    #[error("cannot use the credentials for Kubernetes: {0}")]
    Credentials(Box<kube::Error>),
}

/// A way to the API server, with bounds on what each request may take. Cheap to clone.
#[derive(Clone)]
pub struct Kubernetes(Client);

impl Kubernetes {
    /// A client for requests.
    pub fn client(&self) -> Client {
        self.0.clone()
    }
}

impl fmt::Debug for Kubernetes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kubernetes").finish_non_exhaustive()
    }
}

/// Finds the way; none where Kubernetes is not to be asked. Must be called in a tokio runtime.
///
/// # Errors
///
/// When no client can be made from what the process was given.
pub async fn connect(reach: &Reach) -> Result<Option<Kubernetes>, ReachError> {
    let config = match reach {
        Reach::Off => return Ok(None),
        Reach::Auto if !is_pod() => return Ok(None),
        Reach::Auto | Reach::InCluster => Config::incluster().map_err(ReachError::InCluster)?,
        Reach::Kubeconfig(path) => from_file(path)
            .await
            .map_err(|problem| ReachError::Kubeconfig { path: path.clone(), problem })?,
    };
    let credentials = |error| ReachError::Credentials(Box::new(error));
    let client = Client::try_from(bounded(config)).map_err(credentials)?;
    Ok(Some(Kubernetes(client)))
}

fn is_pod() -> bool {
    std::env::var_os(SERVICE_HOST).is_some() && Path::new(TOKEN).is_file()
}

async fn from_file(path: &Path) -> Result<Config, KubeconfigError> {
    let file = Kubeconfig::read_from(path)?;
    Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await
}

fn bounded(mut config: Config) -> Config {
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    // Else the time that a connection was idle would count.
    config.reset_reader_on_write = true;
    config.write_timeout = Some(WRITE_TIMEOUT);
    config.headers.push((USER_AGENT, HeaderValue::from_static(AGENT)));
    config
}

#[cfg(test)]
mod tests;
