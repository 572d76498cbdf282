//! The demo with a real control plane.

use std::{env, fs, process::Stdio, time::Duration};

use control_plane::Go;
use rustix::process::Signal;
use serde_json::Value;
use tokio::process::Command;

use crate::process::{Demo, run_line, runs, send};

/// Where it is set, a test that cannot have a control plane fails instead of being skipped.
const REQUIRED: &str = "FLUXGAUGE_REQUIRE_CONTROL_PLANE";

/// The first time the control plane is built.
const BUILD_PATIENCE: Duration = Duration::from_secs(30 * 60);

/// The first burst of jobs comes within half a minute.
const PATIENCE: Duration = Duration::from_secs(180);

/// The parts of Kubernetes, and two of ours.
const PARTS: [&str; 7] = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kwok",
    "gateway",
    "minicluster",
];

#[tokio::test]
async fn an_autoscaler_resizes_the_minicluster_before_your_eyes_until_ctrl_c() {
    if let Err(error) = Go::find() {
        assert!(env::var_os(REQUIRED).is_none(), "{error}");
        println!("skipped: {error}");
        return;
    }
    let mut demo = Demo::start(&["--kubernetes"]);
    demo.patience = BUILD_PATIENCE;
    let minicluster = demo.pid("minicluster").await;
    demo.patience = PATIENCE;
    let objects = demo.line(&["kubectl get miniclusters,jobs,pods"]).await;
    let metric = demo.line(&["kubectl get --raw", "/job_queue_state_sched_count"]).await;
    let watch = demo.line(&["kubectl --kubeconfig", "get hpa -w"]).await;
    demo.line(&["0:00", " spec.size=2 "]).await;

    let changed = demo.line(&[" spec.size="]).await;
    let size = changed.split("spec.size=").nth(1).unwrap().split(' ').next().unwrap();
    assert_ne!(size, "2");
    demo.line(&["SuccessfulRescale: New size: ", size, "job_queue_state_sched_count"]).await;

    let objects = run_line(&objects).await;
    for name in ["minicluster.flux-framework.org/flux-sample", "job.batch/", "pod/flux-sample-0-"] {
        assert!(objects.contains(name), "{objects}");
    }
    let list: Value = serde_json::from_str(&run_line(&metric).await).unwrap();
    assert_eq!(list["kind"], "MetricValueList");
    assert_eq!(list["items"][0]["describedObject"]["name"], "flux-sample");
    // With a kubectl that knows nothing of this cluster but the file.
    let watch = watch.trim().trim_end_matches(" -w").replacen(
        "kubectl",
        &demo.dir.path().join("kubectl").display().to_string(),
        1,
    );
    let autoscaler = run_line(&watch).await;
    assert!(autoscaler.contains("MiniCluster/flux-sample"), "{autoscaler}");

    send(minicluster, Signal::KILL);
    demo.line(&["The minicluster", "ended: signal: 9"]).await;
    demo.line(&["ScalingActive=False FailedGetObjectMetric: "]).await;

    let children = children(demo.id());
    let running = |part: &&str| children.iter().any(|(_, name)| name == part);
    let missing: Vec<_> = PARTS.iter().filter(|part| !running(part)).collect();
    assert_eq!(missing, [&"minicluster"], "{children:?}");
    let temporary = demo.temporary();
    assert_ne!(fs::read_dir(&temporary).unwrap().count(), 0);
    demo.signal(Signal::INT);
    let (status, printed) = demo.end().await;
    assert_eq!(status.code(), Some(0), "{printed}");
    assert!(!printed.contains('\x1b'), "{printed}");
    let left: Vec<_> = children.iter().filter(|(pid, _)| runs(*pid)).collect();
    assert!(left.is_empty(), "{left:?}");
    let left: Vec<_> = fs::read_dir(&temporary).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn without_go_a_line_says_how_to_get_it() {
    let output = Command::new(env!("CARGO_BIN_EXE_fluxgauge"))
        .args(["demo", "--kubernetes"])
        .env("PATH", "")
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "fluxgauge: a real control plane needs Go 1.26 or later, and there is no go on PATH: see \
         https://go.dev/dl\n"
    );
    assert_eq!(output.stdout, b"");
}

/// The processes that a process has started, each with the part that it is: the word that names it.
fn children(parent: i32) -> Vec<(i32, String)> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let pid: i32 = entry.unwrap().file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let its_parent: i32 = fields.nth(1)?.parse().ok()?;
        let words = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        let part = words.split('\0').find(|word| PARTS.contains(word)).unwrap_or_default();
        (its_parent == parent).then(|| (pid, part.to_owned()))
    });
    processes.collect()
}
