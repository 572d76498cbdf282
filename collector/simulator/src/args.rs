//! The simulator as a process of its own: what the demo starts.

use std::{
    io,
    path::PathBuf,
    str::FromStr,
    time::{SystemTime, UNIX_EPOCH},
};

use clap::{ArgAction, Args as ClapArgs};
use flux_client::{Idset, idset};

use crate::{
    day::{Day, MAX_SPEED, MIN_SPEED},
    instance::{Queue, Shape},
    manners::Release,
    server::{Config, Simulator},
};

/// Plays a Flux instance on unix sockets.
#[derive(Clone, Debug, ClapArgs)]
pub struct Args {
    /// Directory for the sockets, created where it is missing: rank 0 is `local-0` there
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// Ranks of the instance
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=i64::from(crate::instance::MAX_RANKS)))]
    pub size: u32,
    /// Cores of each rank
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=i64::from(crate::instance::MAX_IDS)))]
    pub cores: u32,
    /// Gpus of each rank
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=i64::from(crate::instance::MAX_IDS)))]
    pub gpus: u32,
    /// A queue and its ranks, as in batch=0-11; repeatable. Default: batch with the lower three
    /// quarters of the ranks, debug with the rest
    #[arg(long = "queue", value_name = "NAME[=RANKS]", action = ArgAction::Append)]
    pub queues: Vec<QueueArg>,
    /// Ranks that have a socket, from 0 on
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub sockets: u32,
    /// Whose manners to play, 0.40 to 0.88
    #[arg(long, value_name = "RELEASE", default_value_t = Release::default())]
    pub release: Release,
    /// Play no jobs
    #[arg(long)]
    pub no_day: bool,
    /// The same seed plays the same day
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Seconds of the played day in a second
    #[arg(long, default_value_t = 300.0, value_parser = speed)]
    pub speed: f64,
}

/// A queue on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueArg(Queue);

/// A queue that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// Nothing before `=`.
    #[error("a queue needs a name: write it like batch=0-11")]
    Unnamed,
    /// What follows `=` is no idset.
    #[error("the ranks of a queue are an idset like 0-11")]
    Ranks(#[source] idset::ParseError),
}

impl FromStr for QueueArg {
    type Err = QueueError;

    fn from_str(text: &str) -> Result<Self, QueueError> {
        let (name, ranks) = match text.split_once('=') {
            Some((name, ranks)) => (name, Some(ranks.parse().map_err(QueueError::Ranks)?)),
            None => (text, None),
        };
        if name.is_empty() {
            return Err(QueueError::Unnamed);
        }
        Ok(Self(Queue { name: name.to_owned(), ranks }))
    }
}

/// Plays until `shutdown` is over. Prints one line when the sockets can be connected to.
pub async fn run(args: Args, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    let Args { dir, size, cores, gpus, queues, sockets, release, no_day, seed, speed } = args;
    std::fs::create_dir_all(&dir)?;
    let queues = match queues.as_slice() {
        [] => default_queues(size),
        queues => queues.iter().map(|QueueArg(queue)| queue.clone()).collect(),
    };
    let config = Config {
        shape: Shape { size, cores, gpus },
        queues,
        release,
        sockets: sockets.min(size),
        starttime: epoch_seconds(),
        day: (!no_day).then(|| Day::new(seed, speed)),
        ..Config::new(dir)
    };
    let simulator = Simulator::start(config).await?;
    announce(&format!("{READY} local://{}", simulator.socket(0).display()))?;
    shutdown.await;
    simulator.shutdown().await;
    Ok(())
}

/// How the line starts that tells that the sockets are there.
pub const READY: &str = "flux simulator ready at";

fn default_queues(size: u32) -> Vec<Queue> {
    let queue = |name: &str, first, last| Queue {
        name: name.to_owned(),
        ranks: Some(Idset::range(first, last)),
    };
    match size * 3 / 4 {
        0 => Vec::new(),
        debug => vec![queue("batch", 0, debug - 1), queue("debug", debug, size - 1)],
    }
}

#[expect(clippy::disallowed_methods, reason = "the edge: this is where the clock is taken")]
fn epoch_seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

fn speed(text: &str) -> Result<f64, String> {
    let range = MIN_SPEED..=MAX_SPEED;
    let speed = text.parse().ok().filter(|speed| range.contains(speed));
    speed.ok_or_else(|| format!("a speed is a number from {MIN_SPEED} to {MAX_SPEED}"))
}

/// To standard output, for the parent process.
fn announce(line: &str) -> io::Result<()> {
    use io::Write;
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

#[cfg(test)]
mod tests;
