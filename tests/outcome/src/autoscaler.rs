//! What Kubernetes' HorizontalPodAutoscaler controller makes of metrics: a size.
//!
//! Source: `pkg/controller/podautoscaler/{replica_calculator,horizontal}.go` of Kubernetes 1.35, for
//! Object and External metrics. `tests/control_plane/closed_loop` holds one case beside the
//! real controller.

use std::collections::VecDeque;

use k8s_openapi::{
    api::autoscaling::v2::{HPAScalingRules, HorizontalPodAutoscaler, MetricSpec, MetricTarget},
    apimachinery::pkg::api::resource::Quantity,
};

use crate::Second;

/// How often the controller decides, in seconds: its default.
pub const PERIOD: Second = 15;

/// Ratios this near to 1 are taken for 1, unless an autoscaler says otherwise: its default.
pub const TOLERANCE: f64 = 0.1;

/// For how long the largest size counts, in seconds, unless an autoscaler says otherwise: its default.
const DOWN_WINDOW: Second = 300;

/// One autoscaler, and what it remembers.
#[derive(Clone, Debug)]
pub struct Autoscaler {
    metrics: Vec<(String, Target)>,
    least: u32,
    most: u32,
    up: Rules,
    down: Rules,
    /// Sizes that metrics asked for, with when.
    asked: VecDeque<(Second, u32)>,
    /// Sizes written, with when and what was before.
    written: VecDeque<(Second, u32, u32)>,
}

/// What a metric should be.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Target {
    /// For each replica.
    Average(f64),
    /// Altogether.
    Value(f64),
}

/// How fast a size changes in one direction.
#[derive(Clone, Debug)]
struct Rules {
    window: Second,
    tolerance: f64,
    policies: Vec<Policy>,
}

/// So much in so many seconds.
#[derive(Clone, Copy, Debug)]
enum Policy {
    Pods(u32, Second),
    Percent(u32, Second),
}

/// What is of the MiniCluster.
#[derive(Clone, Copy, Debug)]
pub struct Current {
    /// `spec.size`, and what the operator last said in `status.size`.
    pub size: u32,
    /// Pods that are ready.
    pub ready: u32,
}

impl Autoscaler {
    /// One by its manifest, for a MiniCluster of at most `most` nodes.
    ///
    /// # Panics
    ///
    /// When the manifest is not one that this model knows.
    pub fn of(manifest: &str, most: u32) -> Self {
        let manifest: HorizontalPodAutoscaler = serde_saphyr::from_str(manifest).unwrap();
        let spec = manifest.spec.unwrap();
        let behavior = spec.behavior.unwrap_or_default();
        let up = vec![Policy::Percent(100, PERIOD), Policy::Pods(4, PERIOD)];
        Self {
            metrics: spec.metrics.unwrap_or_default().iter().map(metric).collect(),
            least: spec.min_replicas.map_or(1, |least| least as u32),
            most,
            up: Rules::of(behavior.scale_up, 0, up),
            down: Rules::of(behavior.scale_down, DOWN_WINDOW, vec![Policy::Percent(100, PERIOD)]),
            asked: VecDeque::new(),
            written: VecDeque::new(),
        }
    }

    /// The size for these values of metrics; `None`: one cannot be read.
    pub fn decide(
        &mut self,
        now: Second,
        current: Current,
        value: impl Fn(&str) -> Option<f64>,
    ) -> u32 {
        let mut asked: Option<u32> = None;
        let mut failed = false;
        for (name, target) in &self.metrics {
            match value(name).map(|value| self.wanted(*target, current, value)) {
                Some(size) => asked = Some(asked.map_or(size, |other| other.max(size))),
                None => failed = true,
            }
        }
        // Nothing shrinks while a metric cannot be read.
        let Some(asked) = asked.filter(|size| !failed || *size >= current.size) else {
            return current.size;
        };
        let size = self.limited(now, current.size, self.stabilized(now, current.size, asked));
        self.asked.push_back((now, asked));
        let longest = self.up.window.max(self.down.window);
        self.asked.retain(|(then, _)| now - then <= longest);
        if size != current.size {
            self.written.push_back((now, current.size, size));
        }
        size
    }

