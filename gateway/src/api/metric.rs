//! One read of a metric: from the path's words to the store's, and back to a list.

use jiff::Timestamp;
use metrics_api::{
    Encoding, Quantity, Selector, Status,
    custom::{self, MetricValue, ObjectReference},
    parameters::Parameters,
    path,
};
use tracing::Span;

use super::{Found, Read};
use crate::{
    query::{self, Error, Item, Name, Object, Request},
    telemetry,
};

/// Samples that the span of one read links to; a list of pods may have thousands.
const MAX_LINKS: usize = 16;

/// The kinds of objects that have metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    MiniCluster,
    Service,
    Job,
    Pod,
    Namespace,
}

impl Kind {
    /// In the order of discovery documents.
    pub(super) const ALL: [Self; 5] =
        [Self::MiniCluster, Self::Service, Self::Job, Self::Pod, Self::Namespace];

    /// Plural and group, as they stand in paths.
    pub(super) const fn resource(self) -> (&'static str, &'static str) {
        match self {
            Self::MiniCluster => ("miniclusters", "flux-framework.org"),
            Self::Service => ("services", ""),
            Self::Job => ("jobs", "batch"),
            Self::Pod => ("pods", ""),
            Self::Namespace => ("namespaces", ""),
        }
    }

    /// Kind and version, as they stand in answers.
    const fn reference(self) -> (&'static str, &'static str) {
        match self {
            Self::MiniCluster => ("MiniCluster", "flux-framework.org/v1alpha2"),
            Self::Service => ("Service", "v1"),
            Self::Job => ("Job", "batch/v1"),
            Self::Pod => ("Pod", "v1"),
            Self::Namespace => ("Namespace", "v1"),
        }
    }
}

/// Reads a metric and writes the list that answers.
///
/// # Errors
///
/// A `Status` in Kubernetes' words, and in the query's after a colon.
pub(super) fn read(
    read: Read<'_>,
    asked: &path::Metric<'_>,
    parameters: &Parameters<'_>,
    encoding: Encoding,
) -> Result<Found, Status> {
    let object_selector = selector(&parameters.label_selector)?;
    let metric_selector = selector(&parameters.metric_label_selector)?;

    let (kind, namespace, object) = object(asked)?;
    let request = Request {
        namespace,
        object,
        metric: &asked.metric,
        object_selector: &object_selector,
        metric_selector: &metric_selector,
        traced: !read.span.is_disabled(),
    };
    let failure = |error| failure(error, asked, &request);
    let items = query::find(read.view, read.rules, read.now, &request).map_err(failure)?;

    let mut values = Vec::with_capacity(items.len());
    for item in &items {
        values.push(value(kind, &request, item).map_err(failure)?);
    }
    link_samples(read.span, &items);
    let body = encoding.encode(&custom::List { version: asked.version, items: &values });
    Ok(Found { body, oldest: items.iter().map(|item| item.produced).min() })
}

/// Reads a selector of a query.
pub(super) fn selector(text: &str) -> Result<Selector, Status> {
    Selector::parse(text).map_err(|error| Status::bad_request(&error))
}

/// Lets a trace lead to the samples that an answer rests on.
pub(super) fn link_samples<'a>(span: &Span, items: impl IntoIterator<Item = &'a Item>) {
    let samples = items.into_iter().flat_map(|item| item.provenance.iter().chain(&item.parts));
    for sample in samples.take(MAX_LINKS) {
        telemetry::link_to_sample(span, sample);
    }
}

/// Finds out what is asked about.
fn object<'a>(asked: &'a path::Metric<'_>) -> Result<(Kind, &'a str, Object<'a>), Status> {
    let no_metric = |cause: &str| {
        let (resource, name) = words(asked);
        Err(Status::no_metric(&asked.metric, resource, Some(name), &Selector::default())
            .because(&cause))
    };
    let path::Object::Named(resource, name) = &asked.object else {
        let Some(namespace) = &asked.namespace else {
            return Err(Status::unknown_path());
        };
        return Ok((Kind::Namespace, namespace, Object::Namespace));
    };
    let name = match name {
        path::Name::Exact(name) => Name::Exact(name),
        path::Name::All => Name::All,
    };
    let kind = Kind::ALL.into_iter().find(|kind| kind.resource() == resource.split());
    let (kind, object) = match kind {
        Some(kind @ Kind::MiniCluster) => (kind, Object::MiniCluster(name)),
        Some(kind @ Kind::Service) => (kind, Object::Service(name)),
        Some(kind @ Kind::Job) => (kind, Object::Job(name)),
        Some(kind @ Kind::Pod) => (kind, Object::Pod(name)),
        Some(Kind::Namespace) => {
            return no_metric("ask for namespaces/NAMESPACE/metrics/METRIC");
        }
        None => {
            return no_metric(
                "only miniclusters.flux-framework.org, services, jobs.batch, pods and namespaces \
                 have metrics here",
            );
        }
    };
    match &asked.namespace {
        Some(namespace) => Ok((kind, namespace, object)),
        None => no_metric("these objects live in namespaces: ask below namespaces/NAMESPACE"),
    }
}

/// Resource and name of what is asked about, for texts.
fn words<'a>(asked: &'a path::Metric<'_>) -> (&'a str, &'a str) {
    match &asked.object {
        path::Object::Namespace => ("namespaces", asked.namespace.as_deref().unwrap_or_default()),
        path::Object::Named(resource, path::Name::Exact(name)) => (resource.as_str(), name),
        path::Object::Named(resource, path::Name::All) => (resource.as_str(), "*"),
    }
}

fn value<'a>(kind: Kind, request: &Request<'a>, item: &'a Item) -> Result<MetricValue<'a>, Error> {
    let (kind_name, api_version) = kind.reference();
    let (timestamp, value) = measured(item)?;
    Ok(MetricValue {
        object: ObjectReference {
            kind: kind_name,
            namespace: if kind == Kind::Namespace { "" } else { request.namespace },
            name: &item.object,
            uid: item.uid.as_deref().unwrap_or_default(),
            api_version,
        },
        metric: request.metric,
        selector: request.metric_selector,
        timestamp,
        window_seconds: item.window,
        value,
    })
}

/// When something was measured, and how much it was.
pub(super) fn measured(item: &Item) -> Result<(Timestamp, Quantity), Error> {
    let no_value = |problem: String| Error::NotFound(problem);
    let timestamp = Timestamp::try_from(item.produced)
        .map_err(|error| no_value(format!("the value has no date: {error}")))?;
    let value = Quantity::try_from(item.value).map_err(|error| no_value(error.to_string()))?;
    Ok((timestamp, value))
}

/// Says in Kubernetes' words why there is no value.
fn failure(error: Error, asked: &path::Metric<'_>, request: &Request<'_>) -> Status {
    let (resource, name) = words(asked);
    let selector = match request.metric_selector {
        none if none.is_empty() => request.object_selector,
        some => some,
    };
    match error {
        Error::Bad(problem) => Status::bad_request(&problem),
        Error::UnknownMetric(_) => {
            Status::no_metric(request.metric, resource, None, &Selector::default()).because(&error)
        }
        Error::NotFound(_) | Error::TooOld { .. } => {
            Status::no_metric(request.metric, resource, Some(name), selector).because(&error)
        }
    }
}
