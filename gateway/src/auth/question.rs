//! What a request needs the right to, in the words of Kubernetes' authorization.

use std::borrow::Cow;

use http::{Method, Uri};
use k8s_openapi::api::authorization::v1::{NonResourceAttributes, ResourceAttributes};
use metrics_api::{
    group_version::{Group, GroupVersion},
    parameters::Parameters,
    path::{self, Object, PathError, Target},
    status::{Details, Status},
};

use super::{
    User,
    digest::{Digest, Texts},
    user::{AUTHENTICATED, MASTERS, Reader},
};

/// Whether somebody may do what a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question<'a> {
    kind: Kind,
    verb: Cow<'a, str>,
    attributes: Attributes<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A probe, or nothing that can be answered: anybody may.
    Harmless,
    /// What there is to ask for: a kube-apiserver that passes this on has asked already.
    Discovery,
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Attributes<'a> {
    Path(&'a str),
    Resource {
        group_version: GroupVersion,
        namespace: &'a str,
        resource: &'a str,
        name: &'a str,
        subresource: &'a str,
    },
}

impl<'a> Question<'a> {
    /// What a request needs whose path asks for `target`. Selectors are left out, so that it is the
    /// right to see all.
    pub fn of(method: &'a Method, uri: &'a Uri, target: &'a Result<Target<'_>, PathError>) -> Self {
        let kind = match target {
            // Too long to ask anybody about; the answer says only that.
            Err(PathError::TooLong(_)) | Ok(Target::Health(_, None)) => Kind::Harmless,
            Ok(
                Target::Groups
                | Target::Group(_)
                | Target::Resources(_)
                | Target::OpenApiV2
                | Target::OpenApiV3
                | Target::OpenApiV3Document(_),
            ) if matches!(*method, Method::GET | Method::HEAD) => Kind::Discovery,
            _ => Kind::Other,
        };
        let (verb, attributes) = match target {
            Ok(Target::Metric(asked)) => (verb_of_object(method), of_metric(asked)),
            Ok(Target::External(asked)) => {
                let watch = || {
                    let query = uri.query().unwrap_or_default();
                    Parameters::parse(query).is_ok_and(|parameters| parameters.watch)
                };
                let verb = match verb_of_all(method) {
                    Cow::Borrowed("list") if watch() => "watch".into(),
                    verb => verb,
                };
                let attributes = Attributes::Resource {
                    group_version: GroupVersion::External,
                    namespace: &asked.namespace,
                    resource: &asked.metric,
                    name: "",
                    subresource: "",
                };
                (verb, attributes)
            }
            _ => (verb_of_path(method), Attributes::Path(uri.path())),
        };
        Self { kind, verb, attributes }
    }

    /// Whether anybody may.
    pub(super) fn is_harmless(&self) -> bool {
        self.kind == Kind::Harmless
    }

    /// Whether this user may, without anybody being asked. `proxied`: a front proxy passed it on.
    pub(super) fn is_granted_to(&self, user: &User, proxied: bool) -> bool {
        self.is_harmless()
            || user.is_in(MASTERS)
            || proxied && self.kind == Kind::Discovery && user.is_in(AUTHENTICATED)
    }

    /// The digest of the question and of who asks it.
    pub(super) fn digest(&self, reader: &Reader) -> Digest {
        self.texts(reader).digest()
    }

    /// The question and who asks it, written down.
    pub(super) fn texts(&self, reader: &Reader) -> Texts {
        let mut texts = Texts::new();
        texts.digested(reader.digest());
        self.each_text(|text| texts.text(text));
        texts
    }

    /// Whether this is what [`Self::texts`] has written.
    pub(super) fn is_written_in(&self, reader: &Reader, texts: &[u8]) -> bool {
        let mut left = texts.strip_prefix(reader.digest());
        self.each_text(|text| {
            let length = (text.len() as u64).to_le_bytes();
            left = left.and_then(|left| left.strip_prefix(&length)?.strip_prefix(text.as_bytes()));
        });
        left.is_some_and(<[u8]>::is_empty)
    }

    fn each_text(&self, mut take: impl FnMut(&str)) {
        take(&self.verb);
        match &self.attributes {
            Attributes::Path(path) => take(path),
            Attributes::Resource { group_version, namespace, resource, name, subresource } => {
                for text in [group_version.name(), namespace, resource, name, subresource] {
                    take(text);
                }
            }
        }
    }

