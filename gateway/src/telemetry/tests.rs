use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::Mutex,
    time::{SystemTime, UNIX_EPOCH},
};

use http::{Request, StatusCode};
use hyper_util::service::TowerToHyperService;
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use tokio::{net::TcpListener, time::Instant};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    model::{ClusterKey, Provenance},
    serve::{self, Limits, Transport},
};

const CALLER_TRACE: [u8; 16] = [0xaa; 16];
const CALLER_SPAN: [u8; 8] = [0xbb; 8];

/// A receiver of spans that speaks OTLP over gRPC.
#[derive(Clone, Default)]
struct Receiver(Arc<Mutex<Vec<ExportTraceServiceRequest>>>);

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        self.0.lock().unwrap().push(request.into_inner());
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Receiver {
    async fn start() -> (Self, SocketAddr) {
        let receiver = Self::default();
        let listener = serve::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let limits = Limits { connections: 4, max_age: None, drain_timeout: Duration::ZERO };
        let service = TowerToHyperService::new(TraceServiceServer::new(receiver.clone()));
        let never = CancellationToken::new();
        tokio::spawn(serve::serve(
            listener,
            Transport::Plain,
            limits,
            move |_| service.clone(),
            never,
        ));
        (receiver, address)
    }

    /// All spans by name.
    fn spans(&self) -> HashMap<String, Span> {
        let requests = self.0.lock().unwrap();
        let scopes = requests.iter().flat_map(|r| &r.resource_spans).flat_map(|r| &r.scope_spans);
        scopes.flat_map(|s| &s.spans).map(|span| (span.name.clone(), span.clone())).collect()
    }

    fn service(&self) -> String {
        let requests = self.0.lock().unwrap();
        let resource = requests[0].resource_spans[0].resource.as_ref().unwrap();
        attribute(&resource.attributes, "service.name").unwrap()
    }
}

fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let value = attributes.iter().find(|attribute| attribute.key == key)?.value.clone()?;
    match value.value? {
        Value::StringValue(text) => Some(text),
        Value::IntValue(number) => Some(number.to_string()),
        other => panic!("{key} is {other:?}"),
    }
}

fn environment(variables: &[(&str, &str)]) -> Environment {
    let variables: HashMap<_, _> = variables.iter().copied().collect();
    Environment::read(|name| variables.get(name).map(|&value| value.to_owned()))
}

