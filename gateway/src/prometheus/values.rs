//! What MiniClusters and brokers report, family by family.
//!
//! A metric that the catalogue does not know, from a collector that is one version ahead, is in a
//! family without a type whose name is `flux_` and its own, made fit by [`families`]; a series with a
//! label that Prometheus cannot have is left out.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use fluxgauge_proto::catalogue::{CATALOGUE, Metric, QUEUE_LABEL, Scope};

use super::{
    families::{self, Family, OWN_LABELS},
    page::{Kind, Page},
};
use crate::{
    clock::Moment,
    model::{SeriesMap, Snapshot, Source},
    query::{Everything, Rules},
};

const UP: &str = "flux_up";
const SAMPLE_AGE: &str = "flux_sample_age_seconds";
/// What the families of derived metrics begin with.
const DERIVED_PREFIX: &str = "flux_derived_";
const BROKER_SAMPLE_AGE: &str = "flux_broker_sample_age_seconds";

/// Something that is reported of.
struct Subject<'a> {
    /// Whose values these are: the first of [`OWN_LABELS`], or all.
    labels: Vec<(&'static str, &'a str)>,
    snapshot: &'a Snapshot,
    metrics: &'a SeriesMap,
}

impl<'a> Subject<'a> {
    fn new<const N: usize>(
        whose: [&'a str; N],
        snapshot: &'a Snapshot,
        metrics: &'a SeriesMap,
    ) -> Self {
        Self { labels: OWN_LABELS.into_iter().zip(whose).collect(), snapshot, metrics }
    }
}

/// Writes all that is fresh, and how old everything is.
pub(super) fn write(page: &mut Page, rules: &Rules, now: Moment, everything: &Everything) {
    let instances: Vec<_> = everything
        .miniclusters
        .iter()
        .filter_map(|one| {
            let lead = one.lead.as_deref()?;
            Some(Subject::new([&*one.namespace, &*one.name], lead, &lead.instance))
        })
        .collect();
    let brokers: Vec<_> = everything
        .brokers
        .iter()
        .map(|broker| {
            let (snapshot, cluster) = (&*broker.snapshot, &broker.snapshot.reporter.cluster);
            let whose = [&*cluster.namespace, &*cluster.name, &*broker.pod];
            Subject::new(whose, snapshot, &snapshot.broker)
        })
        .collect();

    up(page, rules, now, everything);
    ages(page, now, &instances, &brokers);
    let (of_instances, of_brokers) = (families::known(false), families::known(true));
    let names = of_instances.iter().chain(&of_brokers);
    let mut taken: BTreeSet<_> =
        names.flat_map(|family| [family.name.clone(), family.of_queues.clone()]).collect();
    taken.extend([UP, SAMPLE_AGE, BROKER_SAMPLE_AGE].map(str::to_owned));
    derived(page, rules, now, &instances);
    for (mut all, subjects) in [(of_instances, &instances), (of_brokers, &brokers)] {
        all.extend(families::unknown(subjects.iter().map(|one| one.metrics), &mut taken));
        for family in all {
            lines(page, rules, now, &family, subjects);
        }
    }
}

/// The lines of a family, and of its twin for queues.
fn lines(page: &mut Page, rules: &Rules, now: Moment, family: &Family, subjects: &[Subject<'_>]) {
    let of_queues = format!("{} Of each queue.", family.help);
    for (name, help, queues) in
        [(&family.name, &family.help, false), (&family.of_queues, &of_queues, true)]
    {
        let mut written = page.family(name, family.kind, help);
        for subject in subjects {
            for (metric, value) in &family.metrics {
                let series = subject.metrics.get(metric.as_str()).map_or(&[][..], |all| all);
                for one in series {
                    let queue = one.label(QUEUE_LABEL);
                    if queue.is_some() != queues || !rules.serves(subject.snapshot, one, now) {
                        continue;
                    }
                    let Some(others) = family.labels(one) else { continue };
                    let mut labels = subject.labels.clone();
                    labels.extend(queue.map(|queue| (QUEUE_LABEL, queue)));
                    if !family.label.is_empty() {
                        labels.push((family.label, value));
                    }
                    written.line(&[labels, others].concat(), one.value);
                }
            }
        }
    }
}

/// The derived metrics of MiniClusters, under names that no other has.
fn derived(page: &mut Page, rules: &Rules, now: Moment, instances: &[Subject<'_>]) {
    for derived in rules.derived.now().iter() {
        let help = match derived.help.as_str() {
            "" => format!("Derived: {}.", derived.expression.trim()),
            help => help.to_owned(),
        };
        let name = format!("{DERIVED_PREFIX}{}", derived.name);
        let mut family = page.family(&name, Kind::Gauge, &help);
        for subject in instances {
            // The instance's own series of an input, where it is served.
            let input = |metric: &&Metric| {
                let mut series = subject.metrics.get(metric.name)?.iter();
                let own = series.find(|series| series.label(QUEUE_LABEL).is_none())?;
                rules.serves(subject.snapshot, own, now).then_some(own.value)
            };
            let inputs: Option<Vec<_>> = derived.program.inputs().iter().map(input).collect();
            let inputs = inputs.filter(|inputs| !inputs.is_empty());
            if let Some(Ok(value)) = inputs.map(|inputs| derived.program.value(&inputs)) {
                family.line(&subject.labels, value);
            }
        }
    }
}

/// Which MiniClusters there are, and which of them have any value.
fn up(page: &mut Page, rules: &Rules, now: Moment, everything: &Everything) {
    let help = "1 while the collector beside the lead broker reports values of the MiniCluster that \
                are fresh enough to be served, else 0.";
    let mut family = page.family(UP, Kind::Gauge, help);
    for one in &everything.miniclusters {
        let serves = |lead: &Arc<Snapshot>| {
            lead.instance.values().flat_map(|all| all.iter()).any(|s| rules.serves(lead, s, now))
        };
        let up = one.lead.as_ref().is_some_and(serves);
        let [namespace, minicluster, _] = OWN_LABELS;
        let labels = [(namespace, &*one.namespace), (minicluster, &*one.name)];
        family.line(&labels, f64::from(u8::from(up)));
    }
}

/// How old the last proof of each source is, served or not, so that people can be told early.
fn ages(page: &mut Page, now: Moment, instances: &[Subject<'_>], brokers: &[Subject<'_>]) {
    let of_instances = "Time since a Flux service last proved the values of a MiniCluster right; they \
                        are absent once this is more than the gateway's --max-age.";
    let of_brokers = "Time since the values of a broker were last proved right.";
    for (name, help, subjects, brokers) in [
        (SAMPLE_AGE, of_instances, instances, false),
        (BROKER_SAMPLE_AGE, of_brokers, brokers, true),
    ] {
        let mut family = page.family(name, Kind::Gauge, help);
        for Subject { labels, snapshot, .. } in subjects {
            let sources = snapshot.sources.iter();
            for source in sources.filter(|source| is_of_brokers(snapshot, source) == brokers) {
                let Some(age) = snapshot.age(source, now) else { continue };
                let labels = [labels.as_slice(), &[("source", &*source.name)]].concat();
                family.line(&labels, seconds(age));
            }
        }
    }
}

/// Whether values of brokers rest on a source. Only a lead's snapshot has any other.
fn is_of_brokers(snapshot: &Snapshot, source: &Source) -> bool {
    let mut of_brokers = CATALOGUE.iter().filter(|metric| metric.scope == Scope::Broker);
    snapshot.reporter.rank != 0 || of_brokers.any(|metric| metric.source.name() == &*source.name)
}

/// To the millisecond: more would only make pages longer.
fn seconds(age: Duration) -> f64 {
    (age.as_secs_f64() * 1e3).round() / 1e3
}
