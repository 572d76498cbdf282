//! A real collector, in what the container of a pod sees: its variables, mounted ConfigMaps,
//! `/etc/hosts`, and the socket of the broker.

use std::{
    io,
    path::{Path, PathBuf},
};

use fluxgauge_collector::{
    args::{Args, Problem},
    uplink::Resolve,
};
use futures_util::future::join_all;
use k8s_openapi::api::core::v1::{ConfigMap, Container, Pod};
use kube::{Api, Client, ResourceExt as _};
use tempfile::TempDir;
use thiserror::Error;
use tokio::fs;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::token::MountedToken;
use crate::operator::COMPLETION_INDEX;

/// The variable by which the collector's container is known.
const GATEWAY: &str = "FLUXGAUGE_GATEWAY";

/// The folder where the operator has the broker's socket.
const SOCKET: &str = "mnt/flux/config/run/flux";

/// A collector. Dropping it tells it to end, as SIGTERM does; it says goodbye within a second.
#[derive(Debug)]
pub(super) struct Collector {
    _ends: DropGuard,
}

/// Why a container does not start.
#[derive(Debug, Error)]
pub(super) enum StartError {
    #[error("cannot write the files of the container: {0}")]
    Files(#[from] io::Error),
    #[error("cannot read ConfigMap {name}: {source}")]
    ConfigMap { name: String, source: Box<kube::Error> },
    #[error("cannot get a token of the service account: {0}")]
    Token(Box<kube::Error>),
    #[error("the configuration cannot be used: {0:?}")]
    Configuration(Vec<Problem>),
}

impl Collector {
    /// Starts the collector of a pod beside the broker at this socket; `None`: no container of the
    /// pod is one.
    pub(super) async fn start(
        client: &Client,
        pod: &Pod,
        socket: &Path,
        resolver: impl Resolve + 'static,
    ) -> Result<Option<Self>, StartError> {
        let mut containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        let Some(container) = containers.find(|own| variable(own, GATEWAY).is_some()) else {
            return Ok(None);
        };
        let root = TempDir::with_prefix(format!("{}-", pod.name_any()))?;
        mount(client, pod, container, root.path()).await?;
        let tokens = mount_tokens(client, pod, container, root.path()).await?;
        write(&root.path().join("etc/hosts"), &hosts(pod)).await?;
        let folder = root.path().join(SOCKET);
        fs::create_dir_all(&folder).await?;
        fs::symlink(socket, folder.join("local")).await?;
        let config = arguments(pod, container, root.path()).check();
        let config = config.map_err(StartError::Configuration)?;

        let ends = CancellationToken::new();
        let asked = ends.clone().cancelled_owned();
        let has_tokens = !tokens.is_empty();
        tokio::spawn(async move {
            tokio::select! {
                () = fluxgauge_collector::run_with(config, resolver, asked) => {}
                never = join_all(tokens.into_iter().map(MountedToken::keep)), if has_tokens => {
                    drop(never);
                }
            }
            drop(root);
        });
        Ok(Some(Self { _ends: ends.drop_guard() }))
    }
}

/// What its variables say, and those that Kubernetes sets. The ones of this process do not count.
fn arguments(pod: &Pod, container: &Container, root: &Path) -> Args {
    let set = |name| variable(container, name);
    Args {
        gateway: set(GATEWAY),
        ca: set("FLUXGAUGE_CA").map(|file| inside(root, &file)),
        interval: set("FLUXGAUGE_INTERVAL"),
        hold_down: set("FLUXGAUGE_HOLD_DOWN"),
        hostname: Some(hostname(pod)),
        completion_index: pod.labels().get(COMPLETION_INDEX).cloned(),
        root: root.to_owned(),
        ..Args::default()
    }
}

fn variable(container: &Container, name: &str) -> Option<String> {
    let variables = container.env.iter().flatten();
    variables.into_iter().find(|own| own.name == name)?.value.clone()
}

fn hostname(pod: &Pod) -> String {
    pod.spec.as_ref().and_then(|spec| spec.hostname.clone()).unwrap_or_default()
}

/// The line of the pod itself, as kubelet writes it.
fn hosts(pod: &Pod) -> String {
    let address = pod.status.as_ref().and_then(|status| status.pod_ip.as_deref());
    let service = pod.spec.as_ref().and_then(|spec| spec.subdomain.as_deref());
    format!(
        "{}\t{host}.{}.{}.svc.cluster.local\t{host}\n",
        address.unwrap_or_default(),
        service.unwrap_or_default(),
        pod.namespace().unwrap_or_default(),
        host = hostname(pod),
    )
}

/// Writes the ConfigMaps that the container mounts.
async fn mount(
    client: &Client,
    pod: &Pod,
    container: &Container,
    root: &Path,
) -> Result<(), StartError> {
    let config_maps: Api<ConfigMap> =
        Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    for mount in container.volume_mounts.iter().flatten() {
        let mut volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
        let volume = volumes.find(|volume| volume.name == mount.name);
        let Some(source) = volume.and_then(|volume| volume.config_map.as_ref()) else {
            continue; // such as the token
        };
        let failed = |source_error| StartError::ConfigMap {
            name: source.name.clone(),
            source: Box::new(source_error),
        };
        let data = config_maps.get(&source.name).await.map_err(failed)?.data.unwrap_or_default();
        for item in source.items.iter().flatten() {
            if let Some(text) = data.get(&item.key) {
                write(&inside(root, &mount.mount_path).join(&item.path), text).await?;
            }
        }
    }
    Ok(())
}

/// Writes the tokens that the container mounts, as kubelet does.
async fn mount_tokens(
    client: &Client,
    pod: &Pod,
    container: &Container,
    root: &Path,
) -> Result<Vec<MountedToken>, StartError> {
    let mut tokens = Vec::new();
    for mount in container.volume_mounts.iter().flatten() {
        let mut volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
        let volume = volumes.find(|volume| volume.name == mount.name);
        let sources = volume.and_then(|volume| volume.projected.as_ref()?.sources.as_ref());
        let folder = inside(root, &mount.mount_path);
        for source in sources.into_iter().flatten() {
            let Some(wanted) = &source.service_account_token else { continue };
            fs::create_dir_all(&folder).await?;
            let token = MountedToken::new(client, pod, wanted, folder.join(&wanted.path));
            token.write().await.map_err(|error| StartError::Token(Box::new(error)))?;
            tokens.push(token);
        }
    }
    Ok(tokens)
}

/// Where a path of the container is on this machine.
fn inside(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

async fn write(file: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).await?;
    }
    fs::write(file, text).await
}
