//! The demo as a process, and what it prints.

use std::{
    fs,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

/// Enough for a machine that does many other things.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// A demo that runs.
pub(crate) struct Demo {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// What was printed so far.
    pub(crate) printed: String,
    /// Where it keeps certificates and logs.
    pub(crate) dir: TempDir,
    /// How long each line may take.
    pub(crate) patience: Duration,
}

impl Demo {
    pub(crate) fn start(args: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(temporary(&dir)).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_fluxgauge"))
            .args(["demo", "--dir"])
            .arg(dir.path())
            .args(args)
            // A demo that is killed cannot remove its temporary directory.
            .env("TMPDIR", temporary(&dir))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines, printed: String::new(), dir, patience: DEADLINE }
    }

    /// The next line with all of `words`.
    pub(crate) async fn line(&mut self, words: &[&str]) -> String {
        let line = timeout(self.patience, async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                self.printed += &format!("{line}\n");
                if words.iter().all(|word| line.contains(word)) {
                    return Some(line);
                }
            }
            None
        });
        let line = line.await.ok().flatten();
        line.unwrap_or_else(|| panic!("no line with {words:?} in:\n{}", self.printed))
    }

    /// The process id of a part, once it is introduced.
    pub(crate) async fn pid(&mut self, role: &str) -> i32 {
        let line = self.line(&[role, "process"]).await;
        let pid = line.split_whitespace().skip_while(|word| *word != "process").nth(1);
        pid.unwrap().parse().unwrap()
    }

    pub(crate) fn id(&self) -> i32 {
        i32::try_from(self.child.id().unwrap()).unwrap()
    }

    /// Where it keeps what goes with it.
    pub(crate) fn temporary(&self) -> PathBuf {
        temporary(&self.dir)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        send(self.id(), signal);
    }

    pub(crate) async fn end(&mut self) -> (ExitStatus, String) {
        let end = timeout(DEADLINE, async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                self.printed += &format!("{line}\n");
            }
            self.child.wait().await.unwrap()
        });
        let status = end.await.expect("the demo does not end");
        (status, self.printed.clone())
    }
}

fn temporary(dir: &TempDir) -> PathBuf {
    dir.path().join("tmp")
}

/// Sends a signal to any process.
pub(crate) fn send(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// Whether a process runs; one that only waits to be collected does not.
pub(crate) fn runs(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

/// Does what a person does who copies a line into a shell.
pub(crate) async fn run_line(line: &str) -> String {
    let output = Command::new("sh").args(["-c", line]).output().await.unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
