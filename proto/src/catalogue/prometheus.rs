//! Where Prometheus has each metric: in a family of its own, or as one value of a family's label.
//!
//! Prometheus' conventions decide: a name says unit and subject, never the kind of a count; where
//! parts make a whole they are values of a label, so that a sum over it is the whole; what overlaps
//! (free nodes, allocated nodes) is in families of its own. Series of queues are in families of
//! their own, too, since a sum over queues and the instance would count all twice.

/// What all families of an instance begin with.
pub const PREFIX: &str = "flux_";

/// What all families of queues begin with.
pub const QUEUE_PREFIX: &str = "flux_queue_";

/// Where Prometheus has a metric. Names are without [`PREFIX`] and [`QUEUE_PREFIX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a family of this name, which has the help text of the metric.
    Alone(&'static str),
    /// In a family, where the family's label has this value.
    In(&'static Family, &'static str),
    /// Nowhere: this other metric, which Prometheus has, is the same.
    Same(&'static str),
}

/// Metrics that make a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// The name.
    pub name: &'static str,
    /// The label that tells the parts apart.
    pub label: &'static str,
    /// One sentence for people.
    pub help: &'static str,
}

pub(super) const JOBS: Family = Family {
    name: "jobs",
    label: "state",
    help: "Jobs by state, inactive ones until they are purged.",
};

pub(super) const INACTIVE_JOBS: Family = Family {
    name: "jobs_inactive",
    label: "outcome",
    help: "Inactive jobs by outcome, until they are purged.",
};

pub(super) const NODES: Family = Family {
    name: "nodes",
    label: "state",
    help: "Nodes by state: up, or else down, which is offline, drained or torpid, even while they \
           still run a job.",
};

pub(super) const BROKERS: Family = Family {
    name: "brokers",
    label: "state",
    help: "Brokers of the configured size by whether they are connected, drained ones included.",
};

pub(super) const CORES: Family =
    Family { name: "cores", label: "state", help: "Cores by the state of their node." };

pub(super) const GPUS: Family =
    Family { name: "gpus", label: "state", help: "GPUs by the state of their node." };

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::catalogue::{CATALOGUE, find};

    /// What the formats give a meaning of their own.
    const RESERVED: [&str; 6] = ["_count", "_total", "_sum", "_bucket", "_info", "_created"];

    #[test]
    fn every_metric_is_in_one_place_under_a_name_that_prometheus_takes() {
        let (mut places, mut families) = (BTreeSet::new(), BTreeMap::new());
        for metric in CATALOGUE {
            let (family, value) = match metric.prometheus {
                Place::Alone(name) => (Family { name, label: "", help: metric.help }, None),
                Place::In(family, value) => (*family, Some(value)),
                Place::Same(other) => {
                    let other = find(other).expect("another metric");
                    assert!(!matches!(other.prometheus, Place::Same(_)), "{}", metric.name);
                    assert_eq!((metric.scope, metric.source), (other.scope, other.source));
                    continue;
                }
            };
            let is_letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
            let is_word = |name: &str| name.bytes().all(is_letter);
            assert!(is_word(family.name) && is_word(family.label), "{family:?}");
            assert!(!family.name.starts_with("queue_"), "{family:?} looks like one of queues");
            assert!(!RESERVED.iter().any(|end| family.name.ends_with(end)), "{family:?}");
            assert!(family.help.ends_with('.'), "{family:?}");
            assert!(places.insert((family.name, value)), "{} is not alone there", metric.name);
            let kind = (family, metric.scope == crate::catalogue::Scope::Broker);
            let known = families.entry(family.name).or_insert(kind);
            assert_eq!(*known, kind, "{} is another family of that name", metric.name);
        }
    }
}
