//! The requests of an autoscaler, and what is wrong with them.

use std::fmt::Write as _;

use derived_metrics::{Derived, nearest};
use fluxgauge_gateway::{pods, query::MINICLUSTER_LABEL};
use fluxgauge_proto::catalogue::{self, Metric, QUEUE_LABEL, Scope};
use k8s_openapi::{
    api::autoscaling::v2::{
        HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, MetricIdentifier, MetricSpec,
        MetricTarget,
    },
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};

use super::Report;

/// Metrics that keep an autoscaler from removing a node that runs a job.
const SAFE: [&str; 3] =
    ["cluster_size_min_safe", "cluster_size_desired", "cluster_size_desired_past_tolerance"];

/// What a metric is asked of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    MiniCluster,
    Namespace,
    Pods,
    /// External; whether one MiniCluster is named.
    Labels(bool),
}

/// Writes down the requests, and what is wrong.
pub(super) fn check(
    autoscaler: &HorizontalPodAutoscaler,
    derived: &[Derived],
    report: &mut Report,
) {
    let Some(spec) = &autoscaler.spec else {
        return report.problem("it has no spec");
    };
    let namespace = autoscaler.metadata.namespace.as_deref().unwrap_or("default");
    let metrics = spec.metrics.as_deref().unwrap_or_default();
    let (mut own, mut safe) = (0, false);
    for metric in metrics {
        match request(spec, namespace, metric) {
            Ok(None) => report.line(&format!("  {}: not asked of Fluxgauge", metric.type_)),
            Ok(Some(Request { path, of, metric: asked, target })) => {
                own += 1;
                safe |= SAFE.contains(&asked.name.as_str());
                report.line(&format!("  GET {path}"));
                judge(asked, of, derived, report);
                hints(asked, target, metric.type_ == "Object", report);
            }
            Err(problem) => report.problem(&problem),
        }
    }
    if own == 0 {
        report.problem("it reads no metric of Fluxgauge");
    } else if !safe {
        report.line(
            "  hint: nothing keeps it from removing a node that runs a job: add cluster_size_min_safe",
        );
    }
    let target = &spec.scale_target_ref;
    if target.kind != "MiniCluster" {
        report.line(&format!("  hint: it resizes a {}, and no MiniCluster", target.kind));
    }
}

struct Request<'a> {
    path: String,
    of: Of,
    metric: &'a MetricIdentifier,
    target: &'a MetricTarget,
}

/// The request that an autoscaler makes for one of its metrics; `None`: it asks somebody else.
fn request<'a>(
    spec: &HorizontalPodAutoscalerSpec,
    namespace: &str,
    metric: &'a MetricSpec,
) -> Result<Option<Request<'a>>, String> {
    let missing = |field: &str| format!("a metric of type {} needs `{field}`", metric.type_);
    let custom = format!("/apis/custom.metrics.k8s.io/v1beta2/namespaces/{}", segment(namespace));
    Ok(Some(match metric.type_.as_str() {
        "Object" => {
            let source = metric.object.as_ref().ok_or_else(|| missing("object"))?;
            let (object, name) = (&source.described_object, &source.described_object.name);
            let group = object.api_version.as_deref().unwrap_or_default();
            let group = group.split_once('/').map_or("", |(group, _)| group);
            let (resource, of) = match (object.kind.as_str(), group) {
                ("MiniCluster", "flux-framework.org") => {
                    ("miniclusters.flux-framework.org", Of::MiniCluster)
                }
                ("Service", "") => ("services", Of::MiniCluster),
                ("Job", "batch") => ("jobs.batch", Of::MiniCluster),
                ("Pod", "") => ("pods", Of::Pods),
                ("Namespace", "") => ("", Of::Namespace),
                (kind, group) => {
                    return Err(format!(
                        "a {kind} of group {group:?} has no metrics here: describe a MiniCluster \
                         (flux-framework.org/v1alpha2), a Service, a Job (batch/v1), a Pod or a \
                         Namespace"
                    ));
                }
            };
            let (identifier, target) = (&source.metric, &source.target);
            let query = query(&[("metricLabelSelector", &identifier.selector)]);
            let path = match of {
                Of::Namespace => format!(
                    "/apis/custom.metrics.k8s.io/v1beta2/namespaces/{}/metrics/{}{query}",
                    segment(name),
                    segment(&identifier.name)
                ),
                _ => format!(
                    "{custom}/{resource}/{}/{}{query}",
                    segment(name),
                    segment(&identifier.name)
                ),
            };
            Request { path, of, metric: identifier, target }
        }
        "Pods" => {
            let source = metric.pods.as_ref().ok_or_else(|| missing("pods"))?;
            let (identifier, target) = (&source.metric, &source.target);
            let of_it = LabelSelector {
                match_labels: Some(
                    [(pods::SELECTOR.to_owned(), spec.scale_target_ref.name.clone())].into(),
                ),
                ..LabelSelector::default()
            };
            let query = query(&[
                ("labelSelector", &Some(of_it)),
                ("metricLabelSelector", &identifier.selector),
            ]);
            let path = format!("{custom}/pods/%2A/{}{query}", segment(&identifier.name));
            Request { path, of: Of::Pods, metric: identifier, target }
        }
        "External" => {
            let source = metric.external.as_ref().ok_or_else(|| missing("external"))?;
            let (identifier, target) = (&source.metric, &source.target);
            let labels = identifier.selector.as_ref().and_then(|all| all.match_labels.as_ref());
            let one = labels.is_some_and(|labels| labels.contains_key(MINICLUSTER_LABEL));
            let query = query(&[("labelSelector", &identifier.selector)]);
            let path = format!(
                "/apis/external.metrics.k8s.io/v1beta1/namespaces/{}/{}{query}",
                segment(namespace),
                segment(&identifier.name)
            );
            Request { path, of: Of::Labels(one), metric: identifier, target }
        }
        "Resource" | "ContainerResource" => return Ok(None),
        other => return Err(format!("there is no type of metrics {other:?}")),
    }))
}

