//! The demo: a small cluster's worth of processes on one machine, and what can be seen of them.
//!
//! In reading order: [`run`] starts the parts one after the other, each when the one before it says
//! that it is ready, introduces them, and watches until the end. What it shows it has read from its
//! own gateway, as everybody else would.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout_at},
};

use self::{
    certificates::{Certificates, Files},
    children::{Children, End, Role, Started},
    introduction::Introduction,
    reader::{Reader, Reading},
    screen::Screen,
    table::Table,
};
use crate::args::Demo;

pub mod certificates;
pub mod children;
mod introduction;
pub mod reader;
pub mod screen;
pub mod table;

/// The namespace that the demo plays.
pub const NAMESPACE: &str = "demo";

/// The MiniCluster that the demo plays.
pub const MINICLUSTER: &str = "flux-sample";

/// The pod of its lead broker, named as the Flux Operator's Job names it.
const POD: &str = "flux-sample-0-demo0";

/// The API that all of this is about.
const API: &str = "/apis/custom.metrics.k8s.io/v1beta2";

/// How long each part may take to be ready.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Between two attempts to read the first value.
const FIRST_READINGS: Duration = Duration::from_millis(100);

/// Between two readings from then on.
const READINGS: Duration = Duration::from_secs(1);

/// Runs the demo to its end.
///
/// # Errors
///
/// When a part does not start, or when no value is seen.
pub fn main(args: &Demo) -> anyhow::Result<()> {
    // On this thread: the kernel kills children when the thread ends that started them.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    runtime.block_on(run(args))
}

async fn run(args: &Demo) -> anyhow::Result<()> {
    let end = end_signal().context("cannot listen for signals")?;
    // Sockets have short paths, so theirs is not in a directory that somebody named.
    let temporary = tempfile::Builder::new()
        .prefix("fluxgauge-")
        .tempdir()
        .context("cannot make a temporary directory")?;
    let dir = match &args.dir {
        Some(dir) => made(dir).with_context(|| format!("cannot use --dir {}", dir.display()))?,
        None => temporary.path().to_owned(),
    };
    let mut story = Story {
        args,
        socket_dir: temporary.path().join("flux"),
        children: Children::new(&dir, args.verbose).context("cannot find this program's file")?,
        parts: Vec::new(),
        screen: Screen::detect(),
        dir,
    };
    let result = tokio::select! {
        result = story.play() => result,
        () = end => Ok(()),
    };
    story.children.stop().await;
    match result {
        // Whoever read along has seen enough.
        Err(error) if is_broken_pipe(&error) => Ok(()),
        result => result,
    }
}

/// Ends with the first signal that asks for the end.
fn end_signal() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}

/// A directory that is there, by its absolute path.
fn made(dir: &Path) -> io::Result<PathBuf> {
    fs::create_dir_all(dir)?;
    dir.canonicalize()
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<io::Error>();
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// A demo that is going on.
struct Story<'a> {
    args: &'a Demo,
    /// Where certificates and logs are.
    dir: PathBuf,
    /// Where the simulator makes its sockets.
    socket_dir: PathBuf,
    children: Children,
    parts: Vec<Part>,
    screen: Screen,
}

/// A child as it is introduced.
struct Part {
    role: Role,
    pid: u32,
    /// What starts it again.
    command_line: String,
    ended: bool,
}

/// Where a gateway listens.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Addresses {
    api: SocketAddr,
    ingest: SocketAddr,
}

