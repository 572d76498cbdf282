//! Request paths: what a client asks for.
//!
//! A path is split first and decoded segment by segment after, so that an escaped `/` stays inside
//! its segment, where it is refused. Segments are borrowed from the path unless they are escaped.

use std::{borrow::Cow, fmt};

use thiserror::Error;

use crate::{custom::Version, percent};

/// Bytes of a path. The longest sensible one has a namespace (63), a resource (63 + 1 + 253), a
/// name (253) and a metric (253), each byte escaped to three, under a prefix of 60: 2 700.
pub const MAX_PATH_BYTES: usize = 4096;

/// What a path asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// `/healthz`, `/livez`, `/readyz`, or one check of theirs.
    Health(Endpoint, Option<Cow<'a, str>>),
    /// `/apis`: the groups.
    Groups,
    /// `/apis/custom.metrics.k8s.io`: the versions of the group.
    Group,
    /// `/apis/custom.metrics.k8s.io/<version>`: the resources.
    Resources(Version),
    /// `/openapi/v2`: the OpenAPI document of all groups.
    OpenApiV2,
    /// `/openapi/v3`: where the OpenAPI documents of the group-versions are.
    OpenApiV3,
    /// `/openapi/v3/apis/<group>/<version>`: one of them, by group and version.
    OpenApiV3Document(String),
    /// A metric of something.
    Metric(Metric<'a>),
}

/// An endpoint for probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `/healthz`, the older name of both others.
    Healthz,
    /// `/livez`: the process should not be restarted.
    Livez,
    /// `/readyz`: the process should get requests.
    Readyz,
}

impl Endpoint {
    /// The name in the path and in the answer.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Healthz => "healthz",
            Self::Livez => "livez",
            Self::Readyz => "readyz",
        }
    }
}

/// A metric of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric<'a> {
    /// The version in which the answer is spelled.
    pub version: Version,
    /// The namespace; `None` in the two root-scoped forms.
    pub namespace: Option<Cow<'a, str>>,
    /// What is measured.
    pub object: Object<'a>,
    /// The name of the metric.
    pub metric: Cow<'a, str>,
}

/// What a metric describes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object<'a> {
    /// The namespace itself.
    Namespace,
    /// One object of a resource, or all.
    Named(Resource<'a>, Name<'a>),
}

/// One object by its name, or all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name<'a> {
    /// The one of this name.
    Exact(Cow<'a, str>),
    /// `*`: those that a selector picks.
    All,
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Exact(name) => name,
            Self::All => "*",
        })
    }
}

/// A resource with its group, such as `jobs.batch`; core resources have none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource<'a>(Cow<'a, str>);

impl Resource<'_> {
    /// Plural and group: `("jobs", "batch")`. A group may have dots, a plural has none.
    pub fn split(&self) -> (&str, &str) {
        self.0.split_once('.').unwrap_or((&self.0, ""))
    }

    /// As it stands in the path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Resource<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Why a path asks for nothing.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PathError {
    /// Longer than [`MAX_PATH_BYTES`].
    #[error("the path has {0} bytes, at most {MAX_PATH_BYTES} are read")]
    TooLong(usize),
    /// A segment that names nothing, or a namespace with nothing asked of it.
    #[error("invalid request path")]
    Invalid,
    /// Well-formed, and not ours.
    #[error("the server could not find the requested resource")]
    Unknown,
}

