//! From an object and a metric to values: what the Kubernetes API asks, answered from snapshots.
//!
//! Pure: what is known, the rules and the moment are parameters. It refuses rather than guesses. A
//! value too old is an error that says how old; a sum is never partial; a selector that leaves
//! two series of one object is an error, since an autoscaler would count them twice.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use derived_metrics::Derived;
use fluxgauge_proto::catalogue::{self, Metric, Scope};
use metrics_api::selector::Selector;

use crate::{
    clock::Moment,
    derived as definitions,
    model::{Provenance, Series, Snapshot},
    pods::Pods,
    store::Store,
};

mod absent;
mod brokers;
mod derived;
mod error;
mod everything;
mod external;
mod labels;
mod members;
mod series;

pub use error::Error;
pub use everything::{Broker, Everything, MiniCluster, everything};
pub use external::{External, ExternalRequest, MINICLUSTER_LABEL, find_external};
use members::{Member, members, nobody};

/// What is known: what collectors said, and what Kubernetes says of their pods.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What collectors said.
    pub store: &'a Store,
    /// Which pods there are.
    pub pods: &'a Pods,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The namespace of the objects.
    pub namespace: &'a str,
    /// The objects.
    pub object: Object<'a>,
    /// The name of the metric.
    pub metric: &'a str,
    /// Which of the objects, by their labels; only with [`Name::All`].
    pub object_selector: &'a Selector,
    /// Which series of the metric, by its labels.
    pub metric_selector: &'a Selector,
    /// Whether anybody follows where values came from.
    pub traced: bool,
}

