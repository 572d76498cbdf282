//! A broker made of recorded bytes: it sends what a broker of some release once sent.
//!
//! A request is looked up in the [`Recording`]; what was recorded goes back unchanged but for the
//! matchtag. Of a stream only the first response comes by itself, the next ones when the test
//! [`play`](Replay::play)s them, so that nothing depends on timing.

mod recording;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use flux_client::{Decoder, Endpoint, Flags, Frame, Message};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    sync::broadcast,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::recording::{Recording, RecordingError};
use crate::{faults::encode, services};

/// Commands that a connection may be behind.
const COMMANDS: usize = 64;

/// A running replay. Dropping it ends it.
#[derive(Debug)]
pub struct Replay {
    socket: PathBuf,
    recording: Arc<Mutex<Recording>>,
    plays: broadcast::Sender<String>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Replay {
    /// Binds `<dir>/local-0`: when this returns, a client can connect.
    pub async fn start(recording: Recording, dir: &Path) -> io::Result<Self> {
        let socket = dir.join("local-0");
        let listener = UnixListener::bind(&socket)?;
        let replay = Self {
            socket,
            recording: Arc::new(Mutex::new(recording)),
            plays: broadcast::Sender::new(COMMANDS),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let (recording, plays) = (replay.recording.clone(), replay.plays.clone());
        let (stop, tasks) = (replay.stop.clone(), replay.tasks.clone());
        replay.tasks.spawn(async move {
            while let Some(Ok((socket, _))) = stop.run_until_cancelled(listener.accept()).await {
                let connection = serve(socket, recording.clone(), plays.subscribe());
                tasks.spawn(stop.clone().run_until_cancelled_owned(connection));
            }
        });
        Ok(replay)
    }

    /// Where a client connects.
    pub fn endpoint(&self) -> Result<Endpoint, flux_client::endpoint::ParseError> {
        Endpoint::local(&self.socket)
    }

    /// From now on prefers these conversations, by their name or its beginning, the first one most.
    pub fn select(&self, names: &[&str]) {
        lock(&self.recording).select(names);
    }

    /// Sends the next recorded response of each open stream with this topic, or the next recorded
    /// event to each client that subscribed to it. Nothing where the recording ends.
    pub fn play(&self, topic: &str) {
        // Nobody is connected where this fails.
        drop(self.plays.send(topic.to_owned()));
    }

    /// Ends it and waits for that.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Err(error) = std::fs::remove_file(&self.socket) {
            tracing::debug!(%error, "the socket of a replay was gone already");
        }
    }
}

fn lock(recording: &Mutex<Recording>) -> MutexGuard<'_, Recording> {
    recording.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves one client until it leaves or errs.
async fn serve(
    mut socket: UnixStream,
    recording: Arc<Mutex<Recording>>,
    mut plays: broadcast::Receiver<String>,
) {
    let mut client = Client { recording, streams: Vec::new(), subscriptions: BTreeMap::new() };
    let mut decoder = Decoder::default();
    if socket.write_u8(0).await.is_err() {
        return;
    }
    loop {
        let mut out = Vec::new();
        tokio::select! {
            read = socket.read_buf(decoder.fill()) => {
                if !matches!(read, Ok(len) if len > 0) {
                    return;
                }
                loop {
                    match decoder.next() {
                        Ok(Some(Frame::Message(request))) => out.extend(client.answer(&request)),
                        Ok(Some(Frame::Oversized { .. })) => {}
                        Ok(None) => break,
                        Err(_) => return,
                    }
                }
            }
            topic = plays.recv() => match topic {
                Ok(topic) => out.extend(client.play(&topic)),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
        for frame in out {
            if socket.write_all(&frame).await.is_err() {
                return;
            }
        }
    }
}

struct Client {
    recording: Arc<Mutex<Recording>>,
    /// Topic, and the rest of what was recorded.
    streams: Vec<(String, std::vec::IntoIter<Bytes>)>,
    /// Topic prefixes, and how many of their events have been sent.
    subscriptions: BTreeMap<String, usize>,
}

impl Client {
    fn answer(&mut self, request: &Message) -> Option<Bytes> {
        if request.flags.contains(Flags::NORESPONSE) {
            return None;
        }
        match (request.topic(), services::event_topic(request)) {
            ("event.subscribe", Some(topic)) => {
                self.subscriptions.insert(topic, 0);
            }
            ("event.unsubscribe", Some(topic)) => {
                self.subscriptions.remove(&topic);
            }
            _ => {}
        }
        let found = lock(&self.recording).responses_to(request);
        let Some(responses) = found else {
            return Some(encode(&lock(&self.recording).refusal_of(request)));
        };
        let mut responses = responses.into_iter();
        let first = responses.next();
        if request.flags.contains(Flags::STREAMING) {
            self.streams.push((request.topic().to_owned(), responses));
        }
        first
    }

    fn play(&mut self, topic: &str) -> Vec<Bytes> {
        let streams = self.streams.iter_mut().filter(|(open, _)| open == topic);
        let mut frames: Vec<Bytes> = streams.filter_map(|(_, rest)| rest.next()).collect();
        let recording = lock(&self.recording);
        let subscriptions = self.subscriptions.iter_mut();
        for (_, sent) in subscriptions.filter(|(prefix, _)| topic.starts_with(prefix.as_str())) {
            if let Some(event) = recording.event(topic, *sent) {
                frames.push(event);
                *sent += 1;
            }
        }
        frames
    }
}
