//! Responses: a body with the headers that belong to it.

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE},
};
use metrics_api::status::{Reason, Status};

use super::Body;

/// The type of documents.
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The type of answers to probes.
pub(super) const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// A document that is right at this moment only.
pub(super) fn json(body: Bytes) -> Response<Body> {
    const PRIVATE: HeaderValue = HeaderValue::from_static("no-cache, private");
    with_headers(StatusCode::OK, [(CONTENT_TYPE, JSON), (CACHE_CONTROL, PRIVATE)], body)
}

/// A `Status`.
pub(super) fn failure(status: &Status) -> Response<Body> {
    let mut response = json(status.body().into());
    let code = StatusCode::from_u16(status.reason().code());
    *response.status_mut() = code.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if status.reason() == Reason::MethodNotAllowed {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

/// Any response.
pub(super) fn with_headers<const N: usize>(
    status: StatusCode,
    headers: [(HeaderName, HeaderValue); N],
    body: Bytes,
) -> Response<Body> {
    let mut response = Response::new(Body::new(body));
    *response.status_mut() = status;
    response.headers_mut().extend(headers);
    response
}

/// The same response as HEAD sees it.
pub(super) fn without_body(mut response: Response<Body>) -> Response<Body> {
    use http_body::Body as _;

    if let Some(length) = response.body().size_hint().exact()
        && response.status() != StatusCode::NOT_MODIFIED
    {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    *response.body_mut() = Body::default();
    response
}
