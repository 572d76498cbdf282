//! A collector that reports what a test tells it, in the words of the contract.

use std::net::{IpAddr, SocketAddr};

use fluxgauge_proto::{
    CONTRACT_VERSION,
    catalogue::{self, Scope as What},
    v1::{
        Ack, Hello, Label, Leaving, ReportRequest, Sample, Scope, Series, SeriesKey, Source,
        report_request::Body, telemetry_client::TelemetryClient,
    },
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Request, Status, Streaming,
    transport::{self, Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};

use crate::ca::{ClientPair, INGEST_NAME};

/// Messages that wait to be sent.
const QUEUE: usize = 4;

/// One stream to a gateway.
#[derive(Debug)]
pub struct FakeCollector {
    messages: mpsc::Sender<ReportRequest>,
    acks: Streaming<Ack>,
    sequence: u64,
}

impl FakeCollector {
    /// Opens a stream and says hello.
    ///
    /// # Errors
    ///
    /// When the gateway refuses it.
    pub async fn connect(channel: Channel, hello: Hello) -> Result<Self, Status> {
        Self::connect_with(channel, hello, None).await
    }

    /// The same with a bearer token.
    pub async fn connect_with(
        channel: Channel,
        hello: Hello,
        token: Option<&str>,
    ) -> Result<Self, Status> {
        let (messages, queue) = mpsc::channel(QUEUE);
        let say = |body| ReportRequest { body: Some(body) };
        messages.try_send(say(Body::Hello(hello))).unwrap();
        let mut request = Request::new(ReceiverStream::new(queue));
        if let Some(token) = token {
            let token = format!("Bearer {token}").parse().unwrap();
            request.metadata_mut().insert("authorization", token);
        }
        let answer = TelemetryClient::new(channel).report(request).await?;
        let mut collector = Self { messages, acks: answer.into_inner(), sequence: 0 };
        collector.ack().await?;
        Ok(collector)
    }

    /// Reports that these values are all there is, proved just now.
    pub async fn report(&mut self, values: &[(&str, f64)]) -> Result<Ack, Status> {
        self.send(sample(values)).await
    }

    /// Sends a sample, numbered as the next one unless it has a number, and waits for the answer.
    pub async fn send(&mut self, mut sample: Sample) -> Result<Ack, Status> {
        if sample.sequence == 0 {
            self.sequence += 1;
            sample.sequence = self.sequence;
        }
        self.sequence = sample.sequence;
        // Where the gateway has ended the stream, its status says more than this does.
        self.messages.send(ReportRequest { body: Some(Body::Sample(sample)) }).await.ok();
        self.ack().await
    }

    /// Leaves, and waits until the gateway has ended the stream.
    pub async fn leave(mut self) {
        let leaving = Leaving { reason: "the test is over".to_owned() };
        let message = ReportRequest { body: Some(Body::Leaving(leaving)) };
        self.messages.send(message).await.expect("the stream is open");
        assert_eq!(self.acks.message().await.expect("a clean end"), None);
    }

    /// How the gateway ends the stream; waits for that.
    pub async fn end(&mut self) -> Status {
        match self.acks.message().await {
            Ok(None) => Status::ok(""),
            Ok(Some(ack)) => panic!("nothing was said, but {ack:?} came"),
            Err(status) => status,
        }
    }

    async fn ack(&mut self) -> Result<Ack, Status> {
        self.acks.message().await?.ok_or_else(|| Status::cancelled("the gateway ended the stream"))
    }
}

/// A connection to a gateway's port for collectors.
pub async fn channel(ca_pem: &str, ingest: SocketAddr) -> Channel {
    try_channel(ca_pem, ingest).await.unwrap()
}

/// The same where it may fail.
///
/// # Errors
///
/// Why there is none.
pub async fn try_channel(ca_pem: &str, ingest: SocketAddr) -> Result<Channel, transport::Error> {
    connect(ingest, trusting(ca_pem), None).await
}

/// A connection of a collector that shows a certificate.
pub async fn channel_of(ca_pem: &str, ingest: SocketAddr, own: &ClientPair) -> Channel {
    let own = Identity::from_pem(own.pem(), own.key_pem());
    connect(ingest, trusting(ca_pem).identity(own), None).await.unwrap()
}

/// A connection of one that comes from another address of this machine, such as 127.0.0.2.
pub async fn channel_from(ca_pem: &str, ingest: SocketAddr, from: IpAddr) -> Channel {
    connect(ingest, trusting(ca_pem), Some(from)).await.unwrap()
}

fn trusting(ca_pem: &str) -> ClientTlsConfig {
    let ca = Certificate::from_pem(ca_pem);
    ClientTlsConfig::new().ca_certificate(ca).domain_name(INGEST_NAME)
}

async fn connect(
    ingest: SocketAddr,
    tls: ClientTlsConfig,
    from: Option<IpAddr>,
) -> Result<Channel, transport::Error> {
    crate::install_crypto();
    let endpoint = Endpoint::from_shared(format!("https://{ingest}")).unwrap();
    endpoint.local_address(from).tls_config(tls)?.connect().await
}

/// The hello of the lead broker of a MiniCluster in namespace `hpc`.
pub fn hello(minicluster: &str) -> Hello {
    Hello {
        contract_version: CONTRACT_VERSION,
        namespace: "hpc".to_owned(),
        minicluster: minicluster.to_owned(),
        pod_name: format!("{minicluster}-0"),
        pod_uid: String::new(),
        rank: 0,
        size: 4,
        broker_start_time: 1_795_460_400.0,
        flux_version: "0.88.0".to_owned(),
        collector_version: "0.1.0".to_owned(),
        headless_service: "flux-service".to_owned(),
    }
}

/// A full sample of these metrics, known or not, with every source proved just now. A metric
/// written `name{queue}` is the queue's.
pub fn sample(values: &[(&str, f64)]) -> Sample {
    let source = |origin: &catalogue::Source| Source {
        name: origin.name().to_owned(),
        proved_age_ms: Some(0),
        failure: String::new(),
    };
    Sample {
        sequence: 0,
        full: true,
        sources: catalogue::Source::ALL.iter().map(source).collect(),
        series: values.iter().map(|(name, value)| series(name, *value)).collect(),
        removed: Vec::new(),
        trace: None,
    }
}

/// One series, resting on the source that the catalogue names.
pub fn series(name: &str, value: f64) -> Series {
    let (metric, queue) = match name.strip_suffix('}').and_then(|name| name.split_once('{')) {
        Some((metric, queue)) => (metric, Some(queue)),
        None => (name, None),
    };
    let known = catalogue::find(metric);
    let scope = match known.map(|known| known.scope) {
        Some(What::Broker) => Scope::Broker,
        _ => Scope::Instance,
    };
    let origin = known.map_or(catalogue::Source::JobStats, |known| known.source);
    let source = catalogue::Source::ALL.iter().position(|source| *source == origin).unwrap();
    let label =
        |queue: &str| Label { name: catalogue::QUEUE_LABEL.to_owned(), value: queue.to_owned() };
    Series {
        key: Some(SeriesKey {
            metric: metric.to_owned(),
            scope: scope.into(),
            labels: queue.map(label).into_iter().collect(),
        }),
        value,
        source: u32::try_from(source).unwrap(),
    }
}
