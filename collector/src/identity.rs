//! Who reports: namespace, MiniCluster, pod.
//!
//! A MiniCluster's custom resource can hand no field of the pod to a container, so that what no
//! flag names is read from what Kubernetes leaves in every container: `HOSTNAME`
//! (`<minicluster>-<index>`), `JOB_COMPLETION_INDEX`, the mounted service account, `/etc/hosts` and
//! `/etc/resolv.conf`. Pure functions over their contents; [`Files::read`] alone touches files.

use std::path::Path;

use fluxgauge_proto::limits::MAX_NAME_BYTES;

use crate::state::Broker;

/// Bytes of one of the files: kubelet writes some hundred, users may add a few thousand hosts.
const MAX_FILE_BYTES: u64 = 256 * 1024;

/// What flags and environment say.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// `--namespace`.
    pub namespace: Option<String>,
    /// `--minicluster`.
    pub minicluster: Option<String>,
    /// `--pod`.
    pub pod: Option<String>,
    /// `HOSTNAME`.
    pub hostname: Option<String>,
    /// `JOB_COMPLETION_INDEX`.
    pub index: Option<String>,
}

/// Contents of files; empty where there is none.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// The namespace of the mounted service account.
    pub service_account_namespace: String,
    /// `/etc/hosts`, in which kubelet writes the pod's full name.
    pub hosts: String,
    /// `/etc/resolv.conf`, whose `search` starts with the namespace.
    pub resolv_conf: String,
}

/// Who reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Of the pod.
    pub namespace: String,
    /// Of the instance.
    pub minicluster: String,
    /// The pod's name, or where it is not known its hostname; `None` outside a Job.
    pub pod: Option<String>,
    /// The headless Service that gives the pod its DNS name; empty where unknown.
    pub headless_service: String,
    /// The completion index, in a pod of a Job.
    pub index: Option<u32>,
}

/// Why it is not known who reports.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Neither given nor found.
    #[error(
        "the namespace is not known: set --namespace or FLUXGAUGE_NAMESPACE (no service account \
         is mounted, and neither /etc/hosts nor /etc/resolv.conf tells)"
    )]
    Namespace,
    /// Neither given nor found.
    #[error(
        "the name of the MiniCluster is not known: set --minicluster or FLUXGAUGE_MINICLUSTER \
         (HOSTNAME {hostname:?} is not <minicluster>-<index> of JOB_COMPLETION_INDEX {index:?})"
    )]
    MiniCluster {
        /// What `HOSTNAME` is.
        hostname: String,
        /// What `JOB_COMPLETION_INDEX` is.
        index: String,
    },
    /// A name that no Kubernetes object can have.
    #[error(
        "{what} is {name:?}, but names in Kubernetes are made of a-z, 0-9, '-' and '.', start and \
         end with a letter or a digit, and have at most {MAX_NAME_BYTES} bytes"
    )]
    Name {
        /// Which one.
        what: &'static str,
        /// What it is.
        name: String,
    },
    /// Not a number.
    #[error("JOB_COMPLETION_INDEX is {0:?}, not a number")]
    Index(String),
}

impl Files {
    /// Reads them below `root`, which is `/` but in tests.
    pub fn read(root: &Path) -> Self {
        let read = |path| read_bounded(&root.join(path)).unwrap_or_default();
        Self {
            service_account_namespace: read(
                "var/run/secrets/kubernetes.io/serviceaccount/namespace",
            ),
            hosts: read("etc/hosts"),
            resolv_conf: read("etc/resolv.conf"),
        }
    }
}

