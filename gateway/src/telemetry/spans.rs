//! The spans themselves: those of reads, and those of samples, which collectors made and the
//! gateway writes for them.
//!
//! ```text
//!  collector's trace   collector.sample ─┬─ uplink    collector → gateway
//!                            ▲           └─ store     gateway → readers
//!                            │ link
//!  caller's trace      … ── read
//! ```

use std::{sync::Arc, time::SystemTime};

use http::{HeaderMap, Request, StatusCode};
use opentelemetry::{
    Context, InstrumentationScope, KeyValue, SpanId, TraceFlags, TraceId,
    propagation::{Extractor, TextMapPropagator as _},
    trace::{SpanContext, SpanKind, Status, TraceContextExt as _, TraceState},
};
use opentelemetry_sdk::{propagation::TraceContextPropagator, trace::SpanData};
use tracing::{Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::{audit::audit_id, export::Pipeline};
use crate::model::{ClusterKey, Provenance};

/// The target of spans that are exported.
pub const TARGET: &str = "fluxgauge::trace";

/// The scope of spans that a collector made.
const COLLECTOR_SCOPE: &str = "fluxgauge-collector";

/// The scope of spans that the gateway made.
const GATEWAY_SCOPE: &str = "fluxgauge-gateway";

/// A span for one request, as a child of the caller's span. Costs next to nothing while nobody
/// collects traces.
pub fn read_span<B>(request: &Request<B>) -> Span {
    let span = tracing::debug_span!(
        target: TARGET,
        "read",
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = request.method().as_str(),
        http.response.status_code = Empty,
        url.path = request.uri().path(),
        url.query = request.uri().query(),
        k8s.audit_id = audit_id(request.headers()),
    );
    if !span.is_disabled() {
        let caller = caller(request.headers());
        if caller.span().span_context().is_valid() {
            // Fails where spans are logged and not exported: there is nothing to be child of.
            span.set_parent(caller).ok();
        }
    }
    span
}

/// Notes the answer to a request in its span.
pub fn record_status(span: &Span, status: StatusCode) {
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
}

/// Links a request's span to the sample that answered it.
pub fn link_to_sample(span: &Span, sample: &Provenance) {
    if !span.is_disabled() {
        span.add_link(context_of(sample));
    }
}

/// The span of the caller by W3C Trace Context, if the headers name one.
fn caller(headers: &HeaderMap) -> Context {
    TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers))
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

/// Where the ways of samples are written. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Traces {
    pipeline: Option<Arc<Pipeline>>,
}

impl Traces {
    pub(super) fn new(pipeline: Option<Arc<Pipeline>>) -> Self {
        Self { pipeline }
    }

    /// Writes how a sample came about: what its collector did, its way here, and its way into the
    /// store. Never waits; a full queue loses the spans.
    pub fn record_sample(&self, sample: &Provenance, cluster: &ClusterKey) {
        let Some(pipeline) = &self.pipeline else {
            return;
        };
        let root = SpanData {
            span_context: context_of(sample),
            parent_span_id: SpanId::INVALID,
            attributes: vec![
                KeyValue::new("flux.cause", String::from(sample.cause.clone())),
                KeyValue::new("k8s.namespace.name", cluster.namespace.to_string()),
                KeyValue::new("flux.minicluster.name", cluster.name.to_string()),
            ],
            ..span("collector.sample", COLLECTOR_SCOPE, sample, sample.event_seen, sample.made)
        };
        if !pipeline.samples(&root) {
            return;
        }
        pipeline.send(root);
        pipeline.send(span("uplink", COLLECTOR_SCOPE, sample, sample.made, sample.received));
        pipeline.send(span("store", GATEWAY_SCOPE, sample, sample.received, sample.stored));
    }
}

/// A span in a sample's trace, child of the collector's.
fn span(
    name: &'static str,
    scope: &'static str,
    sample: &Provenance,
    start: SystemTime,
    end: SystemTime,
) -> SpanData {
    let parent = context_of(sample);
    let id = SpanId::from(fastrand::u64(1..));
    SpanData {
        span_context: SpanContext::new(
            parent.trace_id(),
            id,
            parent.trace_flags(),
            false,
            TraceState::NONE,
        ),
        parent_span_id: parent.span_id(),
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: name.into(),
        start_time: start,
        end_time: end.max(start),
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: Default::default(),
        links: Default::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::builder(scope).build(),
    }
}

/// The span in which the collector made a sample.
fn context_of(sample: &Provenance) -> SpanContext {
    SpanContext::new(
        TraceId::from_bytes(sample.trace_id),
        SpanId::from_bytes(sample.span_id),
        TraceFlags::SAMPLED,
        true,
        TraceState::NONE,
    )
}
