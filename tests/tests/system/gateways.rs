//! One collector feeds every gateway that the name stands for.

use flux_client::Idset;
use system_tests::{Path, TestGateway};

#[tokio::test]
async fn a_gateway_that_joins_late_is_fed_beside_the_first_one() {
    let path = Path::start(&[]).await;
    let late = TestGateway::start(&path.ca, &[]).await;
    assert!(late.client().metric("mc0", "node_up_count").await.is_err());

    path.gateways.join(late.ingest);
    path.agrees_at(late.client()).await;
    path.broker.drain(&Idset::range(1, 1), "both shall know");
    path.agrees_at(late.client()).await;
    path.agrees().await;
}
