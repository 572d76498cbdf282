//! The way of finished spans to an OTLP receiver: configured by the standard variables alone,
//! bounded, and never waited for.

use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use opentelemetry::{Context, Key, KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::{ExporterBuildError, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{
        BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, ShouldSample as _, Span,
        SpanData, SpanExporter, SpanProcessor,
    },
};
use thiserror::Error;

/// The service that spans are of, unless the environment names another.
const SERVICE_NAME: &str = "fluxgauge-gateway";

/// The variables that say whether and where traces go, read once. What the SDK reads of itself
/// (`OTEL_BSP_*`, headers, timeouts, resource, span limits) is not repeated here.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    disabled: bool,
    exporter: Option<String>,
    endpoint: Option<String>,
    protocol: Option<String>,
    sampler: Option<String>,
    sampler_arg: Option<String>,
}

/// Why no traces are sent although the environment asks for them.
#[derive(Debug, Error)]
pub(super) enum ExportError {
    /// The exporter is another one.
    #[error("OTEL_TRACES_EXPORTER={0} is not supported: use otlp, or none")]
    Exporter(String),
    /// The protocol is another one.
    #[error("OTLP over {0} is not supported: use grpc, whose usual port is 4317")]
    Protocol(String),
    /// The receiver is to be reached by TLS.
    #[error("OTLP by TLS, as in {0}, is not supported: use an http:// address")]
    Https(String),
    /// The sampler is unknown, or its ratio is no number from 0 to 1.
    #[error(
        "OTEL_TRACES_SAMPLER={sampler} with OTEL_TRACES_SAMPLER_ARG={arg:?} is not supported: use \
         [parentbased_]always_on, always_off or traceidratio with a ratio from 0 to 1"
    )]
    Sampler {
        /// The sampler's name.
        sampler: String,
        /// Its argument.
        arg: Option<String>,
    },
    /// The endpoint is none that the exporter takes.
    #[error("the exporter refused its configuration")]
    Endpoint(#[from] ExporterBuildError),
}

/// Where the standard sends traces when it is not told where.
const DEFAULT_ENDPOINT: &str = "http://localhost:4317";

impl Environment {
    /// Reads the variables through `read`. As the standard says, empty ones are unset.
    pub fn read(read: impl Fn(&str) -> Option<String>) -> Self {
        let read = |name: &str| read(name).filter(|value| !value.is_empty());
        let traces_or_all = |traces: &str, all: &str| read(traces).or_else(|| read(all));
        Self {
            disabled: read("OTEL_SDK_DISABLED").is_some_and(|v| v.eq_ignore_ascii_case("true")),
            exporter: read("OTEL_TRACES_EXPORTER"),
            endpoint: traces_or_all(
                opentelemetry_otlp::OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
                opentelemetry_otlp::OTEL_EXPORTER_OTLP_ENDPOINT,
            ),
            protocol: traces_or_all(
                opentelemetry_otlp::OTEL_EXPORTER_OTLP_TRACES_PROTOCOL,
                opentelemetry_otlp::OTEL_EXPORTER_OTLP_PROTOCOL,
            ),
            sampler: read("OTEL_TRACES_SAMPLER"),
            sampler_arg: read("OTEL_TRACES_SAMPLER_ARG"),
        }
    }

    /// Where traces go; `None`: nowhere. Without an endpoint nothing is sent unless the exporter is
    /// asked for by name: the standard's default would make every gateway without a receiver
    /// complain.
    fn destination(&self) -> Result<Option<&str>, ExportError> {
        if self.disabled || self.exporter.as_deref() == Some("none") {
            return Ok(None);
        }
        if self.endpoint.is_none() && self.exporter.is_none() {
            return Ok(None);
        }
        let endpoint = self.endpoint.as_deref().unwrap_or(DEFAULT_ENDPOINT);
        if let Some(other) = self.exporter.as_ref().filter(|exporter| *exporter != "otlp") {
            return Err(ExportError::Exporter(other.clone()));
        }
        if let Some(other) = self.protocol.as_ref().filter(|protocol| *protocol != "grpc") {
            return Err(ExportError::Protocol(other.clone()));
        }
        if endpoint.starts_with("https:") {
            return Err(ExportError::Https(endpoint.to_owned()));
        }
        Ok(Some(endpoint))
    }

