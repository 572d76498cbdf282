//! `Status` objects: how Kubernetes says that something went wrong.
//!
//! The texts are Kubernetes' own, since clients and people know them; what this server has to add
//! follows after a colon. A client that gets another body than a `Status` prints none of it.

use std::fmt::Display;

use serde::{Serialize, Serializer, ser::SerializeStruct};

use crate::{
    encoding::{Document, ListMeta, Message},
    selector::Selector,
};

/// A failure as a client reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    reason: Reason,
    message: String,
    details: Option<Details>,
}

/// What a failure is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Details {
    /// The name of an object.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The group of its resource.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// The resource; Kubernetes calls it kind here.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
}

/// What kind of failure it is; each kind has one HTTP status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// 400: the request cannot be understood.
    BadRequest,
    /// 401: it is not known who asks.
    Unauthorized,
    /// 403: who asks may not have it.
    Forbidden,
    /// 404: no such path, object, metric or fresh value.
    NotFound,
    /// 405: nothing here can be written or watched.
    MethodNotAllowed,
    /// 406: no form of the answer suits the client.
    NotAcceptable,
    /// 414: path or query are too long. Kubernetes has no word for it.
    UriTooLong,
    /// 500: this server has a fault.
    InternalError,
    /// 504: the answer would come too late.
    Timeout,
}

impl Reason {
    /// The HTTP status code.
    pub const fn code(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::NotAcceptable => 406,
            Self::UriTooLong => 414,
            Self::InternalError => 500,
            Self::Timeout => 504,
        }
    }

    /// Kubernetes' word; empty where it has none.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "BadRequest",
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::NotFound => "NotFound",
            Self::MethodNotAllowed => "MethodNotAllowed",
            Self::NotAcceptable => "NotAcceptable",
            Self::UriTooLong => "",
            Self::InternalError => "InternalError",
            Self::Timeout => "Timeout",
        }
    }
}

impl Status {
    /// A failure in words of one's own.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), details: None }
    }

    /// The path is none of ours.
    pub fn unknown_path() -> Self {
        Self::new(Reason::NotFound, "the server could not find the requested resource")
    }

    /// The path, a parameter or a selector cannot be understood.
    pub fn bad_request(message: &impl Display) -> Self {
        Self::new(Reason::BadRequest, message.to_string())
    }

    /// It is not known who asks. Why is not for a stranger to know.
    pub fn unauthorized() -> Self {
        Self::new(Reason::Unauthorized, "Unauthorized")
    }

    /// Who asks may not have it. `about` is empty where a path is meant.
    ///
    /// ```
    /// use metrics_api::{Status, status::Details};
    ///
    /// let [name, group, kind] = ["p0", "custom.metrics.k8s.io", "pods"].map(str::to_owned);
    /// let status = Status::forbidden(Details { name, group, kind }, &"User \"u\" cannot");
    /// let text = "pods.custom.metrics.k8s.io \"p0\" is forbidden: User \"u\" cannot";
    /// assert_eq!(status.message(), text);
    /// ```
    pub fn forbidden(about: Details, problem: &impl Display) -> Self {
        let Details { name, group, kind } = &about;
        let dot = if group.is_empty() { "" } else { "." };
        let message = match (kind.is_empty(), name.is_empty()) {
            (true, _) => format!("forbidden: {problem}"),
            (false, true) => format!("{kind}{dot}{group} is forbidden: {problem}"),
            (false, false) => format!("{kind}{dot}{group} {name:?} is forbidden: {problem}"),
        };
        Self::new(Reason::Forbidden, message).about(about)
    }

    /// Another method than GET or HEAD, or a watch.
    pub fn method_not_allowed() -> Self {
        Self::new(
            Reason::MethodNotAllowed,
            "the server does not allow this method on the requested resource",
        )
    }

    /// A watch of a group whose resources cannot be watched.
    pub fn watch_not_supported(group: &str) -> Self {
        let message = format!("watch is not supported on resources of kind \"*.{group}\"");
        let about = Details { group: group.to_owned(), kind: "*".to_owned(), ..Details::default() };
        Self::new(Reason::MethodNotAllowed, message).about(about)
    }

    /// None of the media types on offer suits the client.
    pub fn not_acceptable(media_types: &[&str]) -> Self {
        let types = media_types.join(", ");
        let message = format!("only the following media types are accepted: {types}");
        Self::new(Reason::NotAcceptable, message)
    }

    /// There is no value of a metric for a resource, or for one object of it.
    ///
    /// ```
    /// use metrics_api::{Selector, Status};
    ///
    /// let status = Status::no_metric("m", "pods", Some("p0"), &Selector::parse("a=b")?);
    /// assert_eq!(
    ///     status.because(&"no sample yet").message(),
    ///     "the server could not find the metric m for pods p0 with selector a=b: no sample yet"
    /// );
    /// # Ok::<_, metrics_api::selector::SelectorError>(())
    /// ```
    pub fn no_metric(
        metric: &str,
        resource: &str,
        name: Option<&str>,
        selector: &Selector,
    ) -> Self {
        let mut message = format!("the server could not find the metric {metric} for {resource}");
        if let Some(name) = name {
            message += &format!(" {name}");
        }
        if !selector.is_empty() {
            message += &format!(" with selector {selector}");
        }
        Self::new(Reason::NotFound, message)
    }

    /// The same with a cause after a colon.
    #[must_use]
    pub fn because(mut self, cause: &impl Display) -> Self {
        self.message = format!("{}: {cause}", self.message);
        self
    }

    /// The same with what it is about.
    #[must_use]
    pub fn about(mut self, details: Details) -> Self {
        self.details = Some(details);
        self
    }

    /// The kind of failure.
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// What people read.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut status = serializer.serialize_struct("Status", 8)?;
        status.serialize_field("kind", self.kind())?;
        status.serialize_field("apiVersion", self.api_version())?;
        status.serialize_field("metadata", &ListMeta {})?;
        status.serialize_field("status", FAILURE)?;
        status.serialize_field("message", &self.message)?;
        match self.reason.name() {
            "" => status.skip_field("reason")?,
            reason => status.serialize_field("reason", reason)?,
        }
        match &self.details {
            None => status.skip_field("details")?,
            Some(details) => status.serialize_field("details", details)?,
        }
        status.serialize_field("code", &self.reason.code())?;
        status.end()
    }
}

