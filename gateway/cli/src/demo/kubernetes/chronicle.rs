//! What the autoscaler said and did so far: what is new of it, and what is shown below the numbers.
//! Pure.

use std::collections::{BTreeMap, VecDeque};

use k8s_openapi::api::{
    autoscaling::v2::{HorizontalPodAutoscaler, HorizontalPodAutoscalerCondition},
    core::v1::Event,
};

use super::autoscaler;
use crate::demo::{
    reader::Reading,
    screen::{Line, Style},
};

/// Events that are shown.
const SHOWN_EVENTS: usize = 3;

/// Columns of a condition's type, status and reason: the longest have 14, 5 and 25.
const COLUMNS: [usize; 3] = [15, 6, 26];

/// What was told already.
#[derive(Debug, Default)]
pub(super) struct Chronicle {
    /// Status and reason by type.
    conditions: BTreeMap<String, (String, Option<String>)>,
    /// How often each event occurred, by UID.
    counts: BTreeMap<String, i32>,
    /// The last [`SHOWN_EVENTS`].
    recent: VecDeque<String>,
}

impl Chronicle {
    /// Takes what is seen, and returns what is new in it, a line each.
    pub(super) fn update(
        &mut self,
        autoscaler: &Result<HorizontalPodAutoscaler, Reading>,
        events: Vec<Event>,
    ) -> Vec<String> {
        let mut news = self.new_events(events);
        let conditions = autoscaler.as_ref().map(autoscaler::conditions).unwrap_or_default();
        for condition in conditions {
            let state = (condition.status.clone(), condition.reason.clone());
            if self.conditions.get(&condition.type_) != Some(&state) {
                news.push(told(condition));
                self.conditions.insert(condition.type_.clone(), state);
            }
        }
        news
    }

    fn new_events(&mut self, mut events: Vec<Event>) -> Vec<String> {
        events.sort_by_key(|event| event.last_timestamp.clone());
        let mut news = Vec::new();
        for event in events {
            let uid = event.metadata.uid.clone().unwrap_or_default();
            let count = event.count.unwrap_or(1);
            let known = self.counts.insert(uid, count);
            if known.is_none_or(|known| known < count) {
                let [reason, message] =
                    [event.reason, event.message].map(Option::unwrap_or_default);
                news.push(format!("{reason}: {message}"));
            }
        }
        self.recent.extend(news.iter().cloned());
        while self.recent.len() > SHOWN_EVENTS {
            self.recent.pop_front();
        }
        news
    }

    /// What a terminal shows: metrics, conditions, events.
    pub(super) fn notes(&self, autoscaler: &Result<HorizontalPodAutoscaler, Reading>) -> Vec<Line> {
        let mut notes = vec![Line::new()];
        match autoscaler {
            Ok(autoscaler) => {
                let metrics = autoscaler::metrics(autoscaler).into_iter();
                notes.extend(metrics.map(|metric| vec![(metric, Style::Usual)]));
                notes.extend(autoscaler::conditions(autoscaler).iter().map(shown));
            }
            Err(problem) => notes.push(vec![(format!("autoscaler: {problem}"), Style::Bad)]),
        }
        notes.push(Line::new());
        notes.extend(self.recent.iter().map(|event| vec![(event.clone(), Style::Strong)]));
        notes
    }
}

fn told(condition: &HorizontalPodAutoscalerCondition) -> String {
    let [reason, message] = words(condition);
    format!("{}={} {reason}: {message}", condition.type_, condition.status)
}

fn shown(condition: &HorizontalPodAutoscalerCondition) -> Line {
    let [reason, message] = words(condition);
    // To be limited is neither good nor bad.
    let style = match (condition.type_.as_str(), condition.status.as_str()) {
        ("ScalingLimited", _) => Style::Usual,
        (_, "True") => Style::Good,
        _ => Style::Bad,
    };
    let [kind, status, why] = COLUMNS;
    vec![
        (format!("{:kind$}", condition.type_), Style::Usual),
        (format!("{:status$}{reason:why$}", condition.status), style),
        (message.to_owned(), Style::Usual),
    ]
}

fn words(condition: &HorizontalPodAutoscalerCondition) -> [&str; 2] {
    [&condition.reason, &condition.message].map(|text| text.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    type Seen = Result<HorizontalPodAutoscaler, Reading>;

    fn autoscaler(status: &str, reason: &str, message: &str) -> Seen {
        let condition = json!({
            "type": "ScalingActive", "status": status, "reason": reason, "message": message,
        });
        let status = json!({ "desiredReplicas": 1, "conditions": [condition] });
        serde_json::from_value(json!({ "status": status })).map_err(|error| panic!("{error}"))
    }

    fn event(uid: &str, count: i32, message: &str) -> Event {
        let event = json!({
            "metadata": { "uid": uid },
            "involvedObject": {},
            "count": count,
            "reason": "Because",
            "message": message,
        });
        serde_json::from_value(event).unwrap()
    }

    #[test]
    fn a_condition_is_told_when_its_reason_changes() {
        let mut chronicle = Chronicle::default();
        let fine = autoscaler("True", "ValidMetricFound", "one");
        let told = chronicle.update(&fine, Vec::new());
        assert_eq!(told, ["ScalingActive=True ValidMetricFound: one"]);
        assert!(chronicle.update(&fine, Vec::new()).is_empty());
        let fine = autoscaler("True", "ValidMetricFound", "two");
        assert!(chronicle.update(&fine, Vec::new()).is_empty());
        let told = chronicle.update(&autoscaler("False", "FailedGetObjectMetric", "3"), Vec::new());
        assert_eq!(told, ["ScalingActive=False FailedGetObjectMetric: 3"]);
    }

    #[test]
    fn an_event_is_told_each_time_that_it_occurs() {
        let gone = Err(Reading::Failed("gone".to_owned()));
        let mut chronicle = Chronicle::default();
        let mut told = |count| chronicle.update(&gone, vec![event("a", count, "4 nodes")]);
        assert_eq!(told(1), ["Because: 4 nodes"]);
        assert!(told(1).is_empty());
        assert_eq!(told(2).len(), 1);
    }

    #[test]
    fn notes_are_conditions_and_the_last_events_or_why_there_is_no_autoscaler() {
        let mut chronicle = Chronicle::default();
        for n in ["1", "2", "3", "4"] {
            chronicle.update(&autoscaler("True", "", ""), vec![event(n, 1, n)]);
        }
        let text = |notes: Vec<Line>| {
            let line = |line: Line| line.into_iter().map(|(text, _)| text).collect::<String>();
            notes.into_iter().map(line).collect::<Vec<_>>().join("\n")
        };
        let events = "\n\nBecause: 2\nBecause: 3\nBecause: 4";
        assert_eq!(
            text(chronicle.notes(&autoscaler("False", "Why", "so"))),
            format!("\nScalingActive  False Why                       so{events}")
        );
        let gone = Err(Reading::Failed("gone".to_owned()));
        assert_eq!(text(chronicle.notes(&gone)), format!("\nautoscaler: gone{events}"));
    }
}
