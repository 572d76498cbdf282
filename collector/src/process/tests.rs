use std::{cell::Cell, future::ready};

use super::*;

/// The status where the process is asked to end after `seconds`, and how long that took.
async fn refused(in_job: bool, seconds: u64) -> (String, u64, u32) {
    let started = tokio::time::Instant::now();
    let said = Cell::new(0);
    let shutdown = tokio::time::sleep(Duration::from_secs(seconds));
    let index = in_job.then(|| OsStr::new("0"));
    let nowhere = Path::new("/nonexistent");
    let code = refuse(index, nowhere, shutdown, || said.set(said.get() + 1)).await;
    (format!("{code:?}"), started.elapsed().as_secs(), said.get())
}

#[tokio::test(start_paused = true)]
async fn bad_configuration_ends_a_program_and_is_waited_out_in_a_pod() {
    let (success, usage) = (ExitCode::SUCCESS, ExitCode::from(64));
    assert_eq!(refused(false, 150).await, (format!("{usage:?}"), 0, 1));
    assert_eq!(refused(true, 150).await, (format!("{success:?}"), 150, 3));
}

#[tokio::test(start_paused = true)]
async fn a_flag_that_does_not_exist_is_bad_configuration() {
    let args = || ["fluxgauge-collector", "--no-such-flag"];
    let status = run(args(), None, ready(())).await;
    assert_eq!(format!("{status:?}"), format!("{:?}", ExitCode::from(64)));
    let status = run(args(), Some(OsStr::new("1")), ready(())).await;
    assert_eq!(format!("{status:?}"), format!("{:?}", ExitCode::SUCCESS));
}

#[tokio::test(start_paused = true)]
async fn bad_configuration_does_not_keep_a_complete_minicluster_from_ending() {
    let root = tempfile::tempdir().unwrap();
    let marker = root.path().join("mnt/flux/flux-operator-complete.txt");
    std::fs::create_dir_all(marker.parent().unwrap()).unwrap();
    std::fs::write(&marker, "").unwrap();
    let never = std::future::pending();
    let code = refuse(Some(OsStr::new("0")), root.path(), never, || ()).await;
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS));
}
