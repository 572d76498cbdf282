//! Request paths: what a client asks for.
//!
//! A path is split first and decoded segment by segment after, so that an escaped `/` stays inside
//! its segment, where it is refused. Segments are borrowed from the path unless they are escaped.

use std::borrow::Cow;

use thiserror::Error;

use crate::{
    custom::Version,
    group_version::{Group, GroupVersion},
    percent,
};

/// Bytes of a path. The longest sensible one has a namespace (63), a resource (63 + 1 + 253), a
/// name (253) and a metric (253), each byte escaped to three, under a prefix of 60: 2 700.
pub const MAX_PATH_BYTES: usize = 4096;

/// What a path asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// `/`: the paths that are served.
    Root,
    /// `/version`: the version of this server.
    Version,
    /// `/healthz`, `/livez`, `/readyz`, or one check of theirs.
    Health(Endpoint, Option<Cow<'a, str>>),
    /// `/metrics`: everything, for Prometheus.
    Metrics,
    /// `/openapi/v2`: the one document of OpenAPI v2.
    OpenApiV2,
    /// `/openapi/v3`: the index of the documents of OpenAPI v3.
    OpenApiV3,
    /// `/openapi/v3/apis/<group>/<version>`: one of them.
    OpenApiV3Document(GroupVersion),
    /// `/apis`: the groups.
    Groups,
    /// `/apis/<group>`: the versions of a group.
    Group(Group),
    /// `/apis/<group>/<version>`: the resources.
    Resources(GroupVersion),
    /// A metric of an object or of several.
    Metric(Metric<'a>),
    /// A metric by its name alone.
    External(External<'a>),
}

impl Target<'_> {
    /// The group that it belongs to, if it belongs to one.
    pub const fn group(&self) -> Option<Group> {
        match self {
            Self::Group(group) => Some(*group),
            Self::OpenApiV3Document(version) | Self::Resources(version) => Some(version.group()),
            Self::Metric(_) => Some(Group::Custom),
            Self::External(_) => Some(Group::External),
            Self::Root
            | Self::Version
            | Self::Health(..)
            | Self::Metrics
            | Self::OpenApiV2
            | Self::OpenApiV3
            | Self::Groups => None,
        }
    }
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

/// A metric of `external.metrics.k8s.io`: of whatever its labels say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct External<'a> {
    /// The namespace of who asks.
    pub namespace: Cow<'a, str>,
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
        return Ok(Target::Root);
    }
    // Kubernetes' own servers answer with one at the end, too.
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut segments = Segments::of(path.strip_prefix('/').ok_or(PathError::Invalid)?);
    match segments.next()?.as_deref() {
        Some("apis") => api(segments),
        Some("openapi") => open_api(segments),
        Some("version") => segments.end(Target::Version),
        Some("metrics") => segments.end(Target::Metrics),
        Some(name) => {
            let endpoint = endpoint(name).ok_or(PathError::Unknown)?;
            let check = segments.next()?;
            segments.end(Target::Health(endpoint, check))
        }
        None => Err(PathError::Unknown),
    }
}

