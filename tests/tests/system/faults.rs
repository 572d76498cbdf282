//! What a broker does wrong makes the metrics absent that rest on it, with the reason, and no
//! others.

use flux_client::Errno;
use flux_simulator::{Fault, Greeting};
use system_tests::{Path, eventually, path::SHORT, refused};

const SCHED_STATUS: &str = "resource.sched-status";

/// Waits until nodes are refused for this reason.
async fn refused_because(path: &Path, reason: &str) {
    eventually(reason, async || {
        let refusal = refused(path.metric("node_up_count").await).map_err(|v| v.to_string())?;
        if refusal.contains(reason) { Ok(()) } else { Err(refusal) }
    })
    .await;
}

#[tokio::test]
async fn an_oversized_frame_is_skipped_and_costs_its_own_metrics_only() {
    let path = Path::start(&SHORT).await;
    path.broker.fault(SCHED_STATUS, Fault::Oversized(9 * 1024 * 1024));
    refused_because(&path, "8388608").await;
    assert_eq!(path.metric("job_queue_state_run_count").await, Ok(0.0));
    path.broker.heal(SCHED_STATUS);
    path.agrees().await;
}

#[tokio::test]
async fn a_payload_that_is_no_json_costs_its_own_metrics_only() {
    let path = Path::start(&SHORT).await;
    path.broker.fault(SCHED_STATUS, Fault::NotJson);
    refused_because(&path, SCHED_STATUS).await;
    assert_eq!(path.metric("job_queue_state_run_count").await, Ok(0.0));
    path.broker.heal(SCHED_STATUS);
    path.agrees().await;
}

#[tokio::test]
async fn an_error_of_a_service_is_told_in_its_own_words() {
    let path = Path::start(&SHORT).await;
    let words = Some("the scheduler is not loaded".to_owned());
    path.broker.fault(SCHED_STATUS, Fault::Fail(Errno::EINVAL, words));
    refused_because(&path, "the scheduler is not loaded").await;
    assert_eq!(path.metric("job_queue_state_run_count").await, Ok(0.0));
    path.broker.heal(SCHED_STATUS);
    path.agrees().await;
}

#[tokio::test]
async fn malformed_frames_end_the_connection_and_a_new_one_is_made() {
    for fault in [Fault::Malformed, Fault::WrongMagic, Fault::CutShort] {
        let path = Path::start(&SHORT).await;
        path.broker.fault(SCHED_STATUS, fault);
        refused_because(&path, "").await;
        path.broker.heal(SCHED_STATUS);
        path.agrees().await;
    }
}

#[tokio::test]
async fn a_broker_that_refuses_the_connection_is_asked_again_until_it_accepts() {
    let path = Path::start(&SHORT).await;
    let errno = u8::try_from(Errno::EPERM.0).unwrap();
    path.broker.greet(Greeting::Refuse(errno));
    path.broker.drop_connections();
    refused_because(&path, "EPERM").await;
    path.broker.greet(Greeting::Accept);
    path.agrees().await;
}

#[tokio::test]
async fn a_service_that_is_not_there_is_asked_for_under_its_older_name() {
    let path = Path::start(&SHORT).await;
    path.broker.fault(SCHED_STATUS, Fault::Enosys);
    path.broker.drop_connections();
    path.agrees().await;

    path.broker.fault("sched.resource-status", Fault::Enosys);
    refused_because(&path, "ENOSYS").await;
    path.broker.heal("sched.resource-status");
    path.broker.heal(SCHED_STATUS);
    path.agrees().await;
}
