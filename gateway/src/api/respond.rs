//! Responses: a body with the headers that belong to it.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
};
use metrics_api::{
    Encoding,
    status::{Reason, Status},
};

/// The type of answers to probes.
pub(super) const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Headers of nearly every response, its date, its length and the id of the request among them.
const MOST_HEADERS: usize = 6;

/// Keeps a document from being kept by anybody but its reader, who asks whether it has changed.
pub(super) const PRIVATE: HeaderValue = HeaderValue::from_static("no-cache, private");

/// A document that is right at this moment only.
pub(super) fn document(encoding: Encoding, body: Bytes) -> Response<Bytes> {
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

/// A document with an entity tag, or that the client has it already.
pub(super) fn tagged(
    asked: &HeaderMap,
    etag: &str,
    body: &Bytes,
    media_type: &'static str,
    cache_control: HeaderValue,
) -> Response<Bytes> {
    let tags = asked.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = tags.flat_map(|value| value.split(',')).map(str::trim);
    let is_known = tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag);
    let (status, body) = if is_known {
        (StatusCode::NOT_MODIFIED, Bytes::new())
    } else {
        (StatusCode::OK, body.clone())
    };
    // Hexadecimal digits in quotes are a header's value; were they not, no client could match.
    let etag = HeaderValue::from_str(etag).unwrap_or_else(|_| HeaderValue::from_static("\"\""));
    let media_type = HeaderValue::from_static(media_type);
    let headers = [(CONTENT_TYPE, media_type), (CACHE_CONTROL, cache_control), (ETAG, etag)];
    with_headers(status, headers, body)
}

/// Any response.
pub(super) fn with_headers<const N: usize>(
    status: StatusCode,
    headers: [(HeaderName, HeaderValue); N],
    body: Bytes,
) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    // With room for those that hyper adds.
    *response.headers_mut() = HeaderMap::with_capacity(MOST_HEADERS);
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
