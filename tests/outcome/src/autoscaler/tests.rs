use super::*;

/// An autoscaler of one Object metric with this target and behaviour.
fn autoscaler(target: &str, behavior: &str) -> Autoscaler {
    let manifest = format!(
        "
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: one}}
spec:
  scaleTargetRef: {{kind: MiniCluster, name: one}}
  maxReplicas: 1
  metrics:
    - type: Object
      object:
        describedObject: {{kind: MiniCluster, name: one}}
        metric: {{name: size}}
        target: {target}
    - type: Object
      object:
        describedObject: {{kind: MiniCluster, name: one}}
        metric: {{name: floor}}
        target: {{type: AverageValue, averageValue: '1'}}
  behavior: {behavior}
"
    );
    Autoscaler::of(&manifest, 100)
}

const AVERAGE: &str = "{type: AverageValue, averageValue: '1'}";

/// What it decides at each of these moments: (second, size, metric).
fn decisions(autoscaler: &mut Autoscaler, all: &[(Second, u32, f64)]) -> Vec<u32> {
    let decide = |(now, size, value): &(Second, u32, f64)| {
        let current = Current { size: *size, ready: *size };
        autoscaler.decide(*now, current, |metric| Some(if metric == "size" { *value } else { 1.0 }))
    };
    all.iter().map(decide).collect()
}

#[test]
fn a_size_within_a_tenth_is_left_alone_unless_the_tolerance_is_0() {
    let at_once = "{scaleDown: {stabilizationWindowSeconds: 0}}";
    let mut usual = autoscaler(AVERAGE, at_once);
    let all = [(0, 12, 13.0), (15, 12, 14.0), (30, 12, 11.0), (45, 12, 10.0), (60, 5, 5.1)];
    assert_eq!(decisions(&mut usual, &all), [12, 14, 12, 10, 5]);
    let mut exact = autoscaler(AVERAGE, "{scaleUp: {tolerance: '0'}}");
    assert_eq!(decisions(&mut exact, &[(0, 12, 13.0), (15, 13, 12.0)]), [13, 13]);
}

#[test]
fn it_doubles_or_adds_four_at_most_unless_policies_say_otherwise() {
    let mut usual = autoscaler(AVERAGE, "{}");
    let all = [(0, 1, 40.0), (5, 5, 40.0), (15, 5, 40.0), (30, 10, 40.0), (45, 20, 40.0)];
    assert_eq!(decisions(&mut usual, &all), [5, 5, 10, 20, 40]);
    let policies = "{scaleUp: {policies: [{type: Pods, value: 1000, periodSeconds: 15}]}}";
    assert_eq!(decisions(&mut autoscaler(AVERAGE, policies), &[(0, 1, 40.0)]), [40]);
}

#[test]
fn it_falls_to_the_largest_size_of_its_window() {
    let mut patient = autoscaler(AVERAGE, "{scaleDown: {stabilizationWindowSeconds: 30}}");
    let all = [(0, 20, 20.0), (15, 20, 5.0), (29, 20, 5.0), (30, 20, 5.0), (59, 5, 1.0)];
    assert_eq!(decisions(&mut patient, &all), [20, 20, 20, 5, 5]);
    // By default five minutes.
    let mut usual = autoscaler(AVERAGE, "{}");
    let all = [(0, 20, 20.0), (299, 20, 5.0), (300, 20, 5.0)];
    assert_eq!(decisions(&mut usual, &all), [20, 20, 5]);
}

#[test]
fn a_value_is_multiplied_with_the_pods_that_are_ready() {
    let mut by_value = autoscaler("{type: Value, value: '4'}", "{}");
    assert_eq!(decisions(&mut by_value, &[(0, 2, 8.0), (300, 4, 4.0)]), [4, 4]);
}

#[test]
fn nothing_shrinks_while_a_metric_cannot_be_read_and_growth_goes_on() {
    let at_once = "{scaleDown: {stabilizationWindowSeconds: 0}}";
    let decide = |size, value| {
        let current = Current { size, ready: size };
        autoscaler(AVERAGE, at_once).decide(0, current, |name| (name == "size").then_some(value))
    };
    assert_eq!([decide(4, 2.0), decide(4, 6.0)], [4, 6]);
    let current = Current { size: 4, ready: 4 };
    assert_eq!(autoscaler(AVERAGE, at_once).decide(0, current, |_| None), 4);
}

#[test]
fn a_size_past_the_tolerance_is_reached_from_every_smaller_one_and_kept() {
    let at_once = "{scaleUp: {policies: [{type: Pods, value: 1000, periodSeconds: 15}]}, scaleDown: {stabilizationWindowSeconds: 0}}";
    let autoscaler = Autoscaler { most: u32::MAX, ..autoscaler(AVERAGE, at_once) };
    for desired in 1..=300 {
        let metric = f64::from(flux_demand::past_tolerance(desired));
        for size in 1..=desired + 40 {
            let decide = |size| {
                let current = Current { size, ready: size };
                autoscaler
                    .clone()
                    .decide(0, current, |name| Some(if name == "size" { metric } else { 1.0 }))
            };
            let reached = decide(size);
            assert!(reached >= desired, "{reached} from {size} where {desired} are wanted");
            let excess = f64::from(reached) / f64::from(desired);
            assert!(
                reached == size || excess <= 1.1,
                "{reached} from {size} where {desired} are wanted"
            );
            assert_eq!(decide(reached), reached, "from {size} where {desired} are wanted");
        }
    }
}