/// Says what a path asks for.
///
/// # Errors
///
/// See [`PathError`].
///
/// ```
/// use metrics_api::path::{self, Target};
///
/// let path = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/hpc/pods/%2A/broker_up";
/// let Ok(Target::Metric(asked)) = path::parse(path) else { panic!() };
/// assert_eq!(asked.namespace.as_deref(), Some("hpc"));
/// assert_eq!(asked.metric, "broker_up");
/// ```
pub fn parse(path: &str) -> Result<Target<'_>, PathError> {
    if path.len() > MAX_PATH_BYTES {
        return Err(PathError::TooLong(path.len()));
    }
    if path == "/" {
        return Err(PathError::Unknown);
    }
    let mut segments = path.strip_prefix('/').ok_or(PathError::Invalid)?.split('/').map(decode);
    let mut next = || segments.next().transpose();
    let root = next()?;
    match root.as_deref() {
        Some("apis") => {}
        Some("openapi") => {
            let (version, root) = (next()?, next()?);
            let (group, of_group, more) = (next()?, next()?, next()?);
            return match (version.as_deref(), root.as_deref(), group, of_group, more) {
                (Some("v2"), None, ..) => Ok(Target::OpenApiV2),
                (Some("v3"), None, ..) => Ok(Target::OpenApiV3),
                (Some("v3"), Some("apis"), Some(group), Some(version), None) => {
                    Ok(Target::OpenApiV3Document(format!("{group}/{version}")))
                }
                _ => Err(PathError::Unknown),
            };
        }
        Some(name) => {
            let endpoint = endpoint(name).ok_or(PathError::Unknown)?;
            let check = next()?;
            return match next()? {
                None => Ok(Target::Health(endpoint, check)),
                Some(_) => Err(PathError::Unknown),
            };
        }
        None => return Err(PathError::Unknown),
    }
    match next()?.as_deref() {
        None => return Ok(Target::Groups),
        Some(crate::custom::GROUP) => {}
        Some(_) => return Err(PathError::Unknown),
    }
    let Some(version) = next()? else {
        return Ok(Target::Group);
    };
    let version = Version::find(&version).ok_or(PathError::Unknown)?;
    let rest = (next()?, next()?, next()?, next()?, next()?);
    if next()?.is_some() {
        return Err(PathError::Unknown);
    }
    let metric = |namespace, object, metric| {
        Ok(Target::Metric(Metric { version, namespace, object, metric }))
    };
    match rest {
        (None, ..) => Ok(Target::Resources(version)),
        (Some(root), Some(ns), Some(resource), Some(name), Some(asked)) if root == "namespaces" => {
            metric(Some(ns), named(resource, name), asked)
        }
        (Some(root), Some(ns), Some(word), Some(asked), None)
            if root == "namespaces" && word == "metrics" =>
        {
            metric(Some(ns), Object::Namespace, asked)
        }
        (Some(root), _, Some(_), None, _) if root == "namespaces" => Err(PathError::Invalid),
        (Some(resource), Some(name), Some(asked), None, _) => {
            metric(None, named(resource, name), asked)
        }
        _ => Err(PathError::Unknown),
    }
}

fn decode(segment: &str) -> Result<Cow<'_, str>, PathError> {
    let segment = percent::segment(segment).ok_or(PathError::Invalid)?;
    match &*segment {
        "" | "." | ".." => Err(PathError::Invalid),
        text if text.contains(['/', '\0']) => Err(PathError::Invalid),
        _ => Ok(segment),
    }
}

fn endpoint(name: &str) -> Option<Endpoint> {
    [Endpoint::Healthz, Endpoint::Livez, Endpoint::Readyz]
        .into_iter()
        .find(|endpoint| endpoint.name() == name)
}

