//! A certificate that an administrator makes, exchanged while metrics are read.

use system_tests::{Client, TestCa, client::metric_path, is};

use super::*;
use crate::reads::{MANY, Reads};

#[test]
fn a_new_certificate_in_the_secret_is_served_with_and_no_read_fails() {
    let name = "certificate::a_new_certificate_in_the_secret_is_served_with_and_no_read_fails";
    run(name, async |cluster| {
        let ca = TestCa::new();
        cluster.make_certificate(&ca);
        cluster.follow("A certificate of your own").await;
        cluster.overlay("[deploy/components/given-certificate]", "").await;
        cluster.is_available().await;
        let right = "kubectl -n fluxgauge auth can-i patch secret/fluxgauge-serving \
                     --as=system:serviceaccount:fluxgauge:fluxgauge-gateway";
        let answer = cluster.try_shell(right).await.unwrap_err();
        assert!(answer.starts_with("no\n"), "{answer}");

        let replicas = cluster.replicas().await;
        let hello = fake_collector::hello("mc0");
        let collectors = report(cluster, &replicas, &hello, &[("node_up_count", 4.0)]).await;
        let reads = Reads::start(&cluster.plane, &[metric_path("mc0", "node_up_count")]).await;
        let address = |replica: &Pod| SocketAddr::from((kubelet::address(replica).unwrap(), API));
        let clients: Vec<_> =
            replicas.iter().map(|replica| Client::new(&ca, address(replica))).collect();
        let old = clients[0].certificate().await;

        cluster.make_certificate(&ca);
        cluster.follow("A certificate of your own").await;
        for client in &clients {
            eventually("the new certificate is served", async || {
                is(client.certificate().await != old)
            })
            .await;
        }
        reads.wait_for_more(MANY).await;
        assert_eq!(reads.failures(), [""; 0]);
        drop(collectors);
    });
}

#[test]
fn with_cert_manager_nothing_of_the_gateways_own_is_left() {
    let name = "certificate::with_cert_manager_nothing_of_the_gateways_own_is_left";
    run(name, async |cluster| {
        let components = "[deploy/components/external-metrics, deploy/components/cert-manager]";
        let built = cluster.kustomize(components, "").await;
        let injected = "cert-manager.io/inject-ca-from: fluxgauge/fluxgauge-serving";
        assert_eq!(built.matches(injected).count(), 3, "an APIService is left out: {built}");
        assert_eq!(built.matches("kind: APIService").count(), 3);
        assert!(built.contains("name: FLUXGAUGE_OWN_CA\n          value: \"false\""), "{built}");
        assert!(built.contains("kind: Certificate"));
    });
}
