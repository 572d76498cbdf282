//! What a HorizontalPodAutoscaler says, as `kubectl get` and `kubectl describe` spell it. Pure.

use k8s_openapi::{
    api::autoscaling::v2::{
        HorizontalPodAutoscaler, HorizontalPodAutoscalerCondition, HorizontalPodAutoscalerStatus,
        MetricSpec, MetricStatus,
    },
    apimachinery::pkg::api::resource::Quantity,
};

/// The size that it wants; `None` before its first decision.
pub(super) fn desired(autoscaler: &HorizontalPodAutoscaler) -> Option<i32> {
    let status = autoscaler.status.as_ref()?;
    status.conditions.is_some().then_some(status.desired_replicas)
}

/// Its conditions: none before its first decision.
pub(super) fn conditions(
    autoscaler: &HorizontalPodAutoscaler,
) -> &[HorizontalPodAutoscalerCondition] {
    let status = autoscaler.status.as_ref();
    status.and_then(|status| status.conditions.as_deref()).unwrap_or_default()
}

/// Each of its Object metrics, as `NAME 1500m/1 (avg)`.
pub(super) fn metrics(autoscaler: &HorizontalPodAutoscaler) -> Vec<String> {
    let Some(spec) = autoscaler.spec.as_ref().and_then(|spec| spec.metrics.as_ref()) else {
        return Vec::new();
    };
    let current = autoscaler.status.as_ref().map(current).unwrap_or_default();
    let shown = |(n, metric): (usize, &MetricSpec)| {
        let object = metric.object.as_ref()?;
        let target = object.target.average_value.as_ref()?;
        let current = current.get(n).and_then(average).map_or("<unknown>", |own| &own.0);
        Some(format!("{} {current}/{} (avg)", object.metric.name, target.0))
    };
    spec.iter().enumerate().filter_map(shown).collect()
}

fn current(status: &HorizontalPodAutoscalerStatus) -> &[MetricStatus] {
    status.current_metrics.as_deref().unwrap_or_default()
}

/// While the MiniCluster's `status.size` is 0 the controller divides by it, and shows a number that
/// is none; its decision is right.
fn average(metric: &MetricStatus) -> Option<&Quantity> {
    let average = metric.object.as_ref()?.current.average_value.as_ref()?;
    (!average.0.starts_with('-')).then_some(average)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn autoscaler(average: &str) -> HorizontalPodAutoscaler {
        let object = json!({
            "describedObject": { "kind": "MiniCluster", "name": "flux-sample" },
            "metric": { "name": "m" },
            "target": { "type": "AverageValue", "averageValue": "1" },
            "current": { "averageValue": average },
        });
        let metric = json!([{ "type": "Object", "object": object }]);
        serde_json::from_value(json!({
            "spec": {
                "maxReplicas": 10,
                "scaleTargetRef": { "kind": "MiniCluster", "name": "flux-sample" },
                "metrics": metric,
            },
            "status": {
                "desiredReplicas": 3,
                "conditions": [{ "type": "ScalingActive", "status": "True" }],
                "currentMetrics": metric,
            },
        }))
        .unwrap()
    }

    #[test]
    fn a_metric_is_shown_as_kubectl_does_and_a_division_by_0_is_not() {
        assert_eq!(metrics(&autoscaler("1500m")), ["m 1500m/1 (avg)"]);
        assert_eq!(metrics(&autoscaler("-9223372036854775808m")), ["m <unknown>/1 (avg)"]);
    }

    #[test]
    fn nothing_is_wanted_before_the_first_decision() {
        let mut autoscaler = autoscaler("1");
        assert_eq!(desired(&autoscaler), Some(3));
        autoscaler.status.as_mut().unwrap().conditions = None;
        assert_eq!(desired(&autoscaler), None);
        autoscaler.status = None;
        assert_eq!(desired(&autoscaler), None);
        assert_eq!(metrics(&autoscaler), ["m <unknown>/1 (avg)"]);
    }
}
