//! A daemon as a process of its own.

use std::{ffi::OsStr, path::Path, process::Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

/// A process that is killed when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts `program` with these arguments and variables, and no others of Fluxgauge, Flux or
    /// OpenTelemetry.
    pub fn start<A: AsRef<OsStr>>(
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = A>,
        variables: &[(&str, &str)],
    ) -> Self {
        Self::start_logged(program, args, variables, Stdio::inherit())
    }

    /// The same, with its standard error to `log`.
    pub fn start_logged<A: AsRef<OsStr>>(
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = A>,
        variables: &[(&str, &str)],
        log: impl Into<Stdio>,
    ) -> Self {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            let foreign = ["FLUX", "OTEL_", "KUBERNETES_", "JOB_COMPLETION_INDEX"];
            if foreign.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
                command.env_remove(&name);
            }
        }
        let mut child = command
            .args(args)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next line on standard output.
    pub async fn line(&mut self) -> String {
        self.lines.next_line().await.unwrap().expect("the process has not ended")
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id().expect("the process has not been waited for")
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(i32::try_from(self.id()).unwrap()).unwrap();
        kill_process(id, signal).unwrap();
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end and returns its exit status; `None`: a signal ended it.
    pub async fn status(mut self) -> Option<i32> {
        self.child.wait().await.unwrap().code()
    }
}

/// The path as text.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("a path of temporary files is text")
}
