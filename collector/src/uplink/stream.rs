//! One stream: hello, then samples, each acknowledged before the next one.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use fluxgauge_proto::{
    limits,
    v1::{Ack, Leaving, ReportRequest, report_request::Body, telemetry_client::TelemetryClient},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming, transport::Channel};
use tracing::{debug, info, warn};

use super::{
    LEAVE_TIMEOUT, Uplink,
    channel::{self, ChannelError},
    credentials::Credentials,
    sample::{self, Sent},
};
use crate::{
    args::Gateway,
    backoff::Backoff,
    pace::{PaceReader, Wish},
    state::Broker,
};

/// Messages between this task and the connection: the stream sends one at a time.
const OUTBOX: usize = 1;

/// How often it is looked at whether there are new credentials, at the turn of a sample. The kubelet
/// renews a token when a fifth of its time is left: two minutes of the shortest there is.
const CREDENTIALS_PERIOD: Duration = Duration::from_secs(5);

/// Why a stream ended without having been asked to.
#[derive(Debug, thiserror::Error)]
enum StreamError {
    #[error(transparent)]
    Channel(#[from] ChannelError),
    #[error("the gateway ended the stream: {}: {}", .0.code(), .0.message())]
    Status(#[from] Status),
    #[error("the gateway closed the stream")]
    Closed,
    #[error("no ack within {}", humantime::format_duration(limits::ACK_TIMEOUT))]
    NoAck,
}

/// Why a stream ended as it should.
enum End {
    /// The collector leaves.
    Left,
    /// The broker is another one: the next hello says so.
    NewBroker,
    /// There are others than those that it was opened with.
    NewCredentials(Credentials),
}

/// Keeps a stream to `address` until the collector leaves.
pub(super) async fn keep(uplink: Uplink, address: SocketAddr) {
    let wish = uplink.wishes.of(address);
    let pace = uplink.wishes.reader();
    let mut stream = Stream { uplink, address, wish, pace, backoff: Backoff::new(), said: None };
    let leaving = stream.uplink.leaving.clone();
    loop {
        let error = match stream.connect_and_report().await {
            Ok(()) => return,
            Err(error) => error.to_string(),
        };
        stream.complain(error);
        tokio::select! {
            () = leaving.cancelled() => return,
            () = stream.backoff.wait() => {}
        }
    }
}

struct Stream {
    uplink: Uplink,
    address: SocketAddr,
    wish: Wish,
    pace: PaceReader,
    backoff: Backoff,
    /// The last trouble that was logged; `None` while the stream is up.
    said: Option<String>,
}

/// An open stream, its hello acknowledged.
struct Report {
    channel: Channel,
    outbox: mpsc::Sender<ReportRequest>,
    acks: Streaming<Ack>,
    /// Of whom it speaks.
    broker: Arc<Broker>,
    /// As whom it was opened.
    credentials: Credentials,
    /// When it was looked at last whether there are others.
    looked: Instant,
    sent: Sent,
}

impl Stream {
    /// Returns when the collector leaves.
    async fn connect_and_report(&mut self) -> Result<(), StreamError> {
        let leaving = self.uplink.leaving.clone();
        let mut report = tokio::select! {
            () = leaving.cancelled() => return Ok(()),
            report = self.begin() => report?,
        };
        loop {
            let end = self.report(&mut report).await?;
            if matches!(end, End::Left) {
                let reason = self.uplink.reason.borrow().clone();
                report.leave(reason).await;
                return Ok(());
            }
            // The last stream ends when the next one is open, so that no value is without a stream.
            let next = tokio::select! {
                () = leaving.cancelled() => continue,
                next = self.next(&report, &end) => next,
            };
            match (next, end) {
                (Ok(next), _) => report = next,
                // The old ones may do for a while.
                (Err(error), End::NewCredentials(_)) => self.complain(error.to_string()),
                (Err(error), _) => return Err(error),
            }
        }
    }

    /// Nothing can be said before a broker was met, so that nobody is bothered before.
    async fn begin(&mut self) -> Result<Report, StreamError> {
        let met = self.uplink.state.wait_for(|state| state.broker.is_some()).await.is_ok();
        if !met {
            std::future::pending::<()>().await; // the collector ends
        }
        let credentials = Credentials::read(&self.uplink.gateway).await?;
        self.connect(credentials).await
    }

    /// The stream that follows one.
    async fn next(&mut self, last: &Report, end: &End) -> Result<Report, StreamError> {
        match end {
            End::NewCredentials(credentials) => self.connect(credentials.clone()).await,
            End::NewBroker | End::Left => {
                self.open(last.channel.clone(), last.credentials.clone()).await
            }
        }
    }

    async fn connect(&mut self, credentials: Credentials) -> Result<Report, StreamError> {
        let channel = channel::connect(&self.uplink.gateway, self.address, &credentials).await?;
        self.open(channel, credentials).await
    }

    /// Says who reports.
    async fn open(
        &mut self,
        channel: Channel,
        credentials: Credentials,
    ) -> Result<Report, StreamError> {
        let broker = self.uplink.state.borrow().broker.clone().ok_or(StreamError::Closed)?;
        let hello = sample::hello(&self.uplink.identity, &broker);
        let (outbox, messages) = mpsc::channel(OUTBOX);
        send(&outbox, Body::Hello(hello)).await?;
        let mut request = Request::new(ReceiverStream::new(messages));
        if let Some(bearer) = credentials.bearer()? {
            request.metadata_mut().insert("authorization", bearer);
        }
        let mut client = TelemetryClient::new(channel.clone())
            .max_decoding_message_size(limits::MAX_MESSAGE_BYTES)
            .max_encoding_message_size(limits::MAX_MESSAGE_BYTES);
        let acks = within(client.report(request)).await??.into_inner();
        let (looked, sent) = (Instant::now(), Sent::new(broker.sources()));
        let mut report = Report { channel, outbox, acks, broker, credentials, looked, sent };
        let ack = within(report.ack(0)).await??;
        self.obey(&ack);
        info!(gateway = %self.address, "the stream to the gateway is up");
        self.said = None;
        Ok(report)
    }

    /// Sends a sample whenever something changed or it is time.
    async fn report(&mut self, report: &mut Report) -> Result<End, StreamError> {
        let leaving = self.uplink.leaving.clone();
        let opened = Instant::now();
        loop {
            if let Some(credentials) = report.new_credentials(&self.uplink.gateway).await {
                return Ok(End::NewCredentials(credentials));
            }
            let message = {
                let state = self.uplink.state.borrow_and_update();
                if state.broker.as_deref() != Some(&*report.broker) {
                    return Ok(End::NewBroker);
                }
                report.sent.next(&state, Instant::now())
            };
            let at = Instant::now();
            send(&report.outbox, Body::Sample(message)).await?;
            let sequence = report.sent.sequence();
            let ack = tokio::select! {
                () = leaving.cancelled() => return Ok(End::Left),
                ack = within(report.ack(sequence)) => ack??,
            };
            // Two collectors that take a rank from one another must not do so ever faster.
            if opened.elapsed() > Backoff::CAP {
                self.backoff = Backoff::new();
            }
            self.obey(&ack);
            if ack.want_full {
                debug!(gateway = %self.address, "the gateway asks for a full sample");
                report.sent.forget();
                continue;
            }
            loop {
                let due = at + self.pace.now().sample_period();
                tokio::select! {
                    () = leaving.cancelled() => return Ok(End::Left),
                    Ok(()) = self.uplink.state.changed() => break,
                    () = sleep_until(due) => break,
                    () = self.pace.changed() => {}
                    // Nothing is due from the gateway: this is the end of the stream.
                    ack = report.next() => self.obey(&ack?),
                }
            }
        }
    }

    fn obey(&self, ack: &Ack) {
        if let Some(wishes) = ack.wishes {
            self.wish.set(wishes);
        }
    }

    /// Logs what is new: a gateway that stays away is one line.
    fn complain(&mut self, error: String) {
        if self.said.as_ref() == Some(&error) {
            debug!(gateway = %self.address, reason = %error, "still no stream to the gateway");
        } else {
            warn!(gateway = %self.address, reason = %error, "no stream to the gateway; retrying");
            self.said = Some(error);
        }
    }
}

impl Report {
    /// Other credentials than those of the stream, where it is time to look and there are any. Files
    /// that cannot be read are none: the stream goes on as it was opened.
    async fn new_credentials(&mut self, gateway: &Gateway) -> Option<Credentials> {
        if self.looked.elapsed() < CREDENTIALS_PERIOD {
            return None;
        }
        self.looked = Instant::now();
        match Credentials::read(gateway).await {
            Ok(found) => (found != self.credentials).then_some(found),
            Err(error) => {
                debug!(reason = %error, "the credentials cannot be read again");
                None
            }
        }
    }

    async fn next(&mut self) -> Result<Ack, StreamError> {
        self.acks.message().await?.ok_or(StreamError::Closed)
    }

    /// The ack of this sample; earlier ones are passed over.
    async fn ack(&mut self, sequence: u64) -> Result<Ack, StreamError> {
        loop {
            let ack = self.next().await?;
            if ack.sequence == sequence {
                return Ok(ack);
            }
        }
    }

    /// Says goodbye and waits until the gateway has heard it.
    async fn leave(self, reason: String) {
        let Self { outbox, mut acks, .. } = self;
        let goodbye = async {
            send(&outbox, Body::Leaving(Leaving { reason })).await.ok();
            drop(outbox);
            while let Ok(Some(_)) = acks.message().await {}
        };
        timeout(LEAVE_TIMEOUT, goodbye).await.ok();
    }
}

async fn send(outbox: &mpsc::Sender<ReportRequest>, body: Body) -> Result<(), StreamError> {
    let message = ReportRequest { body: Some(body) };
    within(outbox.send(message)).await?.map_err(|_| StreamError::Closed)
}

/// Bounded by [`limits::ACK_TIMEOUT`].
async fn within<F: Future>(future: F) -> Result<F::Output, StreamError> {
    const LIMIT: Duration = limits::ACK_TIMEOUT;
    timeout(LIMIT, future).await.map_err(|_| StreamError::NoAck)
}
