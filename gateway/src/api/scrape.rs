//! `/metrics`: everything, in the format that Prometheus asks for.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, VARY},
};
use metrics_api::{
    accept::Offer,
    status::{Reason, Status},
};

use super::{form, respond};
use crate::{
    clock::Moment,
    prometheus::{self, Format, Sources},
};

impl From<Format> for Offer {
    fn from(format: Format) -> Self {
        let (media_type, version) = match format {
            Format::Text => ("text/plain", "0.0.4"),
            Format::OpenMetrics => ("application/openmetrics-text", "1.0.0"),
        };
        Self { media_type, transform: None, version: Some(version) }
    }
}

/// Writes the page.
///
/// # Errors
///
/// A `Status` when it is too long.
pub(super) fn read(
    headers: &HeaderMap,
    sources: Sources<'_>,
    now: Moment,
) -> Result<Response<Bytes>, Status> {
    // Who reads neither gets text, as from Prometheus' own libraries: a person in a browser, mostly.
    let format = form::negotiate(headers, &[Format::Text, Format::OpenMetrics]);
    let format = format.unwrap_or(Format::Text);
    let page = prometheus::write(sources, now, format)
        .map_err(|error| Status::new(Reason::InternalError, error.to_string()))?;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(format.content_type())),
        (CACHE_CONTROL, respond::PRIVATE),
        (VARY, HeaderValue::from_static("Accept")),
    ];
    Ok(respond::with_headers(StatusCode::OK, headers, page.into()))
}
