//! Responses: a body with the headers that belong to it.

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE},
};
use metrics_api::{
    Encoding,
    status::{Reason, Status},
};

/// The type of answers to probes.
pub(super) const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// A document that is right at this moment only.
pub(super) fn document(encoding: Encoding, body: Bytes) -> Response<Bytes> {
    const PRIVATE: HeaderValue = HeaderValue::from_static("no-cache, private");
    let media_type = HeaderValue::from_static(encoding.media_type());
    with_headers(StatusCode::OK, [(CONTENT_TYPE, media_type), (CACHE_CONTROL, PRIVATE)], body)
}

/// A `Status`.
pub(super) fn failure(status: &Status, encoding: Encoding) -> Response<Bytes> {
    let mut response = document(encoding, encoding.encode(status).into());
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
) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().extend(headers);
    response
}

/// The same response as HEAD sees it.
pub(super) fn without_body(mut response: Response<Bytes>) -> Response<Bytes> {
    let body = std::mem::take(response.body_mut());
    if response.status() != StatusCode::NOT_MODIFIED {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    response
}