/// Telemetry that sends to `address`, and the subscriber that feeds it.
fn telemetry(
    address: SocketAddr,
    more: &[(&str, &str)],
) -> (Telemetry, impl Subscriber + Send + Sync) {
    let endpoint = format!("http://{address}");
    let mut variables = vec![("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint)];
    variables.extend(more);
    let pipeline = export::Pipeline::start(&environment(&variables)).unwrap().map(Arc::new);
    let subscriber = subscriber(&logs(LogFormat::Plain), false, io::sink, pipeline.as_deref());
    (Telemetry { pipeline }, subscriber)
}

fn logs(format: LogFormat) -> Logs {
    Logs { format, filter: "info".to_owned() }
}

fn at(milliseconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(1_700_000_000_000 + milliseconds)
}

fn nanoseconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap().as_nanos().try_into().unwrap()
}

fn sample() -> Provenance {
    Provenance {
        trace_id: [0x11; 16],
        span_id: [0x22; 8],
        cause: "job-list.job-stats".into(),
        event_seen: at(0),
        made: at(10),
        received: at(15),
        stored: at(16),
    }
}

fn cluster() -> ClusterKey {
    ClusterKey { namespace: "physics".into(), name: "lammps".into() }
}

/// A read that a caller with a trace of its own makes, answered by `sample`.
fn read(sample: &Provenance, sampled: bool) {
    let flags = if sampled { "01" } else { "00" };
    let request = Request::get("/apis/x?labelSelector=a")
        .header("traceparent", format!("00-{}-{}-{flags}", "aa".repeat(16), "bb".repeat(8)))
        .header("tracestate", "vendor=1")
        .header(AUDIT_ID, "a-1")
        .body(())
        .unwrap();
    let span = read_span(&request);
    span.in_scope(|| link_to_sample(&span, sample));
    record_status(&span, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_continues_its_callers_trace_and_links_to_the_samples_way() {
    let (receiver, address) = Receiver::start().await;
    let (telemetry, subscriber) = telemetry(address, &[]);
    telemetry.traces().record_sample(&sample(), &cluster());
    tracing::subscriber::with_default(subscriber, || read(&sample(), true));
    telemetry.shutdown().await;

    let spans = receiver.spans();
    assert_eq!(spans.len(), 4, "{:?}", spans.keys());
    assert_eq!(receiver.service(), "fluxgauge-gateway");

    let way = [("collector.sample", 0, 10), ("uplink", 10, 15), ("store", 15, 16)];
    for (name, start, end) in way {
        let span = &spans[name];
        assert_eq!(span.trace_id, [0x11; 16], "{name}");
        assert_eq!(span.start_time_unix_nano, nanoseconds(at(start)), "{name}");
        assert_eq!(span.end_time_unix_nano, nanoseconds(at(end)), "{name}");
    }
    let made = &spans["collector.sample"];
    assert_eq!((&*made.span_id, &*made.parent_span_id), (&[0x22; 8][..], &[][..]));
    assert_eq!(attribute(&made.attributes, "flux.cause").unwrap(), "job-list.job-stats");
    assert_eq!(attribute(&made.attributes, "k8s.namespace.name").unwrap(), "physics");
    assert_eq!(attribute(&made.attributes, "flux.minicluster.name").unwrap(), "lammps");
    for child in ["uplink", "store"] {
        assert_eq!(spans[child].parent_span_id, [0x22; 8], "{child}");
        assert_ne!(spans[child].span_id, [0x22; 8], "{child}");
    }
    assert_ne!(spans["uplink"].span_id, spans["store"].span_id);

    let read = &spans["read"];
    assert_eq!(read.trace_id, CALLER_TRACE);
    assert_eq!(read.parent_span_id, CALLER_SPAN);
    assert_eq!(read.trace_state, "vendor=1");
    assert_eq!(attribute(&read.attributes, "http.request.method").unwrap(), "GET");
    assert_eq!(attribute(&read.attributes, "url.path").unwrap(), "/apis/x");
    assert_eq!(attribute(&read.attributes, "url.query").unwrap(), "labelSelector=a");
    assert_eq!(attribute(&read.attributes, "http.response.status_code").unwrap(), "200");
    assert_eq!(attribute(&read.attributes, "k8s.audit_id").unwrap(), "a-1");
    let [link] = &*read.links else { panic!("{} links", read.links.len()) };
    assert_eq!((&*link.trace_id, &*link.span_id), (&[0x11; 16][..], &[0x22; 8][..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_sampled_is_not_sent() {
    let (receiver, address) = Receiver::start().await;
    let (telemetry, subscriber) =
        telemetry(address, &[("OTEL_TRACES_SAMPLER", "parentbased_always_off")]);
    telemetry.traces().record_sample(&sample(), &cluster());
    tracing::subscriber::with_default(subscriber, || {
        read(&sample(), false);
        drop(read_span(&Request::get("/").body(()).unwrap()));
    });
    telemetry.shutdown().await;
    assert!(receiver.spans().is_empty(), "{:?}", receiver.spans().keys());
}

#[tokio::test]
async fn a_receiver_that_is_down_or_silent_holds_up_neither_requests_nor_the_end() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (down, silent) = (free.local_addr().unwrap(), (silent.local_addr().unwrap(), silent));
    drop(free);
    for address in [down, silent.0] {
        let (telemetry, subscriber) = telemetry(address, &[]);
        let began = Instant::now();
        tracing::subscriber::with_default(subscriber, || {
            // Far more than the queue holds.
            for _ in 0..10_000 {
                read(&sample(), true);
                telemetry.traces().record_sample(&sample(), &cluster());
            }
        });
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        let began = Instant::now();
        telemetry.shutdown().await;
        assert!(began.elapsed() < SHUTDOWN_TIMEOUT * 2, "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn spans_of_reads_are_off_by_their_level_unless_there_is_a_receiver() {
    // Whether a span is made depends on the subscribers of all threads, so their parts are asked.
    let without = subscriber(&logs(LogFormat::Plain), false, io::sink, None);
    assert_eq!(without.max_level_hint(), Some(LevelFilter::INFO));
    let (_telemetry, with) = telemetry("127.0.0.1:1".parse().unwrap(), &[]);
    assert_eq!(with.max_level_hint(), Some(LevelFilter::DEBUG));
    tracing::subscriber::with_default(with, || {
        let span = read_span(&Request::get("/").body(()).unwrap());
        assert_eq!(span.metadata().unwrap().level(), &tracing::Level::DEBUG);
    });
    Traces::default().record_sample(&sample(), &cluster());
}

#[tokio::test]
async fn the_environment_decides_whether_traces_are_sent() {
    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
    type Variables<'a> = &'a [(&'a str, &'a str)];
    let cases: [(Variables<'_>, Result<bool, &str>); 14] = [
        (&[], Ok(false)),
        (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")], Ok(false)),
        (&[ENDPOINT], Ok(true)),
        (&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:1")], Ok(true)),
        (&[ENDPOINT, ("OTEL_SDK_DISABLED", "TRUE")], Ok(false)),
        (&[ENDPOINT, ("OTEL_TRACES_EXPORTER", "none")], Ok(false)),
        (&[ENDPOINT, ("OTEL_TRACES_EXPORTER", "otlp")], Ok(true)),
        (&[ENDPOINT, ("OTEL_TRACES_EXPORTER", "zipkin")], Err("zipkin is not supported")),
        (&[ENDPOINT, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")], Err("use grpc")),
        (&[ENDPOINT, ("OTEL_TRACES_SAMPLER", "xray")], Err("OTEL_TRACES_SAMPLER=xray")),
        (
            &[
                ENDPOINT,
                ("OTEL_TRACES_SAMPLER", "traceidratio"),
                ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
            ],
            Ok(true),
        ),
        (
            &[
                ENDPOINT,
                ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
                ("OTEL_TRACES_SAMPLER_ARG", "7"),
            ],
            Err("a ratio from 0 to 1"),
        ),
        (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://a")], Err("use an http:// address")),
        (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "not a uri")], Err("the exporter refused")),
    ];
    for (variables, want) in cases {
        match (export::Pipeline::start(&environment(variables)), want) {
            (Ok(pipeline), Ok(want)) => assert_eq!(pipeline.is_some(), want, "{variables:?}"),
            (Err(error), Err(want)) => {
                assert!(error.to_string().contains(want), "{variables:?}: {error}");
            }
            (got, want) => panic!("{variables:?}: {got:?} instead of {want:?}"),
        }
    }
}

#[test]
fn log_lines_are_plain_or_json_and_without_colours_off_a_terminal() {
    for format in [LogFormat::Plain, LogFormat::Json] {
        let file = tempfile::NamedTempFile::new().unwrap();
        let writer = Arc::new(file.reopen().unwrap());
        let subscriber = subscriber(&logs(format), false, writer, None);
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(minicluster = "lammps", "a collector came");
            tracing::debug!("not for operators");
        });
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
        match format {
            LogFormat::Plain => assert!(text.contains("a collector came minicluster"), "{text}"),
            LogFormat::Json => {
                let line: serde_json::Value = serde_json::from_str(&text).unwrap();
                assert_eq!(line["message"], "a collector came");
                assert_eq!(line["minicluster"], "lammps");
            }
        }
    }
}