/// What follows `/openapi`.
fn open_api(mut segments: Segments<'_>) -> Result<Target<'_>, PathError> {
    match segments.next()?.as_deref() {
        Some("v2") => segments.end(Target::OpenApiV2),
        Some("v3") => match segments.next()?.as_deref() {
            None => Ok(Target::OpenApiV3),
            Some("apis") => {
                let (Some(group), Some(version)) = (segments.next()?, segments.next()?) else {
                    return Err(PathError::Unknown);
                };
                let group = Group::find(&group).ok_or(PathError::Unknown)?;
                let found = GroupVersion::find(group, &version).ok_or(PathError::Unknown)?;
                segments.end(Target::OpenApiV3Document(found))
            }
            Some(_) => Err(PathError::Unknown),
        },
        _ => Err(PathError::Unknown),
    }
}

/// What follows `/apis`.
fn api(mut segments: Segments<'_>) -> Result<Target<'_>, PathError> {
    let Some(group) = segments.next()? else {
        return Ok(Target::Groups);
    };
    let group = Group::find(&group).ok_or(PathError::Unknown)?;
    let Some(version) = segments.next()? else {
        return Ok(Target::Group(group));
    };
    let group_version = GroupVersion::find(group, &version).ok_or(PathError::Unknown)?;
    let Some(root) = segments.next()? else {
        return Ok(Target::Resources(group_version));
    };
    match group_version {
        GroupVersion::Custom(version) => custom(version, root, segments),
        GroupVersion::External => external(&root, segments),
    }
}

/// The five forms of `custom.metrics.k8s.io`.
fn custom<'a>(
    version: Version,
    root: Cow<'a, str>,
    mut segments: Segments<'a>,
) -> Result<Target<'a>, PathError> {
    let rest = (segments.next()?, segments.next()?, segments.next()?, segments.next()?);
    let (namespace, object, metric) = match rest {
        (Some(ns), Some(resource), Some(name), Some(metric)) if root == "namespaces" => {
            (Some(ns), named(resource, name), metric)
        }
        (Some(ns), Some(word), Some(metric), None) if root == "namespaces" && word == "metrics" => {
            (Some(ns), Object::Namespace, metric)
        }
        (_, Some(_), None, _) if root == "namespaces" => return Err(PathError::Invalid),
        (Some(name), Some(metric), None, None) => (None, named(root, name), metric),
        _ => return Err(PathError::Unknown),
    };
    let metric = Metric { version, namespace, object, metric: allowed(metric)? };
    segments.end(Target::Metric(metric))
}

/// The one form of `external.metrics.k8s.io`.
fn external<'a>(root: &str, mut segments: Segments<'a>) -> Result<Target<'a>, PathError> {
    let (Some(namespace), Some(metric)) = (segments.next()?, segments.next()?) else {
        return Err(PathError::Unknown);
    };
    if root != "namespaces" {
        return Err(PathError::Unknown);
    }
    segments.end(Target::External(External { namespace, metric: allowed(metric)? }))
}

/// Refuses names that a kube-apiserver takes for parts of a namespace, for which it asks other
/// rights.
fn allowed(metric: Cow<'_, str>) -> Result<Cow<'_, str>, PathError> {
    match &*metric {
        "status" | "finalize" => Err(PathError::Unknown),
        _ => Ok(metric),
    }
}

/// What is left of a path.
struct Segments<'a> {
    rest: Option<&'a str>,
    /// Whether there is nothing to decode or refuse but names of directories.
    plain: bool,
}

impl<'a> Segments<'a> {
    fn of(path: &'a str) -> Self {
        // Without a way out in between, so that many bytes are looked at together.
        let odd = path.bytes().fold(false, |odd, byte| odd | (byte == b'%') | (byte == 0));
        Self { rest: Some(path), plain: !odd }
    }

    fn next(&mut self) -> Result<Option<Cow<'a, str>>, PathError> {
        let Some(rest) = self.rest else { return Ok(None) };
        let end = rest.bytes().position(|byte| byte == b'/');
        let (segment, rest) = match end.and_then(|end| rest.split_at_checked(end)) {
            Some((segment, rest)) => (segment, rest.get(1..)),
            None => (rest, None),
        };
        self.rest = rest;
        let segment = if self.plain { segment.into() } else { decode(segment)? };
        match &*segment {
            "" | "." | ".." => Err(PathError::Invalid),
            _ => Ok(Some(segment)),
        }
    }

    /// The target, if nothing follows.
    fn end<'t>(&mut self, target: Target<'t>) -> Result<Target<'t>, PathError> {
        self.next()?.map_or(Ok(target), |_| Err(PathError::Unknown))
    }
}

fn decode(segment: &str) -> Result<Cow<'_, str>, PathError> {
    let segment = percent::segment(segment).ok_or(PathError::Invalid)?;
    if segment.bytes().any(|byte| matches!(byte, b'/' | 0)) {
        return Err(PathError::Invalid);
    }
    Ok(segment)
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
mod tests;
