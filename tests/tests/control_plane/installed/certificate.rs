//! A new serving certificate, while metrics are read.

use system_tests::{client::metric_path, is};

use super::*;
use crate::reads::{MANY, Reads};

#[test]
fn a_new_certificate_in_the_secret_is_served_with_and_no_read_fails() {
    let name = "certificate::a_new_certificate_in_the_secret_is_served_with_and_no_read_fails";
    run(name, async |cluster| {
        cluster.install().await;
        let replicas = cluster.replicas().await;
        let hello = fake_collector::hello("mc0");
        let collectors = report(cluster, &replicas, &hello, &[("node_up_count", 4.0)]).await;
        let reads = Reads::start(&cluster.plane, &[metric_path("mc0", "node_up_count")]).await;
        let clients: Vec<_> = replicas.iter().map(|replica| client(cluster, replica)).collect();
        let old = clients[0].certificate().await;

        cluster.make_certificate();
        cluster.follow("A new certificate").await;
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
