//! All replicas are replaced while they are read.

use std::{io, time::Duration};

use flux_simulator::{Config, Simulator};
use fluxgauge_collector::uplink::Resolve;
use fluxgauge_proto::catalogue::{CATALOGUE, Metric, Scope, Source};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::ListParams;
use system_tests::{TestCollector, ca::INGEST_NAME, client::metric_path, within};
use tempfile::TempDir;

use super::*;
use crate::reads::{MANY, Reads};

/// Longer than the warm-up of a replica and the drain of another, on a machine that does ten things
/// at once.
const DEADLINE: Duration = Duration::from_secs(90);

#[test]
fn a_rolling_update_fails_no_read_since_collectors_come_before_readers() {
    let name =
        "rolling_update::a_rolling_update_fails_no_read_since_collectors_come_before_readers";
    run(name, async |cluster| {
        cluster.install().await;
        add_minicluster_pod(cluster).await;
        let sockets = TempDir::new().unwrap();
        let flux = Simulator::start(Config::new(sockets.path())).await.unwrap();
        let uri = format!("local://{}", flux.socket(0).display());
        let dns = Dns(Api::namespaced(cluster.client.clone(), "fluxgauge"));
        let file = sockets.path().join("ca.crt");
        std::fs::write(&file, cluster.bundle().await).unwrap();
        let collector = TestCollector::start_trusting(&file, dns, &uri);
        let reads = Reads::start(&cluster.plane, &paths()).await;

        let mut known = cluster.replicas().await;
        assert_eq!(known.len(), 2);
        cluster.shell("kubectl -n fluxgauge rollout restart deployment fluxgauge-gateway").await;
        for _ in 0..2 {
            let new = within(DEADLINE, "there is one more", async || {
                let is_new = |pod: &Pod| !known.iter().any(|known| known.uid() == pod.uid());
                cluster.replicas().await.into_iter().find(is_new).ok_or("not yet")
            })
            .await;
            becomes_ready_with_all_metrics(cluster, &new).await;
            known.push(new);
        }
        cluster.is_available().await;
        let [_, _, new @ ..] = &known[..] else { panic!("{known:?}") };
        within(DEADLINE, "the old ones have ended", async || {
            let pods = cluster.replicas().await;
            let names = |pods: &[Pod]| pods.iter().map(ResourceExt::name_any).collect::<Vec<_>>();
            if names(&pods) == names(new) { Ok(()) } else { Err(names(&pods)) }
        })
        .await;
        reads.wait_for_more(MANY).await;
        assert_eq!(reads.failures(), [""; 0]);
        drop(collector);
    });
}

/// A read of each kind.
fn paths() -> [String; 4] {
    [
        metric_path("mc0", "node_up_count"),
        of_pod("broker_up"),
        format!("{HPC}/metrics/node_up_count"),
        "/apis/external.metrics.k8s.io/v1beta1/namespaces/hpc/node_up_count".to_owned(),
    ]
}

/// Waits for what collectors say, and then for the moment from which it is asked.
async fn becomes_ready_with_all_metrics(cluster: &Installation, replica: &Pod) {
    let client = cluster.client(replica).await;
    let heard = async || client.metric("mc0", "node_up_count").await;
    eventually("the collector reports there", heard).await;
    let readiness = async || client.get("/readyz").await.status;
    assert_eq!(readiness().await, 500, "the collector came after the warm-up");
    eventually("it is ready", async || {
        let status = readiness().await;
        if status == 200 { Ok(()) } else { Err(status) }
    })
    .await;
    // An average takes its whole window to be known; whether one takes jobs is said of each queue.
    let at_once = |metric: &&Metric| metric.window.is_none() && metric.source != Source::Queues;
    for metric in CATALOGUE.iter().filter(at_once) {
        let path = match metric.scope {
            Scope::Broker => of_pod(metric.name),
            _ => metric_path("mc0", metric.name),
        };
        let answer = client.get(&path).await;
        assert!(answer.value().is_ok(), "{path}: {answer:?}");
    }
}

/// Answers as the cluster's DNS does for a headless Service: by the addresses of its EndpointSlices
/// that are ready, or are to be published though they are not.
pub(super) struct Dns(pub(super) Api<EndpointSlice>);

impl Resolve for Dns {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        assert_eq!((host, port), (INGEST_NAME, INGEST));
        let own = ListParams::default().labels("kubernetes.io/service-name=fluxgauge-ingest");
        let slices = self.0.list(&own).await.map_err(io::Error::other)?;
        let endpoints = slices.into_iter().flat_map(|slice| slice.endpoints);
        let ready = endpoints.filter(|endpoint| {
            endpoint.conditions.as_ref().and_then(|conditions| conditions.ready) != Some(false)
        });
        let addresses = ready.flat_map(|endpoint| endpoint.addresses);
        Ok(addresses.map(|address| SocketAddr::new(address.parse().unwrap(), port)).collect())
    }
}
