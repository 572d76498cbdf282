//! What the gateway tells about itself: logs for people, traces for those who collect them, and
//! counters, which `prometheus` shows.
//!
//! ```text
//!  tracing ──▶ log layer ──▶ standard error, plain or JSON
//!         └──▶ trace layer ─┐
//!  samples' own spans ──────┴▶ bounded queue ──▶ OTLP/gRPC, if OTEL_* variables name a receiver
//! ```
//!
//! Spans of the request path have the target [`TARGET`] and the level debug: without a receiver and
//! at the usual log level they are never made, at the price of one comparison.

use std::{io::IsTerminal as _, sync::Arc, time::Duration};

use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::{LevelFilter, filter_fn},
    fmt::{self, MakeWriter},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

mod audit;
mod counters;
mod export;
mod spans;

pub use audit::{AUDIT_ID, AUDIT_TARGET, Oldest, audit, is_audited};
pub use counters::{
    Authorization, Counter, DURATION_BOUNDS, Form, Lookups, OpenStream, Reads, Reviews, STATUSES,
    Streams,
};
pub use export::Environment;
pub use spans::{TARGET, Traces, link_to_sample, read_span, record_status};

/// How long the end of the process waits for spans that are still to be sent.
pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);

/// What is not logged unless it is asked for: `pods` says the same in fewer words.
const TOLD_ELSEWHERE: &str = "kube_runtime=off";

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Plain,
    /// One JSON object a line.
    Json,
}

/// What is logged, and how.
#[derive(Clone, Debug)]
pub struct Logs {
    /// The form of lines.
    pub format: LogFormat,
    /// What is logged, such as `info` or `info,fluxgauge_gateway::ingest=debug`.
    pub filter: String,
}

/// Logs and traces of the process, from start to end.
#[derive(Debug)]
pub struct Telemetry {
    pipeline: Option<Arc<export::Pipeline>>,
}

impl Telemetry {
    /// Starts logs on standard error and, if `environment` asks for it, traces. Must be called in
    /// a tokio runtime, which the exporter needs. A process that has logs already keeps them.
    pub fn start(logs: &Logs, environment: &Environment) -> Self {
        let (pipeline, problem) = match export::Pipeline::start(environment) {
            Ok(pipeline) => (pipeline.map(Arc::new), None),
            Err(problem) => (None, Some(problem)),
        };
        let ansi = std::io::stderr().is_terminal();
        let subscriber = subscriber(logs, ansi, std::io::stderr, pipeline.as_deref());
        if subscriber.try_init().is_err() {
            tracing::debug!("the process has logs already");
        }
        if let Some(problem) = problem {
            // The variables are often set for a whole cluster; metrics matter more than traces.
            let problem = problem.as_ref() as &dyn std::error::Error;
            tracing::warn!(error = problem, "no traces are sent: check the OTEL_ variables");
        }
        Self { pipeline }
    }

    /// Where samples' own spans are written.
    pub fn traces(&self) -> Traces {
        Traces::new(self.pipeline.clone())
    }

    /// Sends what is left, for at most [`SHUTDOWN_TIMEOUT`].
    pub async fn shutdown(self) {
        let Some(pipeline) = self.pipeline else {
            return;
        };
        // The exporter needs a thread of the runtime while this one is blocked.
        let ended = tokio::task::spawn_blocking(move || pipeline.shutdown(SHUTDOWN_TIMEOUT));
        if !matches!(tokio::time::timeout(SHUTDOWN_TIMEOUT * 2, ended).await, Ok(Ok(Ok(())))) {
            tracing::warn!("the last spans could not be sent");
        }
    }
}

/// The layers, as `start` and the tests use them.
fn subscriber<W>(
    logs: &Logs,
    ansi: bool,
    writer: W,
    pipeline: Option<&export::Pipeline>,
) -> impl Subscriber + Send + Sync + use<W>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(writer).with_ansi(ansi);
    let lines = match logs.format {
        LogFormat::Plain => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let traces = pipeline.map(|pipeline| {
        tracing_opentelemetry::layer()
            .with_tracer(pipeline.tracer())
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_target(false)
            .with_level(false)
            .with_filter(
                filter_fn(|metadata| metadata.is_span() && metadata.target() == TARGET)
                    .with_max_level_hint(LevelFilter::DEBUG),
            )
    });
    // The filter was checked with the rest of the configuration.
    let filter = EnvFilter::try_new(format!("{TOLD_ELSEWHERE},{}", logs.filter))
        .unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::registry().with(traces).with(lines.with_filter(filter))
}

#[cfg(test)]
mod tests;
