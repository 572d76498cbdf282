//! Certificates that look after themselves: a CA of the gateways' own, its Secret, and those who are
//! told to trust it. The gateways have the rights of `deploy/` and no others.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
};

use control_plane::{ControlPlane, Options};
use fluxgauge::{args::Ca, ca};
use k8s_openapi::{
    ByteString,
    api::core::v1::{ConfigMap, Secret},
    kube_aggregator::pkg::apis::apiregistration::v1::APIService,
};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use system_tests::{
    Client, DEADLINE, Process, TestCa, aggregation, client::get, eventually, is, plane, process,
    within,
};
use tempfile::TempDir;

mod given;
mod missing;
mod shared;
mod told;

const SECRET: &str = "fluxgauge-serving";
const CONFIG_MAP: &str = "fluxgauge-ca";
const NAMESPACE: &str = "fluxgauge";

/// Attempts after which a line that comes with each would have come again.
const ATTEMPTS: usize = 3;

/// A control plane in which gateways may what `deploy/` says.
struct Cluster {
    plane: ControlPlane,
    client: kube::Client,
    /// Of the gateways' account.
    kubeconfig: PathBuf,
    logs: TempDir,
}

impl Cluster {
    async fn start() -> Option<Self> {
        let plane = plane::start(&Options::default()).await?;
        for file in
            ["base/namespace.yaml", "base/rbac.yaml", "components/external-metrics/rbac.yaml"]
        {
            plane.apply(&read(file)).await.unwrap();
        }
        let account = plane.service_account_kubeconfig(NAMESPACE, "fluxgauge-gateway").await;
        let client = plane::client(&plane).await;
        let (kubeconfig, logs) = (account.unwrap(), TempDir::new().unwrap());
        Some(Self { plane, client, kubeconfig, logs })
    }

    async fn apply(&self, file: &str) {
        self.plane.apply(&read(file)).await.unwrap();
    }

    /// Starts a gateway with a certificate in the Secret, and these flags.
    async fn replica(&self, flags: &[&str]) -> Replica {
        let number = fs::read_dir(self.logs.path()).unwrap().count();
        let log = self.logs.path().join(number.to_string());
        let always = [
            "gateway",
            "--listen=127.0.0.1:0",
            "--ingest-listen=127.0.0.1:0",
            "--warm-up=0s",
            "--kubeconfig",
            process::text(&self.kubeconfig),
            "--tls-secret",
            SECRET,
        ];
        let out = File::create(&log).unwrap();
        let args = always.iter().chain(flags);
        let mut process = Process::start_logged(env!("CARGO_BIN_EXE_child"), args, &[], out);
        let line = process.line().await;
        let address = |name: &str| -> SocketAddr {
            let (_, rest) = line.split_once(name).unwrap();
            rest.split(' ').next().unwrap().parse().unwrap()
        };
        Replica { api: address("api="), log, _process: process }
    }

    /// Registers the APIs of a gateway on this port as those of a Service of this name, trusting
    /// nobody.
    async fn register(&self, port: u16, service: &str) {
        let mut list: Value =
            serde_json::from_str(&aggregation::by_external_name("", port)).unwrap();
        for item in list["items"].as_array_mut().unwrap() {
            if item["kind"] == "APIService" {
                item["spec"].as_object_mut().unwrap().remove("caBundle");
                item["spec"]["service"]["name"] = json!(service);
            }
        }
        self.plane.apply(&list.to_string()).await.unwrap();
    }

    async fn is_available(&self, name: &str) {
        let args = ["wait", "--for=condition=Available", "--timeout=30s", "apiservice", name];
        self.plane.kubectl(&args).await.unwrap();
    }

    async fn api_service(&self, name: &str) -> APIService {
        Api::all(self.client.clone()).get(name).await.unwrap()
    }

    async fn change_api_service(&self, name: &str, change: &Value) {
        let api = Api::<APIService>::all(self.client.clone());
        api.patch(name, &PatchParams::default(), &Patch::Merge(change)).await.unwrap();
    }

    /// How often gateways were refused a resource.
    fn refusals(&self, resource: &str) -> usize {
        let log = fs::read_to_string(self.plane.audit_log()).unwrap();
        let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let refused = events.filter(|event| {
            event["responseStatus"]["code"] == 403 && event["objectRef"]["resource"] == resource
        });
        refused.count()
    }

    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), NAMESPACE)
    }

    async fn secret(&self) -> Secret {
        self.secrets().get(SECRET).await.unwrap()
    }

    /// What the ConfigMap of a namespace says, once there is one.
    async fn bundle(&self, namespace: &str) -> String {
        let config_maps = Api::<ConfigMap>::namespaced(self.client.clone(), namespace);
        eventually("the CA is published", async || {
            let found = config_maps.get_opt(CONFIG_MAP).await.unwrap();
            found.and_then(|mut found| found.data.as_mut()?.remove("ca.crt")).ok_or("not yet")
        })
        .await
    }

    /// Puts a pair of an authority into the Secret, as an administrator does.
    async fn fill(&self, ca: &TestCa, folder: &TempDir) {
        ca.write_leaf(folder.path());
        let made = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": { "name": SECRET, "namespace": NAMESPACE },
            "type": "kubernetes.io/tls",
            "stringData": {
                "tls.crt": made("tls.crt"),
                "tls.key": made("tls.key"),
                "ca.crt": ca.pem(),
            },
        });
        let args = ["apply", "--filename=-"];
        self.plane.kubectl_with_input(&args, &secret.to_string()).await.unwrap();
    }
}

/// A gateway that is a process of its own.
struct Replica {
    api: SocketAddr,
    log: PathBuf,
    _process: Process,
}

impl Replica {
    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Probes it as a kubelet does, who would end it without an answer.
    async fn lives(&self) -> Client {
        let probe = Client::prober(self.api);
        let answer = tokio::time::timeout(DEADLINE, probe.get("/livez")).await;
        assert_eq!(answer.expect("an answer").status, 200);
        probe
    }

    /// Waits until a line of the log has both, and fails where there are more.
    async fn logs_once(&self, what: &str, why: &str) {
        // Watches that are refused are tried again every 30 s at last.
        within(DEADLINE * 3, "the log says what is missing", async || {
            let log = self.log();
            let lines = log.lines().filter(|line| line.contains(what) && line.contains(why));
            match lines.count() {
                0 => Err(log),
                number => {
                    assert_eq!(number, 1, "{what}: {log}");
                    Ok(())
                }
            }
        })
        .await;
    }
}

fn text(secret: &Secret, key: &str) -> String {
    String::from_utf8(secret.data.as_ref().unwrap()[key].0.clone()).unwrap()
}

/// A file of `deploy/`.
fn read(file: &str) -> String {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("deploy");
    fs::read_to_string(deploy.join(file)).unwrap()
}
