//! Tokens are renewed while samples flow.

use std::fs;

use flux_simulator::{
    Config, Simulator,
    instance::{Hold, Need},
};
use system_tests::{Gateways, TestCollector, collector::Credential, is, within};
use tempfile::TempDir;

use super::*;

/// A collector looks for a new token every 5 s.
const DEADLINE: Duration = Duration::from_secs(60);

/// Streams that a collector opens in this test.
const STREAMS: usize = 3;

#[tokio::test]
async fn a_token_is_renewed_under_load_and_no_sample_is_lost() {
    let flags = ["--max-age", "2s", "--interval", "200ms"];
    let Some(cluster) = Cluster::start(&flags).await else { return };
    let (lead, folder) = (cluster.pod("mc0", 0).await, TempDir::new().unwrap());
    let (file, next) = (folder.path().join("token"), folder.path().join("next"));
    let renew = async || {
        fs::write(&next, cluster.token(&lead, &[]).await).unwrap();
        fs::rename(&next, &file).unwrap();
    };
    renew().await;
    let broker = Simulator::start(Config::new(folder.path())).await.unwrap();
    let uri = format!("local://{}", broker.socket(0).display());
    let gateways = Gateways::one(cluster.gateway.ingest);
    let credential = Credential::TokenFile(file.clone());
    let _collector = TestCollector::start_as(&cluster.ca, gateways, &uri, &credential);
    let client = cluster.gateway.client();
    let waiting = async || client.metric("mc0", "job_queue_state_sched_count").await;
    let mut submitted = eventually("it reports", waiting).await;
    let log = cluster.plane.audit_log();
    within(DEADLINE, "tokens of several streams were reviewed", async || {
        renew().await;
        broker.submit_held(Need::Nodes(1), None, Hold::Urgency).unwrap();
        submitted += 1.0;
        // Each change arrives, and there is a value all along.
        eventually("the job is counted", async || {
            is(waiting().await.expect("it is readable all along") == submitted)
        })
        .await;
        let reviews = fs::read_to_string(&log).unwrap();
        let reviews = reviews.lines().filter(|line| {
            line.contains(r#""resource":"tokenreviews""#) && line.contains(r#""code":201"#)
        });
        is(reviews.count() >= STREAMS)
    })
    .await;
}
