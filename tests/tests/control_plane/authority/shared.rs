//! Replicas share one CA.

use super::*;

#[tokio::test]
async fn replicas_that_start_at_once_share_one_ca_which_is_trusted_by_no_hand() {
    let Some(cluster) = Cluster::start().await else { return };
    let (a, b, c) = tokio::join!(cluster.replica(&[]), cluster.replica(&[]), cluster.replica(&[]));
    let replicas = [a, b, c];
    let bundle = cluster.bundle(NAMESPACE).await;
    let secret = cluster.secret().await;
    assert_eq!(secret.type_.as_deref(), Some("kubernetes.io/tls"));
    let mut served = Vec::new();
    for replica in &replicas {
        let client = Client::trusting(&bundle, replica.api, None);
        let show = async || client.try_certificate().await;
        served.push(eventually("it serves what the bundle signs", show).await);
    }
    assert!(served.iter().all(|other| *other == served[0]), "replicas serve different pairs");
    assert_eq!(text(&secret, "ca.crt"), bundle);
    let made = |replica: &Replica| replica.log().matches("made Secret").count();
    assert_eq!(replicas.iter().map(made).sum::<usize>(), 1, "one replica has made it");

    cluster.register(replicas[0].api.port(), "fluxgauge-api").await;
    for name in aggregation::names() {
        cluster.is_available(&name).await;
    }
    for replica in &replicas {
        let log = replica.log();
        assert!(!log.contains("ERROR") && !log.contains("WARN"), "{log}");
    }
}
