//! The form of an answer, as the headers of a request ask for it.

use std::io::Write as _;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{
    HeaderMap, HeaderValue, Request, Response,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, USER_AGENT, VARY},
};
use metrics_api::{
    Encoding, Status,
    accept::{self, Offer},
    discovery::Aggregated,
    parameters,
};

/// The encoding in which a client reads documents.
///
/// # Errors
///
/// A `Status` that names the encodings there are; the client reads none of them.
pub(super) fn encoding<B>(request: &Request<B>) -> Result<Encoding, Status> {
    let encoding = negotiate(request.headers(), &Encoding::OFFERED)?;
    Ok(if is_pretty(request) { encoding.pretty() } else { encoding })
}

/// The forms in which `/apis` answers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Groups {
    /// The names and versions of groups.
    Legacy(Encoding),
    /// Groups with all their resources, in JSON.
    Aggregated(Aggregated),
}

impl Groups {
    /// The form that a client reads.
    ///
    /// # Errors
    ///
    /// As [`encoding`].
    pub(super) fn asked_by<B>(request: &Request<B>) -> Result<Self, Status> {
        let [json, yaml, protobuf] = Encoding::OFFERED.map(Self::Legacy);
        let [v2, v2beta1] = [Aggregated::V2, Aggregated::V2Beta1].map(Self::Aggregated);
        Ok(match negotiate(request.headers(), &[json, yaml, protobuf, v2, v2beta1])? {
            Self::Legacy(encoding) if is_pretty(request) => Self::Legacy(encoding.pretty()),
            form => form,
        })
    }
}

impl From<Groups> for Offer {
    fn from(form: Groups) -> Self {
        match form {
            Groups::Legacy(encoding) => encoding.into(),
            Groups::Aggregated(version) => version.into(),
        }
    }
}

/// The best of the offers.
///
/// # Errors
///
/// As [`encoding`].
pub(super) fn negotiate<T: Copy + Into<Offer>>(
    headers: &HeaderMap,
    offers: &[T],
) -> Result<T, Status> {
    let values = headers.get_all(ACCEPT).iter();
    // A value that is no text matches no offer, as if it named an unknown type.
    let values = values.map(|value| value.to_str().unwrap_or("unknown/unknown"));
    accept::negotiate(values, offers)
        .ok_or_else(|| Status::not_acceptable(&Encoding::OFFERED.map(Encoding::media_type)))
}

fn is_pretty<B>(request: &Request<B>) -> bool {
    let agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    parameters::is_pretty(request.uri().query().unwrap_or_default(), agent.unwrap_or_default())
}

/// Up to this many bytes a body is not worth compressing; as in Kubernetes.
pub(super) const GZIP_THRESHOLD: usize = 128 * 1024;

/// Compresses a large body for a client that asks for that.
pub(super) fn compressed(headers: &HeaderMap, mut response: Response<Bytes>) -> Response<Bytes> {
    if response.body().len() <= GZIP_THRESHOLD {
        return response;
    }
    response.headers_mut().append(VARY, HeaderValue::from_static("Accept-Encoding"));
    if !accepts_gzip(headers) {
        return response;
    }
    // The fastest level, as in Kubernetes: what is repeated is near.
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to a `Vec` cannot fail; should it, the body goes out as it is.
    if let Ok(body) = gzip.write_all(response.body()).and_then(|()| gzip.finish()) {
        *response.body_mut() = body.into();
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// Whether `Accept-Encoding` names gzip, or else everything, with a quality above 0.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let quality_of = |wanted: &str| {
        let values = headers.get_all(ACCEPT_ENCODING).iter();
        let values = values.filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).find_map(|clause| {
            let (coding, parameters) = clause.split_once(';').unwrap_or((clause, ""));
            let quality = parameters.split(';').find_map(|one| one.trim().strip_prefix("q="));
            coding.trim().eq_ignore_ascii_case(wanted).then(|| match quality {
                Some(quality) => quality.trim().parse().unwrap_or(0.0),
                None => 1.0_f32,
            })
        })
    };
    quality_of("gzip").or_else(|| quality_of("*")).is_some_and(|quality| quality > 0.0)
}
