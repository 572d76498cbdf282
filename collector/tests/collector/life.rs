//! When a collector begins and ends.

use std::{path::Path, time::Duration};

use flux_simulator::{Config, Simulator};
use tokio::time::Instant;

use crate::{
    door,
    gateway::{Gateway, Manners},
    pod::Pod,
};

/// Where a MiniCluster has its sockets, below a pod's root.
fn rundir(root: &Path) -> std::path::PathBuf {
    let dir = root.join("mnt/flux/config/run/flux");
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

#[tokio::test]
async fn a_broker_that_starts_later_is_found_where_miniclusters_have_it() {
    let gateway = Gateway::start(Manners::default()).await;
    let pod = Pod::start_with([gateway.address], |_| {});
    let rundir = rundir(pod.root.path());
    door::refuse(&rundir, 1).await;
    let simulator = Simulator::start(Config::new(rundir)).await.unwrap();
    let heard = gateway.until("up", |heard| heard.value("node_up_count") == Some(4.0)).await;
    let hello = heard.hello.unwrap();
    assert_eq!((hello.namespace.as_str(), hello.minicluster.as_str()), ("hpc", "flux-sample"));
    assert_eq!((hello.rank, hello.size), (0, 4));
    assert!(hello.broker_start_time > 1e9);
    drop(simulator);
    pod.stop().await;
}

#[tokio::test]
async fn a_collector_without_a_broker_ends_when_it_is_told_how_long_to_wait() {
    let started = Instant::now();
    let pod = Pod::start_with([], |args| args.gone_exit = Some("1s".to_owned()));
    pod.end().await;
    let took = started.elapsed();
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn a_collector_without_broker_and_gateway_ends_when_asked_to() {
    let pod = Pod::start_with([], |_| {});
    pod.stop().await;
}
