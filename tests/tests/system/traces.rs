//! Traces: a read is a child of its caller's span and links to the sample that answered it, whose
//! way from the Flux event to the store is a trace of its own.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use flux_simulator::{Config, Simulator, instance::Need};
use fluxgauge_gateway::serve::{Limits, Transport, serve};
use fluxgauge_proto::v1::Trace;
use hyper_util::service::TowerToHyperService;
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::any_value::Value,
    trace::v1::Span,
};
use system_tests::{
    Client, FakeCollector, Gateways, Process, TestCa, TestCollector, client, eventually,
    fake_collector, is, process,
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const SAMPLE_TRACE: [u8; 16] = [0xaa; 16];
const SAMPLE_SPAN: [u8; 8] = [0xbb; 8];

/// A receiver of spans that speaks OTLP over gRPC.
#[derive(Clone, Default)]
struct Receiver(Arc<Mutex<Vec<Span>>>);

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        let resources = request.into_inner().resource_spans.into_iter();
        let scopes = resources.flat_map(|resource| resource.scope_spans);
        self.0.lock().unwrap().extend(scopes.flat_map(|scope| scope.spans));
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Receiver {
    async fn start() -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let receiver = Self::default();
        let service = TowerToHyperService::new(TraceServiceServer::new(receiver.clone()));
        let limits = Limits { connections: 4, max_age: None, drain_timeout: Duration::ZERO };
        let never = CancellationToken::new();
        tokio::spawn(serve(listener, Transport::Plain, limits, move |_| service.clone(), never));
        (receiver, endpoint)
    }

    /// Waits for a span.
    async fn span(&self, what: &str, wanted: impl Fn(&Span) -> bool) -> Span {
        eventually(what, async || {
            self.0.lock().unwrap().iter().find(|span| wanted(span)).cloned().ok_or("not there")
        })
        .await
    }
}

/// A gateway that sends its spans to a receiver.
struct Traced {
    receiver: Receiver,
    api: SocketAddr,
    ingest: SocketAddr,
    _process: Process,
    _certs: TempDir,
}

impl Traced {
    async fn start(ca: &TestCa) -> Self {
        let (receiver, endpoint) = Receiver::start().await;
        let certs = TempDir::new().unwrap();
        ca.write_leaf(certs.path());
        let (cert, key) = (certs.path().join("tls.crt"), certs.path().join("tls.key"));
        let mut gateway = Process::start(
            env!("CARGO_BIN_EXE_child"),
            [
                "gateway",
                "--listen=127.0.0.1:0",
                "--ingest-listen=127.0.0.1:0",
                "--insecure-readers",
                "--insecure-collectors",
                "--tls-cert",
                process::text(&cert),
                "--tls-key",
                process::text(&key),
            ],
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint), ("OTEL_BSP_SCHEDULE_DELAY", "100")],
        );
        let (api, ingest) = addresses(&gateway.line().await);
        Self { receiver, api, ingest, _process: gateway, _certs: certs }
    }
}

