//! The control plane's program: built before everybody's eyes, or found.

use std::{
    path::PathBuf,
    sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
    time::Duration,
};

use anyhow::Context as _;
use control_plane::{BuildError, Go, Programs, Progress, programs};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

use crate::demo::screen::Screen;

/// Between two looks at what Go does.
const LOOKS: Duration = Duration::from_millis(100);

/// Lines of Go between two looks: ten thousand in a second. Go waits for who reads slower.
const LINES: usize = 1000;

/// Packages that Go compiles when it has compiled none, more or less.
const PACKAGES: usize = 2000;

/// Packages between two lines, where there is no terminal.
const PACKAGES_A_LINE: usize = 250;

/// Finds the program, or builds it and shows how that gets on.
///
/// # Errors
///
/// When there is no Go, or Go fails.
pub(super) async fn built(screen: &mut Screen) -> anyhow::Result<Programs> {
    let go = Go::find()?;
    let dir = programs::dir().context("there is no place to build in: set HOME")?;
    let mut build = Build::begin(go, dir.clone());
    let mut packages = 0;
    let mut tick = interval(LOOKS);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        loop {
            match build.look() {
                Ok(Step::Waits) => {
                    screen.say("Another process builds the control plane: waiting.")?;
                }
                Ok(Step::Begins(_)) => {
                    let dir = dir.display();
                    let text = "5 to 10 minutes the first time";
                    screen.say(&format!("Building the control plane in {dir}: {text}."))?;
                }
                Ok(Step::Line(line)) => {
                    packages += 1;
                    let text = format!("{packages} of about {PACKAGES} packages: {line}");
                    if screen.is_terminal() {
                        screen.pass(&text)?;
                    } else if packages % PACKAGES_A_LINE == 0 {
                        screen.say(&text)?;
                    }
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return build.end().await,
            }
        }
    }
}

/// A build on a thread of its own. Dropping it ends Go, and waits for that.
struct Build {
    steps: Receiver<Step>,
    thread: JoinHandle<Result<Programs, BuildError>>,
    go: Option<Pid>,
}

enum Step {
    Waits,
    Begins(u32),
    Line(String),
}

impl Build {
    fn begin(go: Go, dir: PathBuf) -> Self {
        let (sender, steps) = sync_channel(LINES);
        let thread = tokio::task::spawn_blocking(move || {
            Programs::build(&go, &dir, |progress| tell(&sender, progress))
        });
        Self { steps, thread, go: None }
    }

    fn look(&mut self) -> Result<Step, TryRecvError> {
        let step = self.steps.try_recv()?;
        if let Step::Begins(go) = step {
            self.go = i32::try_from(go).ok().and_then(Pid::from_raw);
        }
        Ok(step)
    }

    async fn end(mut self) -> anyhow::Result<Programs> {
        self.go = None;
        Ok((&mut self.thread).await.context("the build broke off")??)
    }
}

fn tell(sender: &SyncSender<Step>, progress: Progress<'_>) {
    let step = match progress {
        Progress::Waits => Step::Waits,
        Progress::Begins { go } => Step::Begins(go),
        Progress::Line(line) => Step::Line(line.to_owned()),
    };
    // Nobody looks any more: the demo ends.
    sender.send(step).ok();
}

impl Drop for Build {
    fn drop(&mut self) {
        while self.look().is_ok() {}
        if let Some(go) = self.go.filter(|_| !self.thread.is_finished()) {
            kill_process(go, Signal::INT).ok();
            // The thread ends after Go, and with it this does.
            while self.steps.recv().is_ok() {}
        }
    }
}
