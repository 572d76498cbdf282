//! One client of a simulated broker: its requests, its streams and what waits to be written.
//!
//! A single task reads, answers and writes, so that nothing has to be handed between tasks. What
//! holds always: a client that does not read costs [`MAX_BACKLOG`] at most and is then dropped.

use std::{collections::VecDeque, time::Duration};

use bytes::{Buf, Bytes};
use flux_client::{Decoder, Errno, Flags, Frame, Kind, Message};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::{Instant, sleep_until},
};

use crate::{
    faults::{Effect, Greeting, encode},
    instance::Lost,
    services,
    watch::{self, Watch},
    world::Shared,
};

/// Bytes that wait for a client to read them: a few of the oversized answers that tests ask for.
const MAX_BACKLOG: usize = 64 * 1024 * 1024;

/// Bytes that wait to be written, up to which a journal is written ahead.
const JOURNAL_AHEAD: usize = 256 * 1024;

/// Streams and subscriptions of a client; a collector has a handful.
const MAX_STREAMS: usize = 64;

/// Answers that a fault holds back.
const MAX_DELAYED: usize = 1024;

/// job-list sends its counts no faster.
const JOB_STATS_INTERVAL: Duration = Duration::from_millis(200);

/// What the only event of the simulator is called.
const PULSE: &str = "heartbeat.pulse";

/// The broker that publishes it.
const PUBLISHER: &str = "951aa306-31d6-4a1c-9167-f7324d61d303";

/// Serves a client until it leaves, errs, is dropped by a fault, or until the future is dropped.
pub(crate) async fn serve(mut socket: UnixStream, rank: u32, shared: Shared) {
    let greeting = shared.world().faults.greeting;
    let byte = match greeting {
        Greeting::Accept => 0,
        Greeting::Refuse(errnum) => errnum,
        Greeting::Close => return,
        Greeting::Silence => return std::future::pending().await,
    };
    if socket.write_u8(byte).await.is_err() || greeting != Greeting::Accept {
        return;
    }
    Connection::new(rank, shared).drive(&mut socket).await;
}

struct Connection {
    rank: u32,
    shared: Shared,
    subscriptions: Vec<String>,
    streams: Vec<Stream>,
    out: VecDeque<Bytes>,
    backlog: usize,
    delayed: Vec<(Instant, Bytes)>,
    /// Nothing more is to be said once `out` is written.
    closing: bool,
}

struct Stream {
    watch: Watch,
    request: Message,
    /// What it said last: it speaks again when that changes.
    said: Bytes,
    /// When it may speak again.
    quiet_until: Instant,
}

impl Connection {
    const fn new(rank: u32, shared: Shared) -> Self {
        Self {
            rank,
            shared,
            subscriptions: Vec::new(),
            streams: Vec::new(),
            out: VecDeque::new(),
            backlog: 0,
            delayed: Vec::new(),
            closing: false,
        }
    }

    async fn drive(&mut self, socket: &mut UnixStream) {
        let (mut reader, mut writer) = socket.split();
        let mut decoder = Decoder::default();
        let mut changes = self.shared.changes();
        let mut pulses = self.shared.pulses();
        while !(self.closing && self.out.is_empty()) {
            let due = self.due();
            let next = self.out.front().cloned().unwrap_or_default();
            let chunk = if self.shared.world().faults.single_bytes {
                next.slice(..next.len().min(1))
            } else {
                next
            };
            tokio::select! {
                read = reader.read_buf(decoder.fill()), if !self.closing => match read {
                    Ok(0) | Err(_) => return,
                    Ok(_) => self.read(&mut decoder),
                },
                written = writer.write(&chunk), if !chunk.is_empty() => match written {
                    Ok(len) => {
                        self.written(len);
                        if self.out.is_empty() && self.has_journal() {
                            self.speak();
                        }
                    }
                    Err(_) => return,
                },
                _ = changes.changed() => self.speak(),
                _ = pulses.changed() => {
                    let sequence = *pulses.borrow_and_update();
                    self.pulse(sequence);
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.send_delayed();
                    self.speak();
                }
            }
            if self.backlog > MAX_BACKLOG {
                tracing::warn!(backlog = self.backlog, "dropping a client that does not read");
                return;
            }
        }
    }

    /// Answers all requests that have arrived whole.
    fn read(&mut self, decoder: &mut Decoder) {
        while !self.closing {
            match decoder.next() {
                Ok(Some(Frame::Message(request))) => self.request(&request),
                Ok(Some(Frame::Oversized { .. })) => {}
                Ok(None) => return,
                // Like a broker: drop the connection without a word.
                Err(error) => {
                    tracing::debug!(%error, "dropping a client that does not speak the protocol");
                    self.out.clear();
                    self.closing = true;
                }
            }
        }
    }

    fn request(&mut self, request: &Message) {
        let Kind::Request { .. } = request.kind else { return };
        if request.flags.contains(Flags::NORESPONSE) {
            self.cancel(request);
            return;
        }
        let message = match request.topic() {
            "event.subscribe" | "event.unsubscribe" => Some(self.subscription(request)),
            _ => {
                let answer = services::answer(&self.shared.world(), self.rank, request);
                if let Some(watch) = answer.watch.filter(|_| self.streams.len() < MAX_STREAMS) {
                    let said = answer.message.as_ref().and_then(|message| message.payload.clone());
                    self.watch(watch, request, said);
                }
                answer.message
            }
        };
        match message {
            Some(message) => self.say(message, request),
            None => self.speak(),
        }
    }

