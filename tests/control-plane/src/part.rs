//! One part of the control plane: a process with a log file.

use std::{
    fs::{self, File},
    io,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal, kill_process_group};

/// Lines of a log that an error shows.
const LAST_LINES: usize = 15;

/// A process that is killed when this is dropped. It ends too when this process does, however that
/// comes about: its standard input ends then.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) log: PathBuf,
    child: Child,
}

impl Part {
    /// Starts a subcommand of the program; it logs to a file in `logs`.
    pub(crate) fn start(
        program: &Path,
        name: &'static str,
        flags: &[String],
        logs: &Path,
    ) -> io::Result<Self> {
        let log = logs.join(format!("{name}.log"));
        let file = File::create(&log)?;
        let child = Command::new(program)
            .arg(name)
            .args(flags)
            .current_dir(logs)
            .env_remove("KUBECONFIG")
            .stdin(Stdio::piped())
            .stdout(file.try_clone()?)
            .stderr(file)
            // Ctrl-C in a terminal is for who started this.
            .process_group(0)
            .spawn()?;
        Ok(Self { name, log, child })
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// The end of its log.
    pub(crate) fn last_lines(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let last = lines.get(lines.len().saturating_sub(LAST_LINES)..).unwrap_or_default();
        last.iter().map(|line| format!("\n  {line}")).collect()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Not waited for yet, so its id is still its own. Errors say that it has ended.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            kill_process_group(pid, Signal::KILL).ok();
        }
        self.child.wait().ok();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustix::process::test_kill_process;
    use tempfile::TempDir;

    use super::*;

    fn id(part: &Part) -> Pid {
        Pid::from_raw(i32::try_from(part.child.id()).unwrap()).unwrap()
    }

    #[test]
    fn a_part_that_is_dropped_is_gone() {
        let dir = TempDir::new().unwrap();
        let mut part = Part::start(Path::new("/bin/sleep"), "1000", &[], dir.path()).unwrap();
        assert_eq!(part.ended().unwrap(), None);
        let id = id(&part);
        drop(part);
        assert!(test_kill_process(id).is_err());
    }

    #[tokio::test]
    async fn the_end_of_a_part_is_seen_and_its_last_lines_are_kept() {
        let dir = TempDir::new().unwrap();
        let mut part = Part::start(Path::new("/bin/cat"), "nowhere", &[], dir.path());
        while part.as_mut().unwrap().ended().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let last = part.unwrap().last_lines();
        assert!(last.contains("No such file"), "{last}");
    }
}