/// Success has a document of its own.
const FAILURE: &str = "Failure";

impl Document for Status {
    fn api_version(&self) -> &'static str {
        "v1"
    }

    fn kind(&self) -> &'static str {
        "Status"
    }

    fn write_fields(&self, status: &mut Message<'_>) {
        status.list_meta(1);
        status.string(2, FAILURE);
        status.string(3, &self.message);
        status.string(4, self.reason.name());
        if let Some(about) = &self.details {
            status.message(5, |details| {
                details.string(1, &about.name);
                details.string(2, &about.group);
                details.string(3, &about.kind);
                details.integer(5, 0); // retryAfterSeconds: never
                details.string(6, ""); // uid
            });
        }
        status.integer(6, self.reason.code().into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Encoding;

    fn body(status: &Status) -> String {
        String::from_utf8(Encoding::Json.encode(status)).unwrap()
    }

    #[test]
    fn a_failure_is_written_as_kubernetes_writes_it() {
        let golden = include_str!("../testdata/status-not-found.json");
        assert_eq!(body(&Status::unknown_path()), golden);
    }

    #[test]
    fn a_missing_metric_has_one_of_three_texts() {
        let (none, some) = (Selector::default(), Selector::parse("queue=a").unwrap());
        let table = [
            (Status::no_metric("m", "pods", None, &none), "m for pods"),
            (Status::no_metric("m", "jobs.batch", Some("j"), &none), "m for jobs.batch j"),
            (
                Status::no_metric("m", "pods", Some("p"), &some),
                "m for pods p with selector queue=a",
            ),
        ];
        for (status, want) in table {
            let want = format!("the server could not find the metric {want}");
            assert_eq!(status.message(), want);
            assert_eq!(status.reason().code(), 404);
        }
    }

    #[test]
    fn the_accepted_types_are_named() {
        assert_eq!(
            Status::not_acceptable(&["application/json", "application/yaml"]).message(),
            "only the following media types are accepted: application/json, application/yaml"
        );
    }

    #[test]
    fn a_refused_watch_says_of_what() {
        let status = Status::watch_not_supported("external.metrics.k8s.io");
        assert_eq!(body(&status), include_str!("../testdata/status.json"));
    }

    #[test]
    fn protobuf_has_the_bytes_of_kubernetes() {
        let table: [(Status, &[u8]); 2] = [
            (
                Status::watch_not_supported("external.metrics.k8s.io"),
                include_bytes!("../testdata/status.pb"),
            ),
            (Status::unknown_path(), include_bytes!("../testdata/status-not-found.pb")),
        ];
        for (status, golden) in table {
            assert_eq!(Encoding::Protobuf.encode(&status), golden, "{status:?}");
        }
    }

    #[test]
    fn a_reason_without_a_word_is_left_out() {
        let body = body(&Status::new(Reason::UriTooLong, "x"));
        assert!(!body.contains("reason") && body.contains("\"code\":414"), "{body}");
    }
}