impl Story<'_> {
    async fn play(&mut self) -> anyhow::Result<()> {
        let certificates = Certificates::create().context("cannot make certificates")?;
        let files = certificates
            .write(&self.dir)
            .with_context(|| format!("cannot write certificates to {}", self.dir.display()))?;
        let broker = match &self.args.flux_uri {
            Some(endpoint) => endpoint.to_string(),
            None => self.start_simulator().await?,
        };
        let addresses = self.start_gateway(&files).await?;
        self.start_collector(&files, addresses, &broker).await?;
        let mut reader = Reader::new(&certificates.authority, addresses.api)?;
        self.first_value(&mut reader).await?;
        let introduction = Introduction {
            parts: &self.parts,
            broker: &broker,
            simulated: self.args.flux_uri.is_none(),
            ingest: addresses.ingest,
            dir: &self.dir,
            ca: &files.ca,
            max_age: self.args.max_age,
        };
        self.screen.say(&introduction.text(|path| reader.url(path)))?;
        self.watch(&mut reader).await
    }

    /// Plays a Flux instance; returns its URI.
    async fn start_simulator(&mut self) -> anyhow::Result<String> {
        let args = words([("--dir", self.socket_dir.as_os_str())]);
        let line = self.start(Role::Simulator, &args, flux_simulator::READY).await?;
        self.introduce_later(Role::Simulator, &args);
        let uri = line.strip_prefix(flux_simulator::READY).unwrap_or_default().trim();
        Ok(uri.to_owned())
    }

    /// Serves metrics on this machine alone, and drains at once when it is to end.
    async fn start_gateway(&mut self, files: &Files) -> anyhow::Result<Addresses> {
        let max_age = self.args.max_age;
        let duration = |duration| OsString::from(humantime::format_duration(duration).to_string());
        let (age, pace) = (duration(max_age), duration(max_age.min(READINGS)));
        let args = |api: SocketAddr, ingest: SocketAddr| {
            words([
                ("--listen", api.to_string().as_ref()),
                ("--ingest-listen", ingest.to_string().as_ref()),
                ("--tls-cert", files.cert.as_os_str()),
                ("--tls-key", files.key.as_os_str()),
                ("--max-age", &age),
                ("--interval", &pace),
                ("--warm-up", "0s".as_ref()),
                ("--drain-delay", "0s".as_ref()),
                ("--drain-timeout", "1s".as_ref()),
            ])
        };
        let asked = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let asked = args(asked(self.args.api_port), asked(self.args.ingest_port));
        let line = self.start(Role::Gateway, &asked, "listening ").await?;
        let addresses = Addresses::parse(&line)
            .with_context(|| format!("the gateway does not say where it listens: {line:?}"))?;
        // Whoever starts it again wants the same ports.
        self.introduce_later(Role::Gateway, &args(addresses.api, addresses.ingest));
        Ok(addresses)
    }

    /// Reads the broker, and reports to the gateway.
    async fn start_collector(
        &mut self,
        files: &Files,
        addresses: Addresses,
        broker: &str,
    ) -> anyhow::Result<()> {
        let args = words([
            ("--gateway", format!("https://{}", addresses.ingest).as_ref()),
            ("--ca", files.ca.as_os_str()),
            ("--namespace", NAMESPACE.as_ref()),
            ("--minicluster", MINICLUSTER.as_ref()),
            ("--pod", POD.as_ref()),
            ("--flux-uri", broker.as_ref()),
        ]);
        self.spawn(Role::Collector, &args, "").await?;
        self.introduce_later(Role::Collector, &args);
        Ok(())
    }

    /// Starts a part, and waits until it says `announcement`; returns the line that begins so.
    async fn start(
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
                self.dir.join(format!("{role}.log")).display()
            ),
        }
    }

    async fn spawn(
        &mut self,
        role: Role,
        args: &[OsString],
        announcement: &'static str,
    ) -> anyhow::Result<Started> {
        let started = self.children.start(role, args, announcement).await;
        let started = started.with_context(|| format!("cannot start the {role}"))?;
        let part = Part { role, pid: started.pid, command_line: String::new(), ended: false };
        self.parts.push(part);
        Ok(started)
    }

    fn introduce_later(&mut self, role: Role, args: &[OsString]) {
        let command_line = self.children.command_line(role, args);
        for part in self.parts.iter_mut().filter(|part| part.role == role) {
            part.command_line.clone_from(&command_line);
        }
    }

    /// Waits until the way from the broker to the reader is there.
    async fn first_value(&mut self, reader: &mut Reader) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        let path = [metric_path("node_up_count")];
        let mut tick = interval(FIRST_READINGS);
        let mut last = None;
        let value = async {
            loop {
                tick.tick().await;
                last = reader.read(&path).await.pop();
                if let Some(Reading::Value(_)) = last {
                    return;
                }
            }
        };
        tokio::select! {
            arrived = timeout_at(deadline, value) => if arrived.is_ok() {
                return Ok(());
            },
            end = self.children.next_end() => bail!(obituary(&end)),
        }
        let why = last.map_or_else(String::new, |last| last.to_string());
        bail!(
            "no value was seen within {} s: {why}\nThe collector's log ends:\n{}",
            START_TIMEOUT.as_secs(),
            log_end(&self.dir.join("collector.log"))
        )
    }

    /// Shows the metrics until the time is over.
    async fn watch(&mut self, reader: &mut Reader) -> anyhow::Result<()> {
        let mut table = Table::default();
        let paths: Vec<_> = table.rows.iter().map(|row| metric_path(row.metric)).collect();
        let start = Instant::now();
        let end = self.args.length.map(|length| start + length);
        let mut tick = interval(READINGS);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                () = until(end) => return Ok(()),
                end = self.children.next_end() => self.mourn(&end)?,
                _ = tick.tick() => {
                    let change = table.update(reader.read(&paths).await);
                    let title = self.title();
                    self.screen.show(start.elapsed(), &title, &table, &change)?;
                }
            }
        }
    }

    /// Reports a child that ended, and how to have it back.
    fn mourn(&mut self, end: &End) -> io::Result<()> {
        let mut text = obituary(end);
        for part in self.parts.iter_mut().filter(|part| part.pid == end.pid) {
            part.ended = true;
            text += "\nNothing restarts it. To see it come back, run in another terminal:\n  ";
            text += &part.command_line;
        }
        text.push('\n');
        self.screen.say(&text)
    }

    fn title(&self) -> String {
        let parts = self.parts.iter().map(|Part { role, pid, ended, .. }| {
            if *ended { format!("{role} ended") } else { format!("{role} {pid}") }
        });
        parts.collect::<Vec<_>>().join("  ")
    }
}

impl Addresses {
    /// Reads the line `listening api=ADDRESS ingest=ADDRESS`.
    fn parse(line: &str) -> Option<Self> {
        let field = |name: &str| {
            let mut words = line.split_whitespace();
            words.find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
        };
        Some(Self { api: field("api")?, ingest: field("ingest")? })
    }
}

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}

/// The path of one value.
fn metric_path(metric: &str) -> String {
    format!("{API}/namespaces/{NAMESPACE}/miniclusters.flux-framework.org/{MINICLUSTER}/{metric}")
}

fn words<const N: usize>(flags: [(&str, &OsStr); N]) -> Vec<OsString> {
    flags.into_iter().flat_map(|(flag, value)| [flag.into(), value.to_owned()]).collect()
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
    let lines: Vec<_> = text.lines().rev().take(children::LAST_LINES).collect();
    lines.into_iter().rev().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
