//! Fluxgauge in a control plane, installed by the commands of `deploy/README.md`.
//!
//! The manifests are applied as they are. Gateways run as [`Kubelet`] runs them, and the aggregator
//! asks the addresses of their pods, as the EndpointSlice controller finds them.

use std::{fs, net::SocketAddr, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Stdio};

use control_plane::{Aggregation, ControlPlane, Extent, MINICLUSTER_CRD, Options};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::{Api, ResourceExt, api::ListParams};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    Client, TestCa,
    ca::ClientPair,
    eventually,
    kubelet::{self, Kubelet},
    network_namespace, plane,
};

/// Where gateways run.
pub const NAMESPACE: &str = "fluxgauge";

/// A control plane, and a folder in which the commands of the instructions are run.
pub struct Installation {
    /// The control plane, with MiniClusters defined.
    pub plane: ControlPlane,
    /// A client of it, as the administrator.
    pub client: kube::Client,
    folder: TempDir,
}

impl Installation {
    /// Runs a test of this `name`, as `--exact` takes it, in a network namespace and beside a kubelet
    /// that runs `program`; where there is no Go or no such namespace, a line says that it is
    /// skipped. Nothing is installed yet.
    pub fn run(name: &str, program: &str, test: impl AsyncFnOnce(&Self)) {
        network_namespace::run(name, async {
            let Some(this) = Self::start().await else { return };
            let kubelet = Kubelet::new(&this.plane, NAMESPACE, program).await;
            tokio::select! {
                () = kubelet.run() => {}
                () = test(&this) => {}
            }
        });
    }

