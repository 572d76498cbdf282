//! External metrics: the values of a namespace's MiniClusters, which labels tell apart.
//!
//! An autoscaler adds up all values that it gets. So this is a sum written as its parts, and no
//! part of it is ever left out: where the value of one MiniCluster is not known there is no answer.

use std::sync::Arc;

use fluxgauge_proto::catalogue::{self, QUEUE_LABEL, Scope, Source as Origin};
use metrics_api::selector::Selector;

use super::{Error, Item, Member, Object, Reader, Request, Rules, View};
use crate::{
    clock::Moment,
    model::{Labels, Series},
};

/// The label that tells MiniClusters apart.
pub const MINICLUSTER_LABEL: &str = "minicluster";

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct ExternalRequest<'a> {
    /// The namespace of the MiniClusters.
    pub namespace: &'a str,
    /// The name of the metric.
    pub metric: &'a str,
    /// Which MiniClusters, by [`MINICLUSTER_LABEL`], and which of their series.
    pub selector: &'a Selector,
    /// Whether anybody follows where values came from.
    pub traced: bool,
}

/// One value.
#[derive(Clone, Debug)]
pub struct External {
    /// The value; its object is the MiniCluster.
    pub item: Item,
    /// What tells the series apart from others of the MiniCluster.
    pub labels: Labels,
}

/// Answers a request: at least one value, each series once.
///
/// # Errors
///
/// When there is no value, and when one that belongs to the sum may not be served; see
/// [`enum@Error`].
pub fn find_external(
    view: View<'_>,
    rules: &Rules,
    now: Moment,
    asked: &ExternalRequest<'_>,
) -> Result<Vec<External>, Error> {
    let request = Request {
        namespace: asked.namespace,
        object: Object::Namespace,
        metric: asked.metric,
        object_selector: &Selector::default(),
        metric_selector: asked.selector,
        traced: asked.traced,
    };
    let known = catalogue::find(asked.metric);
    let definitions = known.is_none().then(|| rules.derived.now());
    let derived = definitions.as_ref().and_then(|all| all.find(asked.metric));
    Reader { view, rules, now, request: &request, known, derived }.every_external()
}

impl Reader<'_> {
    fn every_external(&self) -> Result<Vec<External>, Error> {
        let metric = self.request.metric;
        if self.is_scope(Scope::Broker) {
            return Err(Error::UnknownMetric(format!(
                "{metric} describes a broker: ask custom.metrics.k8s.io for pods"
            )));
        }
        let all = match self.request.metric_selector.value_of(MINICLUSTER_LABEL) {
            Some(name) => vec![Member { name: name.into(), lead: Ok(self.lead(name)?) }],
            None => self.members()?,
        };
        let selected: Vec<_> =
            all.iter().filter(|member| self.selects_cluster(&member.name)).collect();
        if self.known.is_some() {
            self.may_add_up(selected.len())?;
        }
        let mut values = Vec::new();
        for member in &selected {
            let of_one = self.external(member).map_err(|error| error.of_member(&member.name))?;
            values.extend(of_one);
        }
        if values.is_empty() {
            return Err(match (self.known, selected.is_empty()) {
                (None, false) => Error::UnknownMetric(format!("no collector reports {metric}")),
                _ => self.nothing_of(&all),
            });
        }
        self.may_add_up(values.len().max(selected.len()))?;
        Ok(values)
    }

    /// The values of one MiniCluster; none where it has no series that matches.
    fn external(&self, member: &Member) -> Result<Vec<External>, Error> {
        let (name, snapshot) = (&member.name, member.lead.as_deref().map_err(Clone::clone)?);
        if let Some(derived) = self.derived {
            let selected =
                |reader: &Reader<'_>, series: &Series| reader.selects_external(name, series);
            let metrics = &snapshot.instance;
            let (item, labels) = self.derive(derived, snapshot, metrics, name, selected)?;
            return Ok(vec![External { item, labels }]);
        }
        let all = snapshot.instance.get(self.request.metric).map_or(&[][..], |series| series);
        let matching = all.iter().filter(|series| self.selects_external(name, series));
        let values = matching.map(|series| {
            let item = self.proved(snapshot, series, Arc::clone(name))?;
            Ok(External { item, labels: Arc::clone(&series.labels) })
        });
        let values = values.collect::<Result<Vec<_>, _>>()?;
        self.is_complete(snapshot, all, values.len())?;
        let origin = self.known.map(|known| self.origin(known));
        if values.len() > 1 && origin == Some(Origin::QueueStatus) {
            return Err(Error::Bad(format!(
                "queues may share nodes, so that a sum of {} over queues may count some twice: \
                 name one by {QUEUE_LABEL}=NAME",
                self.request.metric
            )));
        }
        Ok(values)
    }

    /// Whether what the selector says of MiniClusters holds for one.
    fn selects_cluster(&self, name: &str) -> bool {
        let mut conditions = self.request.metric_selector.conditions(MINICLUSTER_LABEL);
        conditions.all(|condition| condition.holds(Some(name)))
    }

    fn selects_external(&self, name: &str, series: &Series) -> bool {
        let label = |key: &str| match key {
            MINICLUSTER_LABEL => Some(name),
            key => series.label(key),
        };
        series.label(QUEUE_LABEL).is_some() == self.wants_queues()
            && self.request.metric_selector.matches(label)
    }

    /// Refuses several values of a metric whose sum would mean nothing.
    fn may_add_up(&self, values: usize) -> Result<(), Error> {
        if values <= 1 || self.known.is_some_and(|metric| metric.summable) {
            return Ok(());
        }
        Err(Error::Bad(format!(
            "a sum of {} over MiniClusters has no meaning: select one by {MINICLUSTER_LABEL}=NAME",
            self.request.metric
        )))
    }
}

#[cfg(test)]
mod tests;