    fn sampler(&self) -> Result<Sampler, ExportError> {
        let Some(name) = self.sampler.as_deref() else {
            return Ok(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)));
        };
        let parent_based = name.strip_prefix("parentbased_");
        let ratio = self.sampler_arg.as_ref().map_or(Ok(1.0), |arg| arg.parse());
        let root = match (parent_based.unwrap_or(name), ratio) {
            ("always_on", _) => Sampler::AlwaysOn,
            ("always_off", _) => Sampler::AlwaysOff,
            ("traceidratio", Ok(ratio)) if (0.0..=1.0).contains(&ratio) => {
                Sampler::TraceIdRatioBased(ratio)
            }
            _ => {
                let (sampler, arg) = (name.to_owned(), self.sampler_arg.clone());
                return Err(ExportError::Sampler { sampler, arg });
            }
        };
        Ok(match parent_based {
            Some(_) => Sampler::ParentBased(Box::new(root)),
            None => root,
        })
    }
}

/// A queue of finished spans and the thread that sends them.
#[derive(Debug)]
pub(super) struct Pipeline {
    provider: SdkTracerProvider,
    queue: Queue,
    sampler: Sampler,
}

impl Pipeline {
    /// Starts sending, if the environment says where to. A receiver that is down is no error.
    pub(super) fn start(environment: &Environment) -> Result<Option<Self>, Box<ExportError>> {
        let Some(endpoint) = environment.destination()? else {
            return Ok(None);
        };
        let sampler = environment.sampler()?;
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .build()
            .map_err(ExportError::from)?;
        let exporter = Reporting { exporter, failing: AtomicBool::new(false) };
        let resource = resource();
        let mut processor = BatchSpanProcessor::builder(exporter).build();
        processor.set_resource(&resource);
        let queue = Queue(Arc::new(processor));
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_sampler(sampler.clone())
            .with_span_processor(queue.clone())
            .build();
        Ok(Some(Self { provider, queue, sampler }))
    }

    pub(super) fn tracer(&self) -> SdkTracer {
        self.provider.tracer(SERVICE_NAME)
    }

    /// Whether the trace that a root span would begin is to be sent.
    pub(super) fn samples(&self, root: &SpanData) -> bool {
        use opentelemetry_sdk::trace::SamplingDecision::RecordAndSample;
        let (trace_id, kind) = (root.span_context.trace_id(), &root.span_kind);
        let result =
            self.sampler.should_sample(None, trace_id, &root.name, kind, &root.attributes, &[]);
        result.decision == RecordAndSample
    }

    /// Queues a finished span; drops it where the queue is full.
    pub(super) fn send(&self, span: SpanData) {
        self.queue.on_end(span);
    }

    /// Sends what is queued and ends. Blocks for at most `timeout`.
    pub(super) fn shutdown(&self, timeout: Duration) -> OTelSdkResult {
        self.provider.shutdown_with_timeout(timeout)
    }
}

/// What the spans are of: as the environment says, else this program.
fn resource() -> Resource {
    let detected = Resource::builder().build();
    let name = detected.get(&Key::new("service.name")).map(|name| name.to_string());
    let name = name.filter(|name| !name.starts_with("unknown_service"));
    Resource::builder()
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_service_name(name.map_or(Cow::Borrowed(SERVICE_NAME), Cow::Owned))
        .build()
}

/// The batch processor, shared by the provider and by spans that are not made by a tracer.
#[derive(Clone, Debug)]
struct Queue(Arc<BatchSpanProcessor>);

impl SpanProcessor for Queue {
    fn on_start(&self, span: &mut Span, cx: &Context) {
        self.0.on_start(span, cx);
    }

    fn on_end(&self, span: SpanData) {
        self.0.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }
}

/// An exporter that tells the operator once when spans begin to be lost, and once when they no
/// longer are.
#[derive(Debug)]
struct Reporting<E> {
    exporter: E,
    failing: AtomicBool,
}

impl<E: SpanExporter> SpanExporter for Reporting<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let result = self.exporter.export(batch).await;
        match (&result, self.failing.swap(result.is_err(), Relaxed)) {
            (Err(error), false) => tracing::warn!(%error, "traces cannot be sent; spans are lost"),
            (Ok(()), true) => tracing::info!("traces are sent again"),
            (Ok(()), false) | (Err(_), true) => {}
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn shutdown(&self) -> OTelSdkResult {
        self.exporter.shutdown()
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