impl Identity {
    /// Puts together what is given and what is found, or says all that is wrong.
    pub fn new(given: Given, files: &Files) -> Result<Self, Vec<IdentityError>> {
        let hostname = given.hostname.unwrap_or_default();
        let mut wrong = Vec::new();

        let index = given.index.as_deref().map(str::parse::<u32>);
        if let Some(Err(_)) = index {
            wrong.push(IdentityError::Index(given.index.clone().unwrap_or_default()));
        }
        let own_name = full_name(&files.hosts, &hostname);
        let namespace = given
            .namespace
            .or_else(|| present(files.service_account_namespace.trim()))
            .or_else(|| own_name.as_ref().map(|own| own.namespace.clone()))
            .or_else(|| search_namespace(&files.resolv_conf));
        let minicluster = given.minicluster.or_else(|| {
            let prefix = hostname.strip_suffix(given.index.as_deref()?)?.strip_suffix('-')?;
            present(prefix)
        });
        // A desk's hostname may be none that Kubernetes takes.
        let in_job = given.index.is_some();
        let pod = given.pod.or_else(|| in_job.then(|| hostname.clone()));

        if namespace.is_none() {
            wrong.push(IdentityError::Namespace);
        }
        if minicluster.is_none() {
            let index = given.index.unwrap_or_default();
            wrong.push(IdentityError::MiniCluster { hostname, index });
        }
        for (what, name) in [
            ("the namespace", namespace.as_deref()),
            ("the name of the MiniCluster", minicluster.as_deref()),
            ("the name of the pod (--pod, FLUXGAUGE_POD or HOSTNAME)", pod.as_deref()),
        ] {
            if let Some(name) = name.filter(|name| !is_object_name(name)) {
                let name = name.chars().take(MAX_NAME_BYTES).collect();
                wrong.push(IdentityError::Name { what, name });
            }
        }
        match (namespace, minicluster) {
            (Some(namespace), Some(minicluster)) if wrong.is_empty() => Ok(Self {
                namespace,
                minicluster,
                pod,
                headless_service: own_name.map(|own| own.service).unwrap_or_default(),
                index: index.and_then(Result::ok),
            }),
            _ => Err(wrong),
        }
    }

    /// The pod of this broker: by its own name, or as the operator names its host.
    pub fn pod_of(&self, broker: &Broker) -> String {
        self.pod.clone().unwrap_or_else(|| self.host_of(broker))
    }

    fn host_of(&self, broker: &Broker) -> String {
        format!("{}-{}", self.minicluster, broker.rank)
    }

    /// What does not fit between this pod and the broker in it, for the log: then the collector
    /// was pointed at another pod's broker, or started by hand.
    pub fn doubts(&self, broker: &Broker) -> Vec<String> {
        let mut doubts = Vec::new();
        if let Some(index) = self.index.filter(|index| *index != broker.rank) {
            doubts.push(format!(
                "the pod's completion index is {index}, but the broker's rank is {}: the rank counts",
                broker.rank
            ));
        }
        let expected = self.host_of(broker);
        if self.index.is_some() && broker.hostname != expected {
            doubts.push(format!(
                "the broker runs on {:?}, but broker {} of MiniCluster {} runs on {expected:?}: is \
                 FLUX_URI or the name of the MiniCluster right?",
                broker.hostname, broker.rank, self.minicluster
            ));
        }
        doubts
    }
}

/// What `<ip> <hostname>.<service>.<namespace>.svc.<domain> <hostname>` says.
struct FullName {
    service: String,
    namespace: String,
}

/// The line that kubelet writes into `/etc/hosts`.
fn full_name(hosts: &str, hostname: &str) -> Option<FullName> {
    let names = hosts
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .flat_map(|line| line.split_ascii_whitespace().skip(1));
    names.filter_map(|name| name.strip_prefix(hostname)?.strip_prefix('.')).find_map(|rest| {
        let mut labels = rest.split('.');
        let (service, namespace) = (present(labels.next()?)?, present(labels.next()?)?);
        (labels.next()? == "svc").then_some(FullName { service, namespace })
    })
}

/// The first domain `<namespace>.svc.<domain>` of a `search` line.
fn search_namespace(resolv_conf: &str) -> Option<String> {
    let domains = resolv_conf
        .lines()
        .filter_map(|line| line.strip_prefix("search"))
        .flat_map(str::split_ascii_whitespace);
    domains
        .filter_map(|domain| domain.split_once('.'))
        .find(|(_, rest)| *rest == "svc" || rest.starts_with("svc."))
        .and_then(|(namespace, _)| present(namespace))
}

fn present(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// RFC 1123 subdomain.
fn is_object_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let (first, last) = (name.bytes().next(), name.bytes().next_back());
    name.len() <= MAX_NAME_BYTES
        && name.bytes().all(|byte| plain(byte) || byte == b'-' || byte == b'.')
        && first.is_some_and(plain)
        && last.is_some_and(plain)
}

/// The beginning of a file, as text.
fn read_bounded(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_FILE_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests;
