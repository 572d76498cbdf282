//! The gateway's own health: what it counts, and what it holds.

use super::{
    Sources,
    page::{Kind, Page, float},
};
use crate::{
    pods::Pods,
    query::Everything,
    telemetry::{Authorization, Counter, DURATION_BOUNDS, Reads, Streams},
};

/// Writes all of it.
pub(super) fn write(page: &mut Page, sources: &Sources<'_>, everything: &Everything) {
    let help =
        "1; its labels say which program this is, and which contract it has with collectors.";
    page.family("fluxgauge_build_info", Kind::Gauge, help).line(
        &[
            ("version", env!("CARGO_PKG_VERSION")),
            ("contract", &fluxgauge_proto::CONTRACT_VERSION.to_string()),
        ],
        1.0,
    );
    held(page, sources, everything);
    streams(page, &sources.own.streams);
    reads(page, &sources.own.reads);
    authorization(page, &sources.own.authorization);
    if let Some(seconds) = sources.own.certificate.not_after() {
        let help = "When the certificate that is served with ends, in seconds since 1970.";
        page.gauge("fluxgauge_certificate_not_after_seconds", help, time(seconds));
    }
}

/// What is held at the moment.
fn held(page: &mut Page, sources: &Sources<'_>, everything: &Everything) {
    let help = "Brokers whose collectors report, or did until lately.";
    page.gauge("fluxgauge_reporters", help, size(sources.view.store.reporters()));
    let help = "MiniClusters that count, whether their leads report or not.";
    page.gauge("fluxgauge_miniclusters", help, size(everything.miniclusters.len()));
    if let Pods::Known(known) = sources.view.pods {
        let help = "Pods of MiniClusters that run or will; absent while they are not known.";
        page.gauge("fluxgauge_pods", help, size(known.pods()));
    }
    if let Some(errors) = sources.watch_errors {
        let help = "Errors that the watch of pods has brought; more come while it is interrupted.";
        let mut family = page.family("fluxgauge_pod_watch_errors", Kind::Counter, help);
        family.line(&[], float(errors));
    }
}

/// What collectors do.
fn streams(page: &mut Page, streams: &Streams) {
    let help = "Streams of collectors that are open.";
    page.gauge("fluxgauge_streams_open", help, float(streams.are_open()));
    let help = "Streams of collectors that began.";
    counter(page, "fluxgauge_streams_opened", help, &streams.opened);
    let help = "Streams that this gateway refused or ended, by the gRPC status that it gave.";
    let mut refused = page.family("fluxgauge_streams_refused", Kind::Counter, help);
    for (code, count) in streams.refused() {
        refused.line(&[("code", &format!("{code:?}"))], float(count));
    }
    let help = "Samples of collectors that readers could see.";
    counter(page, "fluxgauge_samples_received", help, &streams.samples);
    let help = "Samples of collectors that were not taken, each of which ends its stream.";
    counter(page, "fluxgauge_samples_refused", help, &streams.samples_refused);
    let help = "Samples that did not follow the one before, so that a full one was asked for.";
    counter(page, "fluxgauge_sample_gaps", help, &streams.gaps);
}

/// What readers do.
fn reads(page: &mut Page, reads: &Reads) {
    let help = "Answers by what was asked for and by HTTP status.";
    let mut family = page.family("fluxgauge_reads", Kind::Counter, help);
    for (form, status, count) in reads.answers() {
        let code = if status == 0 { "other".to_owned() } else { status.to_string() };
        family.line(&[("form", form.name()), ("code", &code)], float(count));
    }
    let help = "How long reads of custom and external metrics took.";
    let (bounded, count) = reads.durations();
    let buckets: Vec<_> = DURATION_BOUNDS.into_iter().zip(bounded).collect();
    let mut family = page.family("fluxgauge_read_duration_seconds", Kind::Histogram, help);
    family.histogram(&buckets, count, reads.duration().as_secs_f64());
}

/// What is remembered and asked about those who read.
fn authorization(page: &mut Page, counters: &Authorization) {
    let help = "Looks into what is remembered of tokens and of decisions, by whether it was there.";
    let mut family = page.family("fluxgauge_authorization_cache_lookups", Kind::Counter, help);
    for (cache, lookups) in [("tokens", &counters.tokens), ("decisions", &counters.decisions)] {
        for (result, counter) in [("hit", &lookups.hits), ("miss", &lookups.misses)] {
            family.line(&[("cache", cache), ("result", result)], float(counter.get()));
        }
    }
    let kinds = [
        ("TokenReview", &counters.token_reviews),
        ("SubjectAccessReview", &counters.access_reviews),
    ];
    let help =
        "Questions to the Kubernetes API server about those who read or report, each attempt.";
    let mut family = page.family("fluxgauge_reviews", Kind::Counter, help);
    for (kind, reviews) in kinds {
        family.line(&[("kind", kind)], float(reviews.asked.get()));
    }
    let help = "Those of them that the Kubernetes API server did not answer.";
    let mut family = page.family("fluxgauge_reviews_failed", Kind::Counter, help);
    for (kind, reviews) in kinds {
        family.line(&[("kind", kind)], float(reviews.failed.get()));
    }
}

fn counter(page: &mut Page, name: &str, help: &str, counter: &Counter) {
    page.family(name, Kind::Counter, help).line(&[], float(counter.get()));
}

/// A time of day as a value, exact for longer than there are certificates.
#[allow(clippy::cast_precision_loss, reason = "below 2^53 for 285 million years")]
const fn time(seconds: i64) -> f64 {
    seconds as f64
}

/// A number of things in memory as a value.
fn size(number: usize) -> f64 {
    float(number as u64)
}