    /// Ends the stream of a journal, as its client wishes.
    fn cancel(&mut self, request: &Message) {
        let payload = request.payload.as_deref().unwrap_or_default();
        let Some(matchtag) = watch::canceled(payload) else { return };
        let of_it = |stream: &&Stream| {
            request.topic().strip_suffix("-cancel") == Some(stream.request.topic())
                && stream.request.matchtag() == matchtag
        };
        if let Some(stream) = self.streams.iter().find(of_it) {
            let request = stream.request.clone();
            self.say(Message::error_to(&request, Errno::ENODATA, None), &request);
        }
    }

    fn has_journal(&self) -> bool {
        self.streams.iter().any(|stream| stream.watch.is_journal())
    }

    fn subscription(&mut self, request: &Message) -> Message {
        if let Some(topic) = services::event_topic(request) {
            if request.topic() == "event.unsubscribe" {
                self.subscriptions.retain(|subscribed| *subscribed != topic);
            } else if self.subscriptions.len() < MAX_STREAMS {
                self.subscriptions.push(topic);
            }
        }
        services::subscribed(request)
    }

    fn watch(&mut self, watch: Watch, request: &Message, said: Option<Bytes>) {
        watch.count(&mut self.shared.world(), |count| *count += 1);
        let request = Message { payload: None, ..request.clone() };
        let stream = Stream {
            watch,
            request,
            said: said.unwrap_or_default(),
            quiet_until: Instant::now() + JOB_STATS_INTERVAL,
        };
        self.streams.push(stream);
    }

    /// Lets each stream speak that has something new to say and may.
    fn speak(&mut self) {
        let now = Instant::now();
        let (mut news, mut ahead) = (Vec::new(), self.backlog);
        {
            let world = self.shared.world();
            for stream in self.streams.iter_mut().filter(|stream| !stream.is_quiet(now)) {
                let mut say = |mut message: Message| {
                    message.rolemask = world.release.rolemask(self.rank == 0);
                    news.push((message, stream.request.clone()));
                };
                loop {
                    let payload = match stream.watch.next(&world, &stream.said) {
                        Ok(Some(payload)) => payload,
                        Ok(None) => break,
                        Err(Lost) => {
                            say(Message::error_to(&stream.request, Errno::ENODATA, None));
                            break;
                        }
                    };
                    ahead += payload.len();
                    say(Message::response_to(&stream.request, Some(payload.clone())));
                    if !stream.watch.is_journal() {
                        stream.said = payload;
                        stream.quiet_until = now + JOB_STATS_INTERVAL;
                    }
                    if !stream.watch.is_journal() || ahead > JOURNAL_AHEAD {
                        break;
                    }
                }
            }
        }
        for (message, request) in news {
            self.say(message, &request);
        }
    }

    /// When something may have to be said without anything that happens.
    fn due(&self) -> Option<Instant> {
        let now = Instant::now();
        let quiet = self.streams.iter().filter(|stream| stream.is_quiet(now));
        let quiet = quiet.map(|stream| stream.quiet_until);
        self.delayed.iter().map(|(at, _)| *at).chain(quiet).min()
    }

    fn pulse(&mut self, sequence: u32) {
        if !self.subscriptions.iter().any(|prefix| PULSE.starts_with(prefix.as_str())) {
            return;
        }
        let release = self.shared.world().release;
        let publisher =
            release.events_have_route().then(|| Bytes::from_static(PUBLISHER.as_bytes()));
        let mut event = Message::event(PULSE, sequence, publisher, None);
        event.rolemask = release.rolemask(true);
        self.say(event.clone(), &event);
    }

    /// Queues a message, or what a fault makes of it.
    fn say(&mut self, message: Message, request: &Message) {
        let effect = self.shared.world().faults.apply(message, request);
        match effect {
            Effect::Nothing => {}
            Effect::Raw(bytes) => self.push(bytes),
            Effect::Last(bytes) => {
                self.push(bytes);
                self.closing = true;
            }
            Effect::Send(message, Duration::ZERO) => {
                let failed = matches!(message.kind, Kind::Response { errnum, .. } if errnum != 0);
                if failed {
                    self.forget(message.matchtag());
                }
                self.push(encode(&message));
            }
            Effect::Send(message, delay) => {
                if self.delayed.len() < MAX_DELAYED {
                    self.delayed.push((Instant::now() + delay, encode(&message)));
                }
            }
        }
    }

    /// An error ends a stream.
    fn forget(&mut self, matchtag: u32) {
        let ends = |stream: &Stream| stream.request.matchtag() == matchtag;
        self.uncount(ends);
        self.streams.retain(|stream| !ends(stream));
    }

    fn uncount(&self, ends: impl Fn(&Stream) -> bool) {
        let mut world = self.shared.world();
        for stream in self.streams.iter().filter(|stream| ends(stream)) {
            stream.watch.count(&mut world, |count| *count -= 1);
        }
    }

    fn send_delayed(&mut self) {
        let now = Instant::now();
        let (ripe, later) =
            std::mem::take(&mut self.delayed).into_iter().partition(|(at, _)| *at <= now);
        self.delayed = later;
        let ripe: Vec<(Instant, Bytes)> = ripe;
        ripe.into_iter().for_each(|(_, bytes)| self.push(bytes));
    }

    fn push(&mut self, bytes: Bytes) {
        self.backlog += bytes.len();
        self.out.push_back(bytes);
    }

    fn written(&mut self, len: usize) {
        self.backlog -= len;
        if let Some(front) = self.out.front_mut() {
            front.advance(len);
            if front.is_empty() {
                self.out.pop_front();
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.uncount(|_| true);
    }
}

impl Stream {
    fn is_job_stats(&self) -> bool {
        self.watch == Watch::JobStats
    }

    fn is_quiet(&self, now: Instant) -> bool {
        self.is_job_stats() && now < self.quiet_until
    }
}