/// Whether there is such a metric of such an object.
fn judge(asked: &MetricIdentifier, of: Of, derived: &[Derived], report: &mut Report) {
    let name = asked.name.as_str();
    if derived.iter().any(|derived| derived.name == name) {
        match of {
            Of::Pods => report
                .problem(&format!("{name} describes a MiniCluster, and no pod: use type Object")),
            Of::Namespace | Of::Labels(false) => report
                .problem(&format!("a sum of {name} over MiniClusters has no meaning: name one")),
            Of::MiniCluster | Of::Labels(true) => {}
        }
        return;
    }
    let Some(metric) = catalogue::find(name) else {
        let would_do = |metric: &Metric| (metric.scope == Scope::Broker) == (of == Of::Pods);
        let hint =
            nearest(name, would_do).map_or_else(String::new, |near| format!("; is it {near}?"));
        return report.problem(&format!(
            "there is no metric {name}{hint} Derived metrics are known by their file: name it, too"
        ));
    };
    match (metric.scope == Scope::Broker, of) {
        (true, Of::MiniCluster | Of::Namespace | Of::Labels(_)) => {
            report.problem(&format!("{name} describes a broker: use type Pods, or describe a Pod"));
        }
        (false, Of::Pods) => {
            report.problem(&format!("{name} describes a MiniCluster, and no pod: use type Object"));
        }
        (false, Of::Namespace | Of::Labels(false)) if !metric.summable => report.problem(&format!(
            "a sum of {name} over MiniClusters has no meaning: name one, as by {MINICLUSTER_LABEL}"
        )),
        _ => {}
    }
    let queue = asked.selector.as_ref().is_some_and(|selector| {
        let labels = selector.match_labels.iter().flat_map(|labels| labels.keys());
        let expressions = selector.match_expressions.iter().flatten();
        let keys = labels.chain(expressions.map(|expression| &expression.key));
        keys.into_iter().any(|key| key == QUEUE_LABEL)
    });
    if queue && metric.scope != Scope::InstanceAndQueue {
        report.problem(&format!("{name} has no series of queues: leave `{QUEUE_LABEL}` out"));
    }
}

/// What would be surprising.
fn hints(metric: &MetricIdentifier, target: &MetricTarget, object: bool, report: &mut Report) {
    let is_size = metric.name.starts_with("cluster_size_");
    let one = target.average_value.as_ref().is_some_and(|value| value.0 == "1");
    if is_size && object && !(target.type_ == "AverageValue" && one) {
        report.line(&format!(
            "  hint: {} is a number of replicas only with target {{type: AverageValue, averageValue: \
             \"1\"}}",
            metric.name
        ));
    }
}

/// The query with these selectors, those that say nothing left out.
fn query(selectors: &[(&str, &Option<LabelSelector>)]) -> String {
    let mut query = String::new();
    for (name, selector) in selectors {
        let text = selector.as_ref().map(text).unwrap_or_default();
        if !text.is_empty() {
            let sign = if query.is_empty() { '?' } else { '&' };
            // Writing to a text cannot fail.
            write!(query, "{sign}{name}={}", escaped(&text, true)).ok();
        }
    }
    query
}

/// As `metav1.FormatLabelSelector` writes it: labels in the order of their names.
fn text(selector: &LabelSelector) -> String {
    let labels = selector.match_labels.iter().flatten();
    let labels = labels.map(|(key, value)| (key.clone(), format!("{key}={value}")));
    let expressions = selector.match_expressions.iter().flatten().map(|one| {
        let mut values = one.values.clone().unwrap_or_default();
        values.sort();
        let (key, list) = (&one.key, values.join(","));
        let text = match one.operator.as_str() {
            "In" => format!("{key} in ({list})"),
            "NotIn" => format!("{key} notin ({list})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.clone(),
        };
        (key.clone(), text)
    });
    let mut all: Vec<_> = labels.chain(expressions).collect();
    all.sort();
    all.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(",")
}

fn segment(text: &str) -> String {
    escaped(text, false)
}

/// Percent-encoded as Go's clients do; in a query a space is `+`.
fn escaped(text: &str, query: bool) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            b' ' if query => out.push('+'),
            // Writing to a text cannot fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}