fn named<'a>(resource: Cow<'a, str>, name: Cow<'a, str>) -> Object<'a> {
    let name = if name == "*" { Name::All } else { Name::Exact(name) };
    Object::Named(Resource(resource), name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PREFIX: &str = "/apis/custom.metrics.k8s.io";

    fn metric(rest: &str) -> Metric<'static> {
        let path = format!("{PREFIX}{rest}").leak();
        match parse(path) {
            Ok(Target::Metric(metric)) => metric,
            other => panic!("{path}: {other:?}"),
        }
    }

    fn object(resource: &'static str, name: &'static str) -> Object<'static> {
        named(resource.into(), name.into())
    }

    #[test]
    fn all_five_forms_are_read_in_both_versions() {
        for (text, version) in [("v1beta1", Version::V1Beta1), ("v1beta2", Version::V1Beta2)] {
            let table = [
                ("namespaces/hpc/jobs.batch/mc0/m", Some("hpc"), object("jobs.batch", "mc0")),
                ("namespaces/hpc/pods/*/m", Some("hpc"), object("pods", "*")),
                ("namespaces/hpc/metrics/m", Some("hpc"), Object::Namespace),
                ("nodes/n1/m", None, object("nodes", "n1")),
                ("nodes/*/m", None, object("nodes", "*")),
            ];
            for (path, namespace, object) in table {
                let want = Metric {
                    version,
                    namespace: namespace.map(Cow::Borrowed),
                    object,
                    metric: "m".into(),
                };
                assert_eq!(metric(&format!("/{text}/{path}")), want, "of {path}");
            }
        }
    }

    #[test]
    fn an_escaped_asterisk_means_all() {
        let (plain, escaped) =
            ("/v1beta2/namespaces/a/pods/*/m", "/v1beta2/namespaces/a/pods/%2A/m");
        assert_eq!(metric(plain), metric(escaped));
        assert_eq!(metric(escaped).object, object("pods", "*"));
    }

    #[test]
    fn odd_names_of_metrics_are_kept() {
        for (path, want) in
            [("UPPER", "UPPER"), ("a%3Ab%40c", "a:b@c"), ("%2A", "*"), ("a+b", "a+b")]
        {
            assert_eq!(metric(&format!("/v1beta1/namespaces/a/metrics/{path}")).metric, want);
        }
    }

    #[test]
    fn a_resource_is_split_at_its_first_dot() {
        for (text, want) in [
            ("pods", ("pods", "")),
            ("jobs.batch", ("jobs", "batch")),
            ("miniclusters.flux-framework.org", ("miniclusters", "flux-framework.org")),
        ] {
            assert_eq!(Resource(text.into()).split(), want);
        }
    }

    #[test]
    fn discovery_and_health_are_read() {
        let table = [
            ("/apis", Target::Groups),
            ("/apis/custom.metrics.k8s.io", Target::Group),
            ("/apis/custom.metrics.k8s.io/v1beta2", Target::Resources(Version::V1Beta2)),
            ("/healthz", Target::Health(Endpoint::Healthz, None)),
            ("/livez", Target::Health(Endpoint::Livez, None)),
            ("/readyz/tls", Target::Health(Endpoint::Readyz, Some("tls".into()))),
            ("/openapi/v2", Target::OpenApiV2),
            ("/openapi/v3", Target::OpenApiV3),
            (
                "/openapi/v3/apis/custom.metrics.k8s.io/v1beta2",
                Target::OpenApiV3Document("custom.metrics.k8s.io/v1beta2".to_owned()),
            ),
        ];
        for (path, want) in table {
            assert_eq!(parse(path), Ok(want), "of {path}");
        }
    }

    #[test]
    fn what_names_nothing_is_refused() {
        use PathError::{Invalid, Unknown};
        let table = [
            ("/v1beta2/namespaces/hpc/x", Invalid),
            ("/v1beta2/namespaces/hpc/metrics", Invalid),
            ("/v1beta2/namespaces/hpc", Unknown),
            ("/v1beta2/namespaces", Unknown),
            ("/v1beta2/namespaces/hpc/pods/p0", Unknown),
            ("/v1beta2/namespaces/hpc/pods/p0/m/more", Unknown),
            ("/v1beta2/nodes/n1", Unknown),
            ("/v1beta2/nodes/n1/m/more", Unknown),
            ("/v1beta3", Unknown),
            ("/v1beta2/namespaces/a%2Fb/pods/p/m", Invalid),
            ("/v1beta2/namespaces/%2e%2E/pods/p/m", Invalid),
            ("/v1beta2/namespaces/./pods/p/m", Invalid),
            ("/v1beta2/namespaces//pods/p/m", Invalid),
            ("/v1beta2/namespaces/a/pods/p/m/", Invalid),
            ("/v1beta2/namespaces/a/pods/p/%", Invalid),
            ("/v1beta2/namespaces/a/pods/p/%zz", Invalid),
            ("/v1beta2/namespaces/a/pods/p/%ff", Invalid),
            ("/v1beta2/namespaces/a/pods/p/%00", Invalid),
        ];
        for (rest, want) in table {
            assert_eq!(parse(&format!("{PREFIX}{rest}")), Err(want), "of {rest}");
        }
        for path in [
            "/",
            "/metrics",
            "/apis/apps",
            "/readyz/a/b",
            "/openapi",
            "/openapi/v1",
            "/openapi/v2/apis",
            "/openapi/v3/apis/custom.metrics.k8s.io",
            "/openapi/v3/apis/custom.metrics.k8s.io/v1beta2/more",
            "/openapi/v3/api/v1",
        ] {
            assert_eq!(parse(path), Err(Unknown), "of {path}");
        }
        for path in ["", "*", "apis"] {
            assert_eq!(parse(path), Err(Invalid), "of {path:?}");
        }
    }

    #[test]
    fn a_path_over_the_bound_is_refused() {
        let path = format!("/{}", "a".repeat(MAX_PATH_BYTES));
        assert_eq!(parse(&path), Err(PathError::TooLong(MAX_PATH_BYTES + 1)));
    }

    proptest! {
        #[test]
        fn no_path_panics(path in ".{0,80}", rest in "(/[a-z%2fFA*.]{0,6}){0,7}") {
            drop(parse(&path));
            drop(parse(&format!("{PREFIX}/v1beta2{rest}")));
        }

        #[test]
        fn no_segment_ever_holds_a_slash(rest in "(/[a%2fF.]{1,6}){5}") {
            if let Ok(Target::Metric(asked)) = parse(&format!("{PREFIX}/v1beta2/namespaces{rest}")) {
                prop_assert!(!asked.metric.contains('/'));
                prop_assert!(asked.metric != "..");
            }
        }
    }
}
