//! A gateway that only listens: it writes down what it is told and acknowledges as it is told to.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use fluxgauge_proto::v1::{
    Ack, Hello, ReportRequest, Sample, SeriesKey, Wishes,
    report_request::Body,
    telemetry_server::{Telemetry, TelemetryServer},
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tokio_util::sync::CancellationToken;
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Identity, Server, ServerTlsConfig},
};

/// How long a test waits for what has to happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// How it answers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manners {
    /// Ends each stream with this.
    pub(crate) refuse: Option<Status>,
    /// Answers samples with nothing.
    pub(crate) mute: bool,
    /// Asks for a full sample once, at this sequence.
    pub(crate) want_full_at: Option<u64>,
    /// Says so in the ack of the hello.
    pub(crate) wishes: Option<Wishes>,
}

/// What one stream said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    pub(crate) authorization: Option<String>,
    pub(crate) hello: Option<Hello>,
    pub(crate) samples: Vec<Sample>,
    pub(crate) leaving: Option<String>,
    pub(crate) ended: bool,
    /// How many streams there had been when it ended.
    pub(crate) before_its_end: usize,
}

impl Heard {
    /// The values after all samples, as a gateway keeps them, by metric and queue.
    pub(crate) fn values(&self) -> BTreeMap<(String, String), f64> {
        let mut values = BTreeMap::new();
        for sample in &self.samples {
            if sample.full {
                values.clear();
            }
            for key in &sample.removed {
                assert!(values.remove(&name(key)).is_some(), "{key:?} was never there");
            }
            for series in &sample.series {
                values.insert(name(series.key.as_ref().unwrap()), series.value);
            }
        }
        values
    }

    /// The value of the instance or of the broker.
    pub(crate) fn value(&self, metric: &str) -> Option<f64> {
        self.values().get(&(metric.to_owned(), String::new())).copied()
    }

    /// The value of a queue.
    pub(crate) fn of_queue(&self, queue: &str, metric: &str) -> Option<f64> {
        self.values().get(&(metric.to_owned(), queue.to_owned())).copied()
    }

    /// Why the values of a source are absent.
    pub(crate) fn failure(&self, source: &str) -> Option<&str> {
        let sources = &self.samples.last()?.sources;
        let source = sources.iter().find(|one| one.name == source)?;
        (!source.failure.is_empty()).then_some(source.failure.as_str())
    }
}

fn name(key: &SeriesKey) -> (String, String) {
    let queue = key.labels.first().map(|label| label.value.clone()).unwrap_or_default();
    (key.metric.clone(), queue)
}

pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    server: JoinHandle<()>,
}

struct State {
    manners: Mutex<Manners>,
    heard: watch::Sender<Vec<Heard>>,
    gone: CancellationToken,
}

impl Gateway {
    /// On a free port.
    pub(crate) async fn start(manners: Manners) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), manners, None).await
    }

    pub(crate) async fn start_at(
        address: SocketAddr,
        manners: Manners,
        identity: Option<Identity>,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            manners: Mutex::new(manners),
            heard: watch::Sender::default(),
            gone: CancellationToken::new(),
        });
        let mut server = Server::builder();
        if let Some(identity) = identity {
            server = server.tls_config(ServerTlsConfig::new().identity(identity)).unwrap();
        }
        let incoming = tonic::transport::server::TcpIncoming::from(listener);
        let serve = server
            .add_service(TelemetryServer::new(Service(state.clone())))
            .serve_with_incoming(incoming);
        let server = tokio::spawn(async move { serve.await.unwrap() });
        Self { address, state, server }
    }

    /// Goes away without a word, and waits until its port is free.
    pub(crate) async fn kill(self) -> SocketAddr {
        self.state.gone.cancel();
        self.server.abort();
        self.server.await.ok();
        self.address
    }

    pub(crate) fn set(&self, manners: Manners) {
        *self.state.manners.lock().unwrap() = manners;
    }

    /// All streams so far.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.state.heard.borrow().clone()
    }

    /// Waits until the newest stream is as wished, and returns it.
    pub(crate) async fn until(&self, what: &str, good: impl Fn(&Heard) -> bool) -> Heard {
        let heard = self.until_all(what, |all| all.last().is_some_and(&good)).await;
        heard.last().unwrap().clone()
    }

    /// Waits until all streams together are as wished.
    pub(crate) async fn until_all(
        &self,
        what: &str,
        good: impl Fn(&[Heard]) -> bool,
    ) -> Vec<Heard> {
        let mut heard = self.state.heard.subscribe();
        let found = tokio::time::timeout(PATIENCE, heard.wait_for(|heard| good(heard))).await;
        match found {
            Ok(heard) => heard.unwrap().clone(),
            Err(_) => panic!("not within {PATIENCE:?}: {what}; heard {:#?}", self.heard().last()),
        }
    }
}

struct Service(Arc<State>);

#[tonic::async_trait]
impl Telemetry for Service {
    type ReportStream = Pin<Box<dyn Stream<Item = Result<Ack, Status>> + Send>>;

    async fn report(
        &self,
        request: Request<Streaming<ReportRequest>>,
    ) -> Result<Response<Self::ReportStream>, Status> {
        let authorization =
            request.metadata().get("authorization").map(|text| text.to_str().unwrap().to_owned());
        let (acks, out) = mpsc::channel(1);
        let mut index = 0;
        self.0.heard.send_modify(|heard| {
            index = heard.len();
            heard.push(Heard { authorization, ..Heard::default() });
        });
        tokio::spawn(listen(self.0.clone(), index, request.into_inner(), acks));
        Ok(Response::new(Box::pin(ReceiverStream::new(out))))
    }
}

async fn listen(
    state: Arc<State>,
    index: usize,
    mut messages: Streaming<ReportRequest>,
    acks: mpsc::Sender<Result<Ack, Status>>,
) {
    let mut asked = false;
    let note =
        |write: &dyn Fn(&mut Heard)| state.heard.send_modify(|heard| write(&mut heard[index]));
    while let Some(Ok(Some(message))) = state.gone.run_until_cancelled(messages.message()).await {
        let manners = state.manners.lock().unwrap().clone();
        let ack = match message.body.unwrap() {
            Body::Hello(hello) => {
                note(&|heard| heard.hello = Some(hello.clone()));
                manners
                    .refuse
                    .map_or(Ok(Ack { sequence: 0, want_full: false, wishes: manners.wishes }), Err)
            }
            Body::Sample(sample) => {
                let sequence = sample.sequence;
                note(&|heard| heard.samples.push(sample.clone()));
                if manners.mute {
                    continue;
                }
                let want_full = !asked && manners.want_full_at == Some(sequence);
                asked |= want_full;
                Ok(Ack { sequence, want_full, wishes: None })
            }
            Body::Leaving(leaving) => {
                note(&|heard| heard.leaving = Some(leaving.reason.clone()));
                break;
            }
        };
        if acks.send(ack).await.is_err() {
            break;
        }
    }
    state.heard.send_modify(|heard| {
        let streams = heard.len();
        let own = &mut heard[index];
        (own.ended, own.before_its_end) = (true, streams);
    });
}