    fn wanted(&self, target: Target, current: Current, value: f64) -> u32 {
        let (ratio, size) = match target {
            Target::Average(target) => {
                (value / (target * f64::from(current.size)), (value / target).ceil())
            }
            Target::Value(target) => {
                (value / target, (value / target * f64::from(current.ready)).ceil())
            }
        };
        if current.size > 0
            && 1.0 - self.down.tolerance <= ratio
            && ratio <= 1.0 + self.up.tolerance
        {
            return current.size;
        }
        size as u32
    }

    /// A size counts once nothing in the window says otherwise.
    fn stabilized(&self, now: Second, current: u32, asked: u32) -> u32 {
        let within = |window| {
            let recent = self.asked.iter().filter(move |(then, _)| now - then < window);
            recent.map(|(_, size)| *size)
        };
        let rise = within(self.up.window).fold(asked, u32::min);
        let fall = within(self.down.window).fold(asked, u32::max);
        current.max(rise).min(fall)
    }

    /// No faster than the policies allow, and within the limits.
    fn limited(&self, now: Second, current: u32, size: u32) -> u32 {
        let (least, most) = (self.least, self.most);
        let before = |period: Second| {
            let recent = self.written.iter().filter(move |(then, ..)| now - then < period);
            let change: i64 = recent.map(|(_, from, to)| i64::from(*to) - i64::from(*from)).sum();
            (i64::from(current) - change).max(0) as u32
        };
        let size = if size > current {
            let highest = self.up.policies.iter().map(|policy| match policy {
                Policy::Pods(pods, period) => before(*period) + pods,
                Policy::Percent(percent, period) => {
                    (f64::from(before(*period)) * (1.0 + f64::from(*percent) / 100.0)).ceil() as u32
                }
            });
            size.min(highest.max().unwrap_or(u32::MAX))
        } else {
            let lowest = self.down.policies.iter().map(|policy| match policy {
                Policy::Pods(pods, period) => before(*period).saturating_sub(*pods),
                Policy::Percent(percent, period) => (f64::from(before(*period))
                    * (1.0 - f64::from(*percent) / 100.0))
                    .floor() as u32,
            });
            size.max(lowest.min().unwrap_or(0))
        };
        size.clamp(least, most)
    }
}

impl Rules {
    fn of(rules: Option<HPAScalingRules>, window: Second, policies: Vec<Policy>) -> Self {
        let rules = rules.unwrap_or_default();
        let read = |policy: &k8s_openapi::api::autoscaling::v2::HPAScalingPolicy| {
            let (value, period) = (policy.value as u32, policy.period_seconds as u32);
            match policy.type_.as_str() {
                "Pods" => Policy::Pods(value, period),
                "Percent" => Policy::Percent(value, period),
                other => panic!("no policy has the type {other}"),
            }
        };
        Self {
            window: rules.stabilization_window_seconds.map_or(window, |window| window as u32),
            tolerance: rules.tolerance.as_ref().map_or(TOLERANCE, number),
            policies: rules.policies.map_or(policies, |own| own.iter().map(read).collect()),
        }
    }
}

/// Name and target of a metric.
fn metric(spec: &MetricSpec) -> (String, Target) {
    let (metric, target) = match (&spec.object, &spec.external) {
        (Some(object), _) => (&object.metric, &object.target),
        (_, Some(external)) => (&external.metric, &external.target),
        _ => panic!("only Object and External metrics are modelled, not {}", spec.type_),
    };
    (metric.name.clone(), target_of(target))
}

fn target_of(target: &MetricTarget) -> Target {
    match (&target.average_value, &target.value) {
        (Some(average), _) => Target::Average(number(average)),
        (_, Some(value)) => Target::Value(number(value)),
        _ => panic!("no value in the target"),
    }
}

/// A quantity without a suffix, which those of examples have not.
fn number(quantity: &Quantity) -> f64 {
    quantity.0.parse().unwrap()
}

#[cfg(test)]
mod tests;
