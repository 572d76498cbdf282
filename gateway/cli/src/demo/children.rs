//! The processes of the demo: started, listened to, and ended with it.
//!
//! Each child is followed by a task that copies its output to a log file and waits for its end.
//! What always holds: no child outlives the demo. [`Children::stop`] ends them in order; when it
//! is never called, dropping [`Children`] kills them, and so does the kernel when the demo itself
//! is killed (see `part`).

use std::{
    collections::VecDeque,
    ffi::OsString,
    fmt,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    fs::File,
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::unix::pipe,
    process::{Child, Command},
    sync::oneshot,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

/// How long a child may take to end before it is killed.
pub const GRACE: Duration = Duration::from_secs(5);

/// Lines of a child that ended that are shown.
pub const LAST_LINES: usize = 10;

/// Bytes of a line; longer ones are broken.
const MAX_LINE_BYTES: u64 = 4 * 1024;

/// Bytes of a log file, a day of a talkative child; what comes after is not kept.
const MAX_LOG_BYTES: usize = 64 * 1024 * 1024;

/// Variables that would make a child do something else than its arguments say: all of the
/// daemons' own, by prefix, and two that the collector reads in a pod.
const OWN_VARIABLES: (&str, [&str; 2]) = ("FLUXGAUGE_", ["FLUX_URI", "JOB_COMPLETION_INDEX"]);

/// What a child is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A Flux broker without Flux.
    Simulator,
    /// Serves the metrics.
    Gateway,
    /// Reads the broker and reports to the gateway.
    Collector,
    /// The Flux Operator and what runs in pods, where there is a control plane.
    Minicluster,
}

impl Role {
    /// The subcommand, and the name of the log file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Simulator => "simulator",
            Self::Gateway => "gateway",
            Self::Collector => "collector",
            Self::Minicluster => "minicluster",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A child that was started.
#[derive(Debug)]
pub struct Started {
    /// What it is for.
    pub role: Role,
    /// Its process id.
    pub pid: u32,
    /// The first line of its output that begins with what it was started for to say. Ends without
    /// one when the child does.
    pub announced: oneshot::Receiver<String>,
}

/// A child that ended.
#[derive(Debug)]
pub struct End {
    /// What it was for.
    pub role: Role,
    /// Its process id.
    pub pid: u32,
    /// How it ended.
    pub status: io::Result<ExitStatus>,
    /// The last of its output, at most [`LAST_LINES`].
    pub last_lines: VecDeque<String>,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {}) ended: ", self.role, self.pid)?;
        match &self.status {
            Ok(status) => write!(f, "{status}"),
            Err(error) => write!(f, "its exit status is unknown: {error}"),
        }
    }
}

/// All children.
#[derive(Debug)]
pub struct Children {
    program: PathBuf,
    logs: PathBuf,
    temporary: PathBuf,
    verbose: bool,
    stop: CancellationToken,
    running: JoinSet<End>,
}

impl Children {
    /// None yet. Each will log to a file of its own in `logs`, and if `verbose` to standard error,
    /// and have its temporary files in `temporary`.
    ///
    /// # Errors
    ///
    /// When the system does not say which program this is.
    pub fn new(logs: &Path, temporary: &Path, verbose: bool) -> io::Result<Self> {
        Ok(Self {
            program: std::env::current_exe()?,
            logs: logs.to_owned(),
            temporary: temporary.to_owned(),
            verbose,
            stop: CancellationToken::new(),
            running: JoinSet::new(),
        })
    }

