//! The certificate and the CA are exchanged while metrics are read and collectors come.

use std::{fs, sync::Mutex, time::Duration};

use flux_simulator::{Config, Simulator};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use system_tests::{TestCollector, client::metric_path, is, within};
use tempfile::TempDir;

use super::{rolling_update::Dns, *};
use crate::reads::{MANY, Reads};

/// An overlap is a third: 15 s.
const LIFETIMES: &str = "
                  - {name: FLUXGAUGE_CERT_LIFETIME, value: 45s}
                  - {name: FLUXGAUGE_CA_LIFETIME, value: 1h}
                  - {name: FLUXGAUGE_PUBLISH_CA, value: hpc}";

/// How late collectors have what the ConfigMap says, as a kubelet exchanges their files.
const LATE: Duration = Duration::from_secs(5);

/// Longer than a renewal, or an overlap, takes to come.
const DEADLINE: Duration = Duration::from_secs(120);

#[test]
fn neither_a_new_certificate_nor_a_new_ca_cuts_off_a_reader_or_a_collector() {
    let name = "rotation::neither_a_new_certificate_nor_a_new_ca_cuts_off_a_reader_or_a_collector";
    run(name, async |cluster| {
        add_minicluster_pod(cluster).await;
        cluster.shell("kubectl -n hpc apply -f deploy/examples/publish-ca.yaml").await;
        cluster.overlay("[]", LIFETIMES).await;
        cluster.is_available().await;
        let volume = TempDir::new().unwrap();
        let file = volume.path().join("ca.crt");
        let first = cluster.bundle_in("hpc").await;
        fs::write(&file, &first).unwrap();

        let flux = Simulator::start(Config::new(volume.path())).await.unwrap();
        let uri = format!("local://{}", flux.socket(0).display());
        let dns = Dns(Api::namespaced(cluster.client.clone(), "fluxgauge"));
        let collector = TestCollector::start_trusting(&file, dns, &uri);
        let reads = Reads::start(&cluster.plane, &[metric_path("mc0", "node_up_count")]).await;
        let comes = Comes::default();
        let exchange = async {
            let replicas = cluster.replicas().await;
            let served = cluster.client(&replicas[0]).await.certificate().await;
            for replica in &replicas {
                within(DEADLINE, "the certificate is renewed", async || {
                    is(cluster.client(replica).await.certificate().await != served)
                })
                .await;
            }
            assert_eq!(cluster.bundle_in("hpc").await, first, "by the same CA");

            cluster.follow("Certificates").await;
            let trusts = async |authorities: usize| {
                within(DEADLINE, "the CA is published", async || {
                    let bundle = cluster.bundle_in("hpc").await;
                    let pem = CertificateDer::pem_slice_iter(bundle.as_bytes());
                    is(pem.count() == authorities && bundle != first)
                })
                .await;
            };
            trusts(2).await;
            trusts(1).await;
            comes.wait_for_more(10).await;
            reads.wait_for_more(MANY).await;

            // A replica that comes after it is met by the collector that was there before.
            let gone = replicas[0].name_any();
            cluster.shell(&format!("kubectl -n fluxgauge delete pod {gone} --wait=false")).await;
            let new = cluster.new_replica(&replicas).await;
            eventually("the collector reports there", async || {
                cluster.client(&new).await.metric("mc0", "node_up_count").await
            })
            .await;
        };
        tokio::select! {
            () = exchange => {}
            () = mount(cluster, &file) => {}
            () = comes.again_and_again(cluster, &file) => {}
        }
        assert_eq!(reads.failures(), [""; 0]);
        assert_eq!(*comes.failures.lock().unwrap(), [""; 0]);
        drop(collector);
    });
}

/// Keeps the file what the ConfigMap says, late.
async fn mount(cluster: &Installation, file: &std::path::Path) {
    loop {
        let bundle = cluster.bundle_in("hpc").await;
        tokio::time::sleep(LATE).await;
        fs::write(file, bundle).unwrap();
    }
}

/// Collectors that connect again and again, by what their file says.
#[derive(Default)]
struct Comes {
    number: Mutex<usize>,
    failures: Mutex<Vec<String>>,
}

impl Comes {
    async fn again_and_again(&self, cluster: &Installation, file: &std::path::Path) {
        let replicas = cluster.replicas().await;
        for replica in replicas.iter().cycle() {
            let bundle = fs::read_to_string(file).unwrap();
            let ingest = SocketAddr::from((kubelet::address(replica).unwrap(), INGEST));
            let is_there =
                cluster.replicas().await.iter().any(|other| other.uid() == replica.uid());
            if is_there && let Err(error) = fake_collector::try_channel(&bundle, ingest).await {
                self.failures.lock().unwrap().push(format!("{error:?}"));
            }
            *self.number.lock().unwrap() += 1;
        }
    }

    async fn wait_for_more(&self, number: usize) {
        let goal = *self.number.lock().unwrap() + number;
        let more = async || is(*self.number.lock().unwrap() >= goal);
        eventually("more collectors have come", more).await;
    }
}
