//! A Secret that somebody else fills.

use super::*;

#[tokio::test]
async fn a_secret_that_an_administrator_fills_is_served_as_it_is_and_never_written() {
    let Some(cluster) = Cluster::start().await else { return };
    let (ca, folder) = (TestCa::new(), TempDir::new().unwrap());
    // With certificates that a gateway would renew at once.
    let flags = ["--cert-lifetime=15s", "--ca-lifetime=45s", "--tls-name=more.example"];
    let read_only = cluster.replica(&[&flags[..], &["--own-ca=false"]].concat()).await;
    let told = || is(read_only.log().contains("waits until somebody makes it"));
    eventually("it waits", async || told()).await;
    // A kubelet that probes ends no pod because of that.
    let probe = read_only.lives().await;
    let ready = probe.send(get("/readyz")).await.unwrap();
    assert!(String::from_utf8_lossy(&ready.body).contains("[-]certificate failed"), "{ready:?}");

    cluster.fill(&ca, &folder).await;
    let replicas = [read_only, cluster.replica(&flags).await];
    let serve = async |ca: &TestCa| {
        for replica in &replicas {
            let client = Client::new(ca, replica.api);
            eventually("it serves the pair", async || client.try_certificate().await).await;
            let ready = client.get("/readyz?verbose").await;
            assert!(
                String::from_utf8_lossy(&ready.body).contains("[+]certificate ok"),
                "{ready:?}"
            );
        }
    };
    serve(&ca).await;
    assert_eq!(cluster.bundle(NAMESPACE).await, ca.pem());

    // What cannot be used changes nothing but the log.
    let params = PatchParams::default();
    let broken = json!({ "stringData": { "tls.crt": "half a certif" } });
    cluster.secrets().patch(SECRET, &params, &Patch::Merge(&broken)).await.unwrap();
    for replica in &replicas {
        let line = "cannot be used, serving with the old certificate: tls.crt of Secret \
                    fluxgauge/fluxgauge-serving holds no certificate in PEM form";
        eventually("the log says so", async || {
            let log = replica.log();
            if log.matches(line).count() == 1 { Ok(()) } else { Err(log) }
        })
        .await;
    }
    serve(&ca).await;

    let other = TestCa::new();
    cluster.fill(&other, &folder).await;
    serve(&other).await;
    let secret = cluster.secret().await;
    let written = secret.metadata.managed_fields.unwrap_or_default();
    let writers: Vec<_> = written.into_iter().filter_map(|entry| entry.manager).collect();
    assert!(!writers.iter().any(|writer| writer.contains("fluxgauge")), "{writers:?}");
    assert!(!secret.data.unwrap().contains_key("ca.key"));
}