    /// Starts this program as another part of the demo.
    ///
    /// # Errors
    ///
    /// When there can be no process or no log file.
    pub async fn start(
        &mut self,
        role: Role,
        args: &[OsString],
        announcement: &'static str,
    ) -> io::Result<Started> {
        let file = File::create(self.logs.join(format!("{role}.log"))).await?;
        let (reader, writer) = io::pipe()?;
        let mut command = Command::new(&self.program);
        command
            .args(["--parent", &std::process::id().to_string(), role.name()])
            .args(args)
            .env("TMPDIR", &self.temporary)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            // Ctrl-C in the terminal is for the demo alone, which then ends its children.
            .process_group(0)
            .kill_on_drop(true);
        let (prefix, names) = OWN_VARIABLES;
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with(prefix) || names.contains(&name)) {
                command.env_remove(name);
            }
        }
        let child = command.spawn()?;
        // It holds the writing end of the pipe, which would never end.
        drop(command);
        let pid = child.id().unwrap_or_default();
        let (sender, announced) = oneshot::channel();
        let log = Log {
            role,
            file,
            written: 0,
            verbose: self.verbose,
            announcement: Some((announcement, sender)),
            last_lines: VecDeque::with_capacity(LAST_LINES),
        };
        let output = pipe::Receiver::from_owned_fd(reader.into())?;
        let stop = self.stop.clone();
        self.running.spawn(async move {
            let (status, last_lines) = tokio::join!(wait(child, stop), log.keep(output));
            End { role, pid, status, last_lines }
        });
        Ok(Started { role, pid, announced })
    }

    /// The next child that ends; waits for ever when none runs.
    pub async fn next_end(&mut self) -> End {
        loop {
            match self.running.join_next().await {
                Some(Ok(end)) => return end,
                // A task that panicked has killed its child.
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// Ends all children: SIGTERM, and after [`GRACE`] SIGKILL.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.running.join_next().await.is_some() {}
    }

    /// How a person starts a part again, as a line for a shell.
    pub fn command_line(&self, role: Role, args: &[OsString]) -> String {
        let program = [self.program.as_os_str(), role.name().as_ref()];
        let words = program.into_iter().chain(args.iter().map(OsString::as_os_str));
        words.map(|word| quote(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
    }
}

/// A word for a shell, in quotes where it needs them.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Waits for the end of a child, and from `stop` on sees to it.
async fn wait(mut child: Child, stop: CancellationToken) -> io::Result<ExitStatus> {
    if let Some(status) = stop.run_until_cancelled(child.wait()).await {
        return status;
    }
    // The child is not waited for yet, so its id is still its own.
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // CONT: one that a person stopped shall hear it too. Both fail only if it just ended.
        kill_process(pid, Signal::TERM).ok();
        kill_process(pid, Signal::CONT).ok();
    }
    if let Ok(status) = tokio::time::timeout(GRACE, child.wait()).await {
        return status;
    }
    child.kill().await?;
    child.wait().await
}

/// Where the output of a child goes.
struct Log {
    role: Role,
    file: File,
    written: usize,
    verbose: bool,
    announcement: Option<(&'static str, oneshot::Sender<String>)>,
    last_lines: VecDeque<String>,
}

impl Log {
    /// Reads all output, and returns the last of it. A log that cannot be written stops no child.
    async fn keep(mut self, output: pipe::Receiver) -> VecDeque<String> {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        loop {
            line.clear();
            let mut bounded = (&mut output).take(MAX_LINE_BYTES);
            match bounded.read_until(b'\n', &mut line).await {
                Ok(1..) => self.line(&line).await,
                Ok(0) | Err(_) => break,
            }
        }
        self.file.flush().await.ok();
        self.last_lines
    }

    async fn line(&mut self, bytes: &[u8]) {
        if self.written < MAX_LOG_BYTES {
            self.written += bytes.len();
            self.file.write_all(bytes).await.ok();
        }
        let text = String::from_utf8_lossy(bytes).trim_end().to_owned();
        if self.verbose {
            writeln!(io::stderr(), "{:11} | {text}", self.role).ok();
        }
        if let Some((_, sender)) =
            self.announcement.take_if(|(prefix, _)| text.starts_with(*prefix))
        {
            // Whoever asked may be gone.
            sender.send(text.clone()).ok();
        }
        if self.last_lines.len() == LAST_LINES {
            self.last_lines.pop_front();
        }
        self.last_lines.push_back(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_a_shell_would_change_are_quoted() {
        let table = [
            ("https://localhost:1/a", "https://localhost:1/a"),
            ("a b", "'a b'"),
            ("pods/*/up?x=y", "'pods/*/up?x=y'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
        ];
        for (word, quoted) in table {
            assert_eq!(quote(word), quoted);
        }
    }
}
