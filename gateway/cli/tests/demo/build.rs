//! The build of the control plane, where Go is a script that plays it.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::{sleep, timeout},
};

use crate::process::DEADLINE;

/// Starts a copy of the program, outside of the folder in which the tests build the real one, with
/// a Go that does this when it is to build.
fn demo(dir: &TempDir, build: &str) -> Child {
    let program = dir.path().join("fluxgauge");
    fs::copy(env!("CARGO_BIN_EXE_fluxgauge"), &program).unwrap();
    let script = format!(
        "#!/bin/sh\n\
         case $1 in\n\
         version) echo go version go1.26.0 linux/amd64 ;;\n\
         build) {build} ;;\n\
         esac\n"
    );
    let go = dir.path().join("go");
    fs::write(&go, script).unwrap();
    fs::set_permissions(&go, fs::Permissions::from_mode(0o755)).unwrap();
    Command::new(program)
        .args(["demo", "--kubernetes"])
        .env("PATH", format!("{}:/usr/bin:/bin", dir.path().display()))
        .env("XDG_CACHE_HOME", cache(dir))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

fn cache(dir: &TempDir) -> PathBuf {
    dir.path().join("cache")
}

/// The only folder in the cache of this program.
fn folder(dir: &TempDir) -> PathBuf {
    let folder = fs::read_dir(cache(dir).join("fluxgauge")).unwrap().next();
    folder.unwrap().unwrap().path()
}

#[tokio::test]
async fn a_demo_that_ends_while_go_builds_ends_go_first() {
    let dir = tempfile::tempdir().unwrap();
    let build = "trap 'echo ended > ended; exit 1' INT; echo > begun; echo k8s.io/api >&2; \
                 while :; do sleep 0.1; done";
    let mut demo = demo(&dir, build);
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    let line = timeout(DEADLINE, lines.next_line()).await.unwrap().unwrap().unwrap();
    assert!(line.starts_with("Building the control plane in "), "{line}");
    // The line comes before Go is there.
    timeout(DEADLINE, async {
        while !folder(&dir).join("go/begun").exists() {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
    let pid = i32::try_from(demo.id().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
    let status = timeout(DEADLINE, demo.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(0));
    let ended = fs::read_to_string(folder(&dir).join("go/ended"));
    assert_eq!(ended.unwrap(), "ended\n");
}

#[tokio::test]
async fn a_go_that_fails_is_1_with_the_last_that_it_said() {
    let dir = tempfile::tempdir().unwrap();
    let demo = demo(&dir, "echo no network >&2; exit 3");
    let output = timeout(DEADLINE, demo.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    let folder = folder(&dir);
    let expected = format!("in {} ended with exit status: 3", folder.display());
    assert!(text.contains(&expected) && text.ends_with("  no network\n"), "{text}");
}