    async fn start() -> Option<Self> {
        let options = Options {
            extent: Extent::Controllers,
            aggregation: Aggregation::Endpoints,
            definitions: MINICLUSTER_CRD,
            ..Options::default()
        };
        let plane = plane::start(&options).await?;
        let folder = TempDir::new().unwrap();
        std::os::unix::fs::symlink(deploy(), folder.path().join("deploy")).unwrap();
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).unwrap();
        let kubectl = bin.join("kubectl");
        fs::write(&kubectl, script(&plane)).unwrap();
        fs::set_permissions(&kubectl, fs::Permissions::from_mode(0o755)).unwrap();
        let client = plane::client(&plane).await;
        Some(Self { plane, client, folder })
    }

    /// Follows the instructions under this heading: each command must succeed without a warning.
    /// Returns what they print.
    pub async fn follow(&self, heading: &str) -> String {
        let instructions = fs::read_to_string(deploy().join("README.md")).unwrap();
        let section = instructions.split("\n## ").find(|section| section.starts_with(heading));
        let section = section.unwrap_or_else(|| panic!("no {heading} in deploy/README.md"));
        let blocks = section.split("```sh\n").skip(1);
        let commands: String =
            blocks.map(|block| block.split("```").next().unwrap_or_default()).collect();
        self.shell(&commands).await
    }

    /// Installs all, and waits until both replicas are ready and all versions are available.
    pub async fn install(&self) {
        self.follow("2. The gateway").await;
        self.is_available().await;
    }

    /// Waits until both replicas are ready, and all versions are available.
    pub async fn is_available(&self) {
        self.shell(
            "kubectl -n fluxgauge rollout status deployment fluxgauge-gateway --timeout=120s
            kubectl wait --for=condition=Available --timeout=60s \
              apiservices -l app.kubernetes.io/part-of=fluxgauge",
        )
        .await;
    }

    /// Runs commands as a user would in a checkout. Returns what they print.
    ///
    /// # Panics
    ///
    /// When one fails: says which, and why.
    pub async fn shell(&self, commands: &str) -> String {
        self.try_shell(commands).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// The same where they may fail. A warning of kubectl is a failure, as is a field that the API
    /// server does not know.
    ///
    /// # Errors
    ///
    /// What they print until one fails, which, and why.
    pub async fn try_shell(&self, commands: &str) -> Result<String, String> {
        let path = std::env::var("PATH").unwrap();
        let output = Command::new("bash")
            .args(["-euxo", "pipefail", "-c", commands])
            .current_dir(self.folder.path())
            .env("PATH", format!("{}:{path}", self.folder.path().join("bin").display()))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        if output.status.success() { Ok(out) } else { Err(format!("{out}\n{err}")) }
    }

    /// The gateways' pods that are there to stay and have an address, oldest first.
    pub async fn replicas(&self) -> Vec<Pod> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), NAMESPACE);
        let mut pods = pods.list(&ListParams::default()).await.unwrap().items;
        pods.retain(|pod| pod.metadata.deletion_timestamp.is_none());
        pods.retain(|pod| kubelet::address(pod).is_some());
        pods.sort_by_key(ResourceExt::creation_timestamp);
        pods
    }

    /// Waits for a replica that is none of these.
    pub async fn new_replica(&self, known: &[Pod]) -> Pod {
        eventually("there is a new replica", async || {
            let is_new = |pod: &Pod| !known.iter().any(|known| known.uid() == pod.uid());
            self.replicas().await.into_iter().find(is_new).ok_or("not yet")
        })
        .await
    }

    /// What a replica has logged, also one that is gone.
    pub fn log(&self, replica: &Pod) -> String {
        fs::read_to_string(kubelet::log(&self.plane, &replica.name_any())).unwrap()
    }

    /// Applies the base with these components, a list, and more variables of the gateway, a list in
    /// YAML.
    pub async fn overlay(&self, components: &str, variables: &str) {
        self.write_overlay(components, variables);
        self.shell("kubectl apply -k .").await;
    }

    /// What that is.
    pub async fn kustomize(&self, components: &str, variables: &str) -> String {
        self.write_overlay(components, variables);
        self.shell("kubectl kustomize .").await
    }

    fn write_overlay(&self, components: &str, variables: &str) {
        let env = if variables.is_empty() { " []" } else { variables };
        let kustomization = format!(
            "resources: [deploy/base]
components: {components}
patches:
  - patch: |-
      apiVersion: apps/v1
      kind: Deployment
      metadata: {{name: fluxgauge-gateway, namespace: fluxgauge}}
      spec:
        template:
          spec:
            containers:
              - name: gateway
                env:{env}
"
        );
        fs::write(self.folder.path().join("kustomization.yaml"), kustomization).unwrap();
    }

    /// The CA that gateways publish, once they have.
    pub async fn bundle(&self) -> String {
        self.bundle_in(NAMESPACE).await
    }

    /// The same as it is in a namespace.
    pub async fn bundle_in(&self, namespace: &str) -> String {
        let config_maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), namespace);
        eventually("the CA is published", async || {
            let found = config_maps.get_opt("fluxgauge-ca").await.unwrap();
            found.and_then(|mut found| found.data.as_mut()?.remove("ca.crt")).ok_or("not yet")
        })
        .await
    }

    /// A client of one replica, by a certificate of one who may do everything.
    pub async fn client(&self, replica: &Pod) -> Client {
        let kubeconfig = self.plane.user_kubeconfig("past-the-aggregator", Some("system:masters"));
        let own = ClientPair::of_kubeconfig(&kubeconfig.unwrap());
        let address = SocketAddr::from((kubelet::address(replica).unwrap(), kubelet::API));
        Client::trusting(&self.bundle().await, address, Some(&own))
    }

    /// Makes a certificate of this authority, as an administrator does who has one: `ca.crt`, `tls.crt`
    /// and `tls.key`.
    pub fn make_certificate(&self, ca: &TestCa) {
        fs::write(self.folder.path().join("ca.crt"), ca.pem()).unwrap();
        ca.write_leaf(self.folder.path());
    }
}

/// kubectl as the administrator, to whom every warning is an error.
fn script(plane: &ControlPlane) -> String {
    let command = plane.kubectl_command();
    let command = command.as_std();
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| format!("'{}'", word.to_str().unwrap())).collect();
    format!("#!/bin/sh\nexport KUBERC=off\nexec {} --warnings-as-errors \"$@\"\n", words.join(" "))
}

fn deploy() -> PathBuf {
    let deploy = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("deploy");
    deploy.canonicalize().unwrap()
}
