//! The parts of a demo that are processes: started in turn, introduced by name, missed when they end.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::demo::{
    children::{Children, End, LAST_LINES, Role, Started},
    reader::Reading,
};

/// How long each part may take to be ready.
pub(crate) const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Between two attempts to read the first value.
const FIRST_READINGS: Duration = Duration::from_millis(100);

/// All parts, in the order of their start.
pub(crate) struct Parts {
    children: Children,
    logs: PathBuf,
    known: Vec<Part>,
}

/// A child as it is introduced.
pub(crate) struct Part {
    pub(crate) role: Role,
    pub(crate) pid: u32,
    /// What starts it again.
    command_line: String,
    ended: bool,
}

impl Parts {
    /// None yet; see [`Children::new`].
    pub(crate) fn new(logs: &Path, temporary: &Path, verbose: bool) -> io::Result<Self> {
        let children = Children::new(logs, temporary, verbose)?;
        Ok(Self { children, logs: logs.to_owned(), known: Vec::new() })
    }

    pub(crate) fn known(&self) -> &[Part] {
        &self.known
    }

    /// Starts a part, and waits until it says `announcement`; returns the line that begins so.
    pub(crate) async fn start(
        &mut self,
        role: Role,
        args: &[OsString],
        announcement: &'static str,
    ) -> anyhow::Result<String> {
        let started = self.spawn(role, args, announcement).await?;
        tokio::select! {
            Ok(line) = started.announced => Ok(line),
            end = self.children.next_end() => bail!(obituary(&end)),
            () = tokio::time::sleep(START_TIMEOUT) => bail!(
                "the {role} was not ready within {} s: see {}",
                START_TIMEOUT.as_secs(),
                self.log(role).display()
            ),
        }
    }

    /// Starts a part and does not wait.
    pub(crate) async fn spawn(
        &mut self,
        role: Role,
        args: &[OsString],
        announcement: &'static str,
    ) -> anyhow::Result<Started> {
        let started = self.children.start(role, args, announcement).await;
        let started = started.with_context(|| format!("cannot start the {role}"))?;
        let command_line = self.children.command_line(role, args);
        self.known.push(Part { role, pid: started.pid, command_line, ended: false });
        Ok(started)
    }

    /// Says that whoever starts a part again wants these arguments.
    pub(crate) fn again_with(&mut self, role: Role, args: &[OsString]) {
        let command_line = self.children.command_line(role, args);
        for part in self.known.iter_mut().filter(|part| part.role == role) {
            part.command_line.clone_from(&command_line);
        }
    }

    /// Waits until the way from the broker to the reader is there. The log of `teller` says why
    /// not.
    pub(crate) async fn first_value(
        &mut self,
        teller: Role,
        patience: Duration,
        mut read: impl AsyncFnMut() -> Option<Reading>,
    ) -> anyhow::Result<()> {
        let mut tick = interval(FIRST_READINGS);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = None;
        let value = async {
            loop {
                tick.tick().await;
                last = read().await;
                if let Some(Reading::Value(_)) = last {
                    return;
                }
            }
        };
        tokio::select! {
            arrived = timeout(patience, value) => if arrived.is_ok() {
                return Ok(());
            },
            end = self.children.next_end() => bail!(obituary(&end)),
        }
        let why = last.map_or_else(String::new, |last| last.to_string());
        bail!(
            "no value was seen within {} s: {why}\nThe {teller}'s log ends:\n{}",
            patience.as_secs(),
            log_end(&self.log(teller))
        )
    }

    /// The next part that ends; waits for ever when none runs.
    pub(crate) async fn next_end(&mut self) -> End {
        self.children.next_end().await
    }

    /// Reports a part that ended, and how to have it back.
    pub(crate) fn mourn(&mut self, end: &End) -> String {
        let mut text = obituary(end);
        for part in self.known.iter_mut().filter(|part| part.pid == end.pid) {
            part.ended = true;
            text += "\nNothing restarts it. To see it come back, run in another terminal:\n  ";
            text += &part.command_line;
        }
        text.push('\n');
        text
    }

    /// Who runs, in a line.
    pub(crate) fn title(&self) -> String {
        let parts = self.known.iter().map(|Part { role, pid, ended, .. }| {
            if *ended { format!("{role} ended") } else { format!("{role} {pid}") }
        });
        parts.collect::<Vec<_>>().join("  ")
    }

    /// Ends all.
    pub(crate) async fn stop(self) {
        self.children.stop().await;
    }

    fn log(&self, role: Role) -> PathBuf {
        self.logs.join(format!("{role}.log"))
    }
}

/// Flags, each with its value.
pub(crate) fn words(flags: &[(&str, &OsStr)]) -> Vec<OsString> {
    flags.iter().flat_map(|(flag, value)| [OsString::from(flag), (*value).to_owned()]).collect()
}

/// Waits until then; without a time for ever.
pub(crate) async fn until(end: Option<Instant>) {
    match end {
        Some(end) => tokio::time::sleep_until(end).await,
        None => std::future::pending().await,
    }
}

/// How a child ended and what it said at last.
fn obituary(end: &End) -> String {
    let mut text = format!("The {end}");
    if !end.last_lines.is_empty() {
        text += ". It said at last:";
    }
    for line in &end.last_lines {
        text += &format!("\n  {line}");
    }
    text
}

/// The last lines of a log, to be shown.
fn log_end(path: &Path) -> String {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().rev().take(LAST_LINES).collect();
    lines.into_iter().rev().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_tells_who_how_and_the_last_words() {
        let end = End {
            role: Role::Gateway,
            pid: 7,
            status: Err(io::Error::other("lost")),
            last_lines: ["a", "b"].map(str::to_owned).into(),
        };
        assert_eq!(
            obituary(&end),
            "The gateway (process 7) ended: its exit status is unknown: lost. It said at last:\n  \
             a\n  b"
        );
    }
}
