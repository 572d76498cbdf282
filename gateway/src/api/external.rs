//! One read of an external metric: every MiniCluster of a namespace that a selector leaves.

use metrics_api::{
    Encoding, Selector, Status,
    external::{List, MetricValue},
    parameters::Parameters,
    path,
};

use super::{Found, Read, metric};
use crate::query::{self, Error, External, MINICLUSTER_LABEL};

/// Reads a metric and writes the list that answers.
///
/// # Errors
///
/// A `Status` in Kubernetes' words, and in the query's after a colon.
pub(super) fn read(
    read: Read<'_>,
    asked: &path::External<'_>,
    parameters: &Parameters<'_>,
    encoding: Encoding,
) -> Result<Found, Status> {
    let selector = metric::selector(&parameters.label_selector)?;
    let failure = |error| failure(&error, asked, &selector);
    let request = query::ExternalRequest {
        namespace: &asked.namespace,
        metric: &asked.metric,
        selector: &selector,
        traced: !read.span.is_disabled(),
    };
    let found = query::find_external(read.view, read.rules, read.now, &request).map_err(failure)?;

    let mut values = Vec::with_capacity(found.len());
    for one in &found {
        values.push(value(&asked.metric, one).map_err(failure)?);
    }
    metric::link_samples(read.span, found.iter().map(|one| &one.item));
    let body = encoding.encode(&List { items: &values });
    Ok(Found { body, oldest: found.iter().map(|one| one.item.produced).min() })
}

/// Whether a query picks one MiniCluster by its name.
pub(super) fn is_of_one_minicluster(query: &str) -> bool {
    let parameters = Parameters::parse(query).unwrap_or_default();
    let selector = Selector::parse(&parameters.label_selector).unwrap_or_default();
    selector.value_of(MINICLUSTER_LABEL).is_some()
}

fn value<'a>(metric: &'a str, found: &'a External) -> Result<MetricValue<'a>, Error> {
    let (timestamp, value) = metric::measured(&found.item)?;
    let of_series = found.labels.iter().map(|(name, value)| (&**name, &**value));
    let labels = of_series.chain([(MINICLUSTER_LABEL, &*found.item.object)]).collect();
    let window_seconds = found.item.window;
    Ok(MetricValue { metric, labels, timestamp, window_seconds, value })
}

/// Says in Kubernetes' words why there is no value.
fn failure(error: &Error, asked: &path::External<'_>, selector: &Selector) -> Status {
    let no_metric = |name, selector| {
        Status::no_metric(&asked.metric, "namespaces", name, selector).because(error)
    };
    match error {
        Error::Bad(problem) => Status::bad_request(problem),
        Error::UnknownMetric(_) => no_metric(None, &Selector::default()),
        Error::NotFound(_) | Error::TooOld { .. } => no_metric(Some(&asked.namespace), selector),
    }
}
