//! The families of MiniClusters: which metrics are in each, and under what names those are that the
//! catalogue does not know.

use std::collections::{BTreeMap, BTreeSet};

use fluxgauge_proto::catalogue::{
    self, CATALOGUE, Metric, QUEUE_LABEL, Scope,
    prometheus::{PREFIX, Place, QUEUE_PREFIX},
};

use super::page::Kind;
use crate::model::{Series, SeriesMap};

/// Labels that say whose a value is.
pub(super) const OWN_LABELS: [&str; 3] = ["namespace", "minicluster", "pod"];

/// Ends of names that the formats give a meaning of their own, and that a gauge thus has not.
const RESERVED_ENDS: [&str; 6] = ["_count", "_total", "_sum", "_bucket", "_info", "_created"];

/// Labels that the formats give a meaning of their own.
const RESERVED_LABELS: [&str; 2] = ["le", "quantile"];

/// A family of MiniClusters or of brokers, and its twin for queues.
#[derive(Debug)]
pub(super) struct Family {
    /// The name of the family that is not of queues.
    pub(super) name: String,
    /// The name of the family of queues.
    pub(super) of_queues: String,
    /// The label that tells its metrics apart; empty where there is one alone.
    pub(super) label: &'static str,
    pub(super) help: String,
    pub(super) kind: Kind,
    /// Each with the value that the label has.
    pub(super) metrics: Vec<(String, &'static str)>,
}

impl Family {
    fn new(name: &str, label: &'static str, help: String, kind: Kind) -> Self {
        let (of_queues, name) = (format!("{QUEUE_PREFIX}{name}"), format!("{PREFIX}{name}"));
        Self { name, of_queues, label, help, kind, metrics: Vec::new() }
    }

    /// The labels of a series that are not of its queue, if Prometheus can have them all.
    pub(super) fn labels<'a>(&self, series: &'a Series) -> Option<Vec<(&'a str, &'a str)>> {
        let is_word = |name: &str| {
            let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            starts_well && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        let is_free = |name: &str| {
            let taken = OWN_LABELS.iter().chain(&RESERVED_LABELS).any(|other| *other == name);
            !taken && name != self.label && !name.starts_with("__")
        };
        let labels = series.labels.iter().map(|(name, value)| (&**name, &**value));
        let others = labels.filter(|(name, _)| *name != QUEUE_LABEL);
        others.map(|label| (is_word(label.0) && is_free(label.0)).then_some(label)).collect()
    }
}

/// The families of the catalogue that are of brokers, or that are not, in its order.
pub(super) fn known(of_brokers: bool) -> Vec<Family> {
    let mut families: Vec<Family> = Vec::new();
    for metric in CATALOGUE.iter().filter(|metric| is_of_brokers(metric) == of_brokers) {
        let (name, label, value, help) = match metric.prometheus {
            Place::Alone(name) => (name, "", "", metric.help),
            Place::In(family, value) => (family.name, family.label, value, family.help),
            Place::Same(_) => continue,
        };
        let kind = match metric.kind {
            catalogue::Kind::Gauge => Kind::Gauge,
            catalogue::Kind::Counter => Kind::Counter,
        };
        let family = Family::new(name, label, help.to_owned(), kind);
        let member = (metric.name.to_owned(), value);
        match families.iter_mut().find(|known| known.name == family.name) {
            Some(known) => known.metrics.push(member),
            None => families.push(Family { metrics: vec![member], ..family }),
        }
    }
    families
}

/// The families of metrics that are reported and not in the catalogue. None has a name in `taken`,
/// which grows by theirs: of two metrics that would have one name the first in alphabetical order
/// has it, and the other is nowhere.
pub(super) fn unknown<'a>(
    reported: impl Iterator<Item = &'a SeriesMap>,
    taken: &mut BTreeSet<String>,
) -> Vec<Family> {
    let names = reported.flat_map(|metrics| metrics.keys()).map(|name| &**name);
    let unknown: BTreeSet<&str> = names.filter(|name| catalogue::find(name).is_none()).collect();
    let mut families = BTreeMap::new();
    for metric in unknown {
        let Some(name) = sanitized(metric) else { continue };
        let help = format!("Reported as {metric}, by a collector that is newer than this gateway.");
        let mut family = Family::new(&name, "", help, Kind::Unknown);
        if [&family.name, &family.of_queues].iter().any(|name| taken.contains(*name)) {
            continue;
        }
        taken.extend([family.name.clone(), family.of_queues.clone()]);
        family.metrics.push((metric.to_owned(), ""));
        families.insert(name, family);
    }
    families.into_values().collect()
}

fn is_of_brokers(metric: &Metric) -> bool {
    metric.scope == Scope::Broker
}

/// A name that Prometheus takes: other characters than letters, digits and `_` become `_`, and what
/// stands at the end for another type goes. `None`: nothing is left.
fn sanitized(name: &str) -> Option<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let word: String = name.chars().map(|c| if is_word(c) { c } else { '_' }).collect();
    let mut left = word.as_str();
    while let Some(shorter) = RESERVED_ENDS.iter().find_map(|end| left.strip_suffix(end)) {
        left = shorter;
    }
    (!left.trim_matches('_').is_empty()).then(|| left.to_owned())
}
