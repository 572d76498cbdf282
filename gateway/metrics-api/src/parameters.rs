//! Query parameters: those that a metrics API reads. All others are ignored, as Kubernetes does.

use std::borrow::Cow;

use thiserror::Error;

use crate::percent;

/// Bytes of a query: two selectors of [`MAX_SELECTOR_BYTES`](crate::selector::MAX_SELECTOR_BYTES),
/// each byte escaped to three, and as much again for parameters that are ignored.
pub const MAX_QUERY_BYTES: usize = 4 * 3 * crate::selector::MAX_SELECTOR_BYTES;

/// What a query says. The first of several equal names counts, but for `exclude`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters<'a> {
    /// `labelSelector`: picks objects. Absent and empty mean the same.
    pub label_selector: Cow<'a, str>,
    /// `metricLabelSelector`: picks series by their labels. Absent and empty mean the same.
    pub metric_label_selector: Cow<'a, str>,
    /// `watch`, unless it is `false`, in whatever case, or `0`.
    pub watch: bool,
    /// `hash`, of OpenAPI documents: the hash of the one that is meant.
    pub hash: Cow<'a, str>,
    /// `verbose`, of the endpoints for probes.
    pub verbose: bool,
    /// `exclude`, of the endpoints for probes: checks to leave out.
    pub exclude: Vec<Cow<'a, str>>,
}

/// Why a query cannot be read.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum QueryError {
    /// Longer than [`MAX_QUERY_BYTES`].
    #[error("the query has {0} bytes, at most {MAX_QUERY_BYTES} are read")]
    TooLong(usize),
    /// A parameter that is read has a broken escape, or bytes that are no UTF-8.
    #[error("the value of query parameter {0} is not percent-encoded UTF-8")]
    Escape(&'static str),
}

impl<'a> Parameters<'a> {
    /// Reads a query.
    ///
    /// # Errors
    ///
    /// See [`QueryError`].
    pub fn parse(query: &'a str) -> Result<Self, QueryError> {
        let mut read = Self::default();
        if query.is_empty() {
            return Ok(read);
        }
        if query.len() > MAX_QUERY_BYTES {
            return Err(QueryError::TooLong(query.len()));
        }
        let (mut objects, mut series, mut watch, mut hash) = (None, None, None, None);
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decode = |name| percent::parameter(value).ok_or(QueryError::Escape(name));
            match percent::parameter(name).as_deref() {
                Some("labelSelector") if objects.is_none() => {
                    objects = Some(decode("labelSelector")?);
                }
                Some("metricLabelSelector") if series.is_none() => {
                    series = Some(decode("metricLabelSelector")?);
                }
                Some("watch") if watch.is_none() => watch = Some(is_true(value)),
                Some("hash") if hash.is_none() => hash = Some(decode("hash")?),
                Some("verbose") => read.verbose = true,
                Some("exclude") => read.exclude.push(decode("exclude")?),
                _ => {}
            }
        }
        read.label_selector = objects.unwrap_or_default();
        read.metric_label_selector = series.unwrap_or_default();
        read.watch = watch.unwrap_or_default();
        read.hash = hash.unwrap_or_default();
        Ok(read)
    }
}

/// A switch as Kubernetes reads it: on, unless it says otherwise.
fn is_true(value: &str) -> bool {
    value != "0" && !value.eq_ignore_ascii_case("false")
}

/// Whether an answer should be laid out for people: `pretty` says so or, where it says nothing,
/// the client is a program that people read. Never fails, since errors are laid out too.
///
/// ```
/// use metrics_api::parameters::is_pretty;
///
/// assert!(is_pretty("pretty=true", ""));
/// assert!(is_pretty("limit=1", "curl/8.5.0"));
/// assert!(!is_pretty("pretty=0", "curl/8.5.0"));
/// ```
pub fn is_pretty(query: &str, user_agent: &str) -> bool {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let mut asked = pairs.filter(|(name, value)| *name == "pretty" && !value.is_empty());
    match asked.next() {
        Some((_, value)) => matches!(value, "1" | "t" | "T" | "true" | "True" | "TRUE"),
        None => ["curl", "Wget", "Mozilla/5.0"].iter().any(|people| user_agent.starts_with(people)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn selectors_are_decoded_after_the_query_is_split() {
        let query = "labelSelector=a%3Db%26c,d+in+(e)&metricLabelSelector=queue%3Dbatch";
        let read = Parameters::parse(query).unwrap();
        assert_eq!(read.label_selector, "a=b&c,d in (e)");
        assert_eq!(read.metric_label_selector, "queue=batch");
    }

    #[test]
    fn unknown_parameters_are_ignored_even_when_broken() {
        let read = Parameters::parse("limit=500&resourceVersion=0&pretty=true&x=%zz&&=").unwrap();
        assert_eq!(read, Parameters::default());
    }

    #[test]
    fn the_first_of_several_equal_names_counts() {
        assert_eq!(
            Parameters::parse("labelSelector=a&labelSelector=b").unwrap().label_selector,
            "a"
        );
        assert_eq!(Parameters::parse("hash=a&hash=b").unwrap().hash, "a");
    }

    #[test]
    fn watch_is_read_as_kubernetes_reads_it() {
        for (query, want) in [
            ("watch=true", true),
            ("watch=1", true),
            ("watch", true),
            ("watch=false", false),
            ("watch=0", false),
            ("watch=False", false),
            ("watch=FALSE", false),
            ("watch=false&watch=true", false),
            ("", false),
        ] {
            assert_eq!(Parameters::parse(query).unwrap().watch, want, "of {query:?}");
        }
    }

    #[test]
    fn a_broken_selector_is_refused_and_never_taken_for_none() {
        let error = Parameters::parse("labelSelector=%zz").unwrap_err();
        assert_eq!(error, QueryError::Escape("labelSelector"));
        let error = Parameters::parse("metricLabelSelector=%ff").unwrap_err();
        assert_eq!(error, QueryError::Escape("metricLabelSelector"));
    }

    #[test]
    fn a_query_over_the_bound_is_refused() {
        let query = "a".repeat(MAX_QUERY_BYTES + 1);
        assert_eq!(Parameters::parse(&query), Err(QueryError::TooLong(MAX_QUERY_BYTES + 1)));
    }

    proptest! {
        #[test]
        fn no_query_panics(query in "([a-z%=&+2]|labelSelector=|watch){0,30}|.{0,60}") {
            drop(Parameters::parse(&query));
        }
    }
}