    /// The words in which Kubernetes is asked: one of both is there.
    pub(super) fn attributes(&self) -> (Option<ResourceAttributes>, Option<NonResourceAttributes>) {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        match &self.attributes {
            Attributes::Path(path) => {
                let (path, verb) = (some(path), some(&self.verb));
                (None, Some(NonResourceAttributes { path, verb }))
            }
            Attributes::Resource { group_version, namespace, resource, name, subresource } => {
                let (group, version) = split(*group_version);
                let attributes = ResourceAttributes {
                    namespace: some(namespace),
                    verb: some(&self.verb),
                    group: some(group),
                    version: some(version),
                    resource: some(resource),
                    subresource: some(subresource),
                    name: some(name),
                    ..ResourceAttributes::default()
                };
                (Some(attributes), None)
            }
        }
    }

    /// What is asked for, for people.
    pub(super) fn what(&self) -> String {
        match &self.attributes {
            Attributes::Path(path) => format!("path {path:?}"),
            Attributes::Resource { group_version, namespace, .. } => {
                let (resource, group) = (self.resource(), split(*group_version).0);
                let place = match *namespace {
                    "" => "at the cluster scope".to_owned(),
                    namespace => format!("in the namespace {namespace:?}"),
                };
                format!("resource {resource:?} in API group {group:?} {place}")
            }
        }
    }

    /// What it is to be done with it, in one word.
    pub(super) fn verb(&self) -> &str {
        &self.verb
    }

    /// That a user may not.
    pub(super) fn forbidden(&self, user: &User, reason: &str) -> Status {
        let (verb, what) = (&self.verb, self.what());
        let problem = escaped(&format!("User {:?} cannot {verb} {what}", user.name));
        let colon = if reason.is_empty() { "" } else { ": " };
        let about = match &self.attributes {
            Attributes::Path(_) => Details::default(),
            Attributes::Resource { group_version, resource, name, .. } => Details {
                name: (*name).to_owned(),
                group: split(*group_version).0.to_owned(),
                kind: (*resource).to_owned(),
            },
        };
        Status::forbidden(about, &format_args!("{problem}{colon}{}", escaped(reason)))
    }

    fn resource(&self) -> String {
        match &self.attributes {
            Attributes::Resource { resource, subresource: "", .. } => (*resource).to_owned(),
            Attributes::Resource { resource, subresource, .. } => {
                format!("{resource}/{subresource}")
            }
            Attributes::Path(path) => (*path).to_owned(),
        }
    }
}

/// A metric of an object is its subresource; one of a namespace is an object of its own.
fn of_metric<'a>(asked: &'a path::Metric<'_>) -> Attributes<'a> {
    let metric = &*asked.metric;
    let (resource, name, subresource) = match &asked.object {
        Object::Namespace => ("metrics", metric, ""),
        Object::Named(resource, path::Name::Exact(name)) => (resource.as_str(), &**name, metric),
        Object::Named(resource, path::Name::All) => (resource.as_str(), "*", metric),
    };
    Attributes::Resource {
        group_version: GroupVersion::Custom(asked.version),
        namespace: asked.namespace.as_deref().unwrap_or_default(),
        resource,
        name,
        subresource,
    }
}

/// What a method does with an object that has a name.
fn verb_of_object(method: &Method) -> Cow<'static, str> {
    match *method {
        Method::HEAD => "get".into(),
        Method::POST => "create".into(),
        Method::PUT => "update".into(),
        _ => verb_of_path(method),
    }
}

/// What a method does with all objects of a resource.
fn verb_of_all(method: &Method) -> Cow<'static, str> {
    match *method {
        Method::GET | Method::HEAD => "list".into(),
        Method::DELETE => "deletecollection".into(),
        _ => verb_of_object(method),
    }
}

/// Of a path Kubernetes takes the method for the verb.
fn verb_of_path(method: &Method) -> Cow<'static, str> {
    match *method {
        Method::GET => "get".into(),
        _ => method.as_str().to_ascii_lowercase().into(),
    }
}

fn split(group_version: GroupVersion) -> (&'static str, &'static str) {
    let group: Group = group_version.group();
    (group.name(), group_version.version())
}

/// As Kubernetes writes what others have named, so that no reader takes it for HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests;