#[tokio::test]
async fn a_read_continues_its_callers_trace_and_links_to_the_way_of_its_sample() {
    let ca = TestCa::new();
    let Traced { receiver, api, ingest, .. } = &Traced::start(&ca).await;

    let channel = fake_collector::channel(&ca.pem(), *ingest).await;
    let hello = fake_collector::hello("mc0");
    let mut collector = FakeCollector::connect(channel, hello).await.unwrap();
    let mut sample = fake_collector::sample(&[("node_up_count", 4.0)]);
    sample.trace = Some(Trace {
        trace_id: SAMPLE_TRACE.to_vec(),
        span_id: SAMPLE_SPAN.to_vec(),
        cause: "job-list.job-stats".to_owned(),
        event_age_us: 3_000,
        made_age_us: 1_000,
    });
    collector.send(sample).await.unwrap();

    let mut request = client::get(&client::metric_path("mc0", "node_up_count"));
    let caller = "00-cccccccccccccccccccccccccccccccc-dddddddddddddddd-01";
    request.headers_mut().insert("traceparent", caller.parse().unwrap());
    let answer = Client::new(&ca, *api).send(request).await.unwrap();
    assert_eq!(answer.value(), Ok(4.0));

    let read = receiver.span("the read", |span| span.name == "read").await;
    assert_eq!(read.trace_id, [0xcc; 16]);
    assert_eq!(read.parent_span_id, [0xdd; 8]);
    let [link] = read.links.as_slice() else { panic!("one link: {read:?}") };
    assert_eq!(link.trace_id, SAMPLE_TRACE);
    assert_eq!(link.span_id, SAMPLE_SPAN);

    let of_sample = |name: &'static str| {
        receiver.span(name, move |span| span.name == name && span.trace_id == SAMPLE_TRACE)
    };
    let root = of_sample("collector.sample").await;
    assert_eq!(root.span_id, SAMPLE_SPAN);
    assert!(root.parent_span_id.is_empty(), "{root:?}");
    assert_eq!(root.end_time_unix_nano - root.start_time_unix_nano, 2_000_000);
    let (uplink, store) = (of_sample("uplink").await, of_sample("store").await);
    for part in [&uplink, &store] {
        assert_eq!(part.parent_span_id, SAMPLE_SPAN, "{part:?}");
    }
    assert_eq!(uplink.start_time_unix_nano, root.end_time_unix_nano);
    assert_eq!(store.start_time_unix_nano, uplink.end_time_unix_nano);
    assert!(read.start_time_unix_nano >= store.end_time_unix_nano);
}

#[tokio::test]
async fn a_reads_link_leads_to_the_flux_event_that_made_the_value() {
    let (ca, sockets) = (TestCa::new(), TempDir::new().unwrap());
    let gateway = Traced::start(&ca).await;
    let broker = Simulator::start(Config::new(sockets.path())).await.unwrap();
    let uri = format!("local://{}", broker.socket(0).display());
    let collector = TestCollector::start(&ca, Gateways::one(gateway.ingest), &uri);
    let client = Client::new(&ca, gateway.api);
    let running = "job_queue_state_run_count";
    eventually("no job runs", async || is(client.metric("mc0", running).await == Ok(0.0))).await;

    broker.submit(Need::cores(1), None).unwrap();
    eventually("the job runs", async || is(client.metric("mc0", running).await == Ok(1.0))).await;
    let caused = |span: &Span| {
        let cause = span.attributes.iter().find(|attribute| attribute.key == "flux.cause");
        let value = cause.and_then(|cause| cause.value.as_ref()?.value.clone());
        value == Some(Value::StringValue("job-manager.events-journal".to_owned()))
    };
    let receiver = &gateway.receiver;
    let sample = |read: &Span| {
        let link = read.links.first()?;
        let spans = receiver.0.lock().unwrap();
        spans.iter().find(|span| span.span_id == link.span_id && caused(span)).cloned()
    };
    let read = |span: &Span| span.name == "read";
    eventually("a read that links to the event", async || {
        // Each look is a read, so that there is one of the newest sample.
        client.metric("mc0", running).await.unwrap();
        let reads: Vec<_> =
            receiver.0.lock().unwrap().iter().filter(|span| read(span)).cloned().collect();
        reads.iter().find_map(sample).ok_or(reads.len())
    })
    .await;
    drop(collector);
}

/// The addresses in the first line of a gateway's output.
fn addresses(line: &str) -> (SocketAddr, SocketAddr) {
    let mut words = line.split_whitespace();
    let mut address = |key: &str| {
        let word = words.find_map(|word| word.strip_prefix(key));
        word.unwrap_or_else(|| panic!("no {key} in {line:?}")).parse().unwrap()
    };
    (address("api="), address("ingest="))
}