/// The kind of the objects that a metric describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object<'a> {
    /// `miniclusters.flux-framework.org`.
    MiniCluster(Name<'a>),
    /// `services` that stand for a MiniCluster.
    Service(Name<'a>),
    /// `jobs.batch`, which the Flux Operator names like the MiniCluster.
    Job(Name<'a>),
    /// `pods` of brokers.
    Pod(Name<'a>),
    /// The namespace itself: the sum over its MiniClusters.
    Namespace,
}

/// One object or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name<'a> {
    /// The object of this name.
    Exact(&'a str),
    /// All objects, `*` in a path.
    All,
}

/// The rules of one gateway.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The age up to which a value is served.
    pub max_age: Duration,
    /// Names of Services that stand for the only MiniCluster of their namespace.
    pub service_aliases: Vec<String>,
    /// Metrics that the operator defines.
    pub derived: definitions::Shared,
}

impl Rules {
    /// Whether the value of a series is served: its source was proved, and not too long ago.
    pub fn serves(&self, snapshot: &Snapshot, series: &Series, now: Moment) -> bool {
        let source = snapshot.sources.get(series.source);
        let age = source.and_then(|source| snapshot.age(source, now));
        age.is_some_and(|age| age <= self.max_age)
    }
}

/// One value of one object.
#[derive(Clone, Debug)]
pub struct Item {
    /// The name of the object.
    pub object: Arc<str>,
    /// The UID of a pod that Kubernetes told of.
    pub uid: Option<Arc<str>>,
    /// The value, in the metric's unit.
    pub value: f64,
    /// When the value was last proved right; of a sum, the earliest of its parts.
    pub produced: SystemTime,
    /// Over how many seconds it is an average; `None`: it is of one moment.
    pub window: Option<u32>,
    /// Where the sample came from that brought the value; only where that is followed.
    pub provenance: Option<Arc<Provenance>>,
    /// Where the other parts of a sum came from.
    pub parts: Vec<Arc<Provenance>>,
}

/// Answers a request.
///
/// One item for [`Name::Exact`] and for a namespace, at least one for [`Name::All`].
///
/// # Errors
///
/// When there is no value that may be served; see [`enum@Error`].
pub fn find(
    view: View<'_>,
    rules: &Rules,
    now: Moment,
    request: &Request<'_>,
) -> Result<Vec<Item>, Error> {
    let known = catalogue::find(request.metric);
    let definitions = known.is_none().then(|| rules.derived.now());
    let derived = definitions.as_ref().and_then(|all| all.find(request.metric));
    let reader = Reader { view, rules, now, request, known, derived };
    match request.object {
        Object::Namespace => reader.sum().map(|item| vec![item]),
        Object::Pod(_) if derived.is_some() => Err(Error::UnknownMetric(format!(
            "{} describes a MiniCluster: ask for it",
            request.metric
        ))),
        Object::Pod(name) => reader.brokers(name),
        _ if reader.is_scope(Scope::Broker) => Err(Error::UnknownMetric(format!(
            "{} describes a broker: ask for pods",
            request.metric
        ))),
        Object::Service(Name::Exact(name)) => {
            let item = reader.service(name)?;
            Ok(vec![Item { object: name.into(), ..item }])
        }
        Object::MiniCluster(Name::Exact(name)) | Object::Job(Name::Exact(name)) => {
            reader.minicluster(name).map(|item| vec![item])
        }
        Object::MiniCluster(Name::All) | Object::Service(Name::All) | Object::Job(Name::All) => {
            reader.every_instance()
        }
    }
}

/// One request being answered.
struct Reader<'a> {
    view: View<'a>,
    rules: &'a Rules,
    now: Moment,
    request: &'a Request<'a>,
    known: Option<&'static Metric>,
    /// The definition of a metric that is not known.
    derived: Option<&'a Derived>,
}

impl Reader<'_> {
    fn minicluster(&self, name: &str) -> Result<Item, Error> {
        let (view, namespace) = (self.view, self.request.namespace);
        members::with_lead(view, namespace, name, self.now.instant, |lead| self.instance(lead))
    }

    fn member(&self, member: &Member) -> Result<Item, Error> {
        self.instance(member.lead.as_deref().map_err(Clone::clone)?)
    }

    /// The value of one MiniCluster's instance, as its lead says.
    fn instance(&self, lead: &Snapshot) -> Result<Item, Error> {
        self.value(lead, &lead.instance, Arc::clone(&lead.reporter.cluster.name))
    }

    fn members(&self) -> Result<Vec<Member>, Error> {
        members(self.view, self.request.namespace, self.now.instant)
    }

    fn lead(&self, minicluster: &str) -> Result<Arc<Snapshot>, Error> {
        members::lead(self.view, self.request.namespace, minicluster, self.now.instant)
    }

    fn every_instance(&self) -> Result<Vec<Item>, Error> {
        if !self.request.object_selector.is_empty() {
            return Err(Error::Bad(
                "labelSelector works on pods only: the labels of other objects are not known to \
                 this server; name one object instead of *"
                    .into(),
            ));
        }
        self.servable(self.members()?.iter().map(|member| self.member(member)))
    }

    /// The value of the MiniCluster that a Service stands for.
    fn service(&self, name: &str) -> Result<Item, Error> {
        if self.view.store.cluster(self.request.namespace, name).is_some() {
            return self.minicluster(name);
        }
        let mut all = self.members()?;
        let is_headless = |member: &Member| {
            let lead = member.lead.as_ref();
            lead.is_ok_and(|lead| lead.reporter.headless_service.as_deref() == Some(name))
        };
        if all.iter().any(|member| *member.name == *name) {
            all.retain(|member| *member.name == *name);
        } else if all.iter().any(is_headless) {
            // One whose lead is unknown may have the same Service.
            all.retain(|member| member.lead.is_err() || is_headless(member));
        } else if !self.rules.service_aliases.iter().any(|alias| alias == name) {
            all.clear();
        }
        match all.as_slice() {
            [one] => self.member(one),
            [] => Err(nobody(self.request.namespace)),
            several => Err(Error::NotFound(format!(
                "service {name} stands for the only MiniCluster of its namespace, and there are \
                 {}: {}; describe one of them instead",
                several.len(),
                names(several.iter().map(|member| &*member.name))
            ))),
        }
    }

    /// The sum over the MiniClusters of the namespace.
    fn sum(&self) -> Result<Item, Error> {
        if !self.known.is_some_and(|metric| metric.summable && metric.scope != Scope::Broker) {
            return Err(Error::UnknownMetric(format!(
                "a sum of {} over MiniClusters has no meaning: describe one of them",
                self.request.metric
            )));
        }
        let mut sum: Option<Item> = None;
        let all = self.members()?;
        for member in &all {
            let part = self.part(member).map_err(|error| error.of_member(&member.name))?;
            sum = match (sum, part) {
                (None, Some(part)) => Some(Item { object: self.request.namespace.into(), ..part }),
                (Some(mut sum), Some(part)) => {
                    sum.value += part.value;
                    sum.produced = sum.produced.min(part.produced);
                    sum.parts.extend(part.provenance);
                    Some(sum)
                }
                (sum, None) => sum,
            };
        }
        sum.ok_or_else(|| self.nothing_of(&all))
    }

    /// What a MiniCluster adds to a sum; nothing where it has no series that matches.
    fn part(&self, member: &Member) -> Result<Option<Item>, Error> {
        let lead = member.lead.as_deref().map_err(Clone::clone)?;
        let all = lead.instance.get(self.request.metric).map_or(&[][..], |series| series);
        let found = all.iter().filter(|series| self.selects(series)).count();
        self.is_complete(lead, all, found)?;
        if found == 0 { Ok(None) } else { self.instance(lead).map(Some) }
    }

    /// What is said when no member adds anything.
    fn nothing_of(&self, all: &[Member]) -> Error {
        let namespace = self.request.namespace;
        if all.is_empty() {
            return nobody(namespace);
        }
        Error::NotFound(format!(
            "no MiniCluster of namespace {namespace} has a series that matches"
        ))
    }

    /// Of many objects, those that have a value; when none has, why the first has none.
    fn servable(
        &self,
        answers: impl Iterator<Item = Result<Item, Error>>,
    ) -> Result<Vec<Item>, Error> {
        let mut items = Vec::new();
        let mut first_error = None;
        for answer in answers {
            match answer {
                Ok(item) => items.push(item),
                Err(error @ Error::Bad(_)) => return Err(error),
                Err(error) => {
                    first_error.get_or_insert(error);
                }
            }
        }
        match first_error {
            _ if !items.is_empty() => Ok(items),
            Some(error) => Err(error),
            None => Err(nobody(self.request.namespace)),
        }
    }

    fn is_scope(&self, scope: Scope) -> bool {
        self.known.is_some_and(|metric| metric.scope == scope)
    }
}

/// Most names that an error text lists.
const NAMES_LISTED: usize = 8;

fn names<'a>(all: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = all.len().saturating_sub(NAMES_LISTED);
    let mut text = all.take(NAMES_LISTED).collect::<Vec<_>>().join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

#[cfg(test)]
mod tests;
