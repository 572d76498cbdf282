//! One answer says the same in every encoding, whatever the names and numbers in it.
#![allow(
    clippy::unwrap_used,
    clippy::unwrap_in_result,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "an answer that cannot be read fails the test"
)]

mod protobuf;

use std::collections::BTreeMap;

use jiff::Timestamp;
use metrics_api::{
    Encoding, Quantity, Selector, Status,
    custom::{self, ObjectReference, Version},
    encoding::Document,
    external,
    status::{Details, Reason},
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Checks that a document is `want` in every encoding.
fn says(document: &impl Document, want: &Value) -> Result<(), TestCaseError> {
    for json in [Encoding::Json, Encoding::PrettyJson] {
        let json: Value = serde_json::from_slice(&json.encode(document)).unwrap();
        prop_assert_eq!(&json, want);
    }
    let yaml = String::from_utf8(Encoding::Yaml.encode(document)).unwrap();
    let read: Value = serde_saphyr::from_str(&yaml).unwrap();
    prop_assert_eq!(&read, want, "through {}", yaml);
    prop_assert_eq!(&protobuf::to_json(&Encoding::Protobuf.encode(document)), want);
    Ok(())
}

/// An object of JSON without fields that are empty texts.
fn present(fields: Value) -> Value {
    let Value::Object(mut fields) = fields else { panic!("no object") };
    fields.retain(|_, value| value != "");
    fields.into()
}

/// Names that YAML or JSON could take for something else, and any others.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(&["", "3", "1e3", "0x1F", "yes", "~", "null", "2026-11-23", "12:30"])
            .prop_map(str::to_owned),
        "[a-z][-a-z0-9]{0,9}",
        ".{0,200}",
        any::<String>(),
    ]
}

fn moment() -> impl Strategy<Value = Timestamp> {
    (0..4_000_000_000_i64, 0..1_000_000_000_i32)
        .prop_map(|(second, nanosecond)| Timestamp::new(second, nanosecond).unwrap())
}

proptest! {
    #[test]
    fn lists_of_both_versions(
        texts in [text(), text(), text(), text(), text(), text()],
        selected in prop::bool::ANY,
        timestamp in moment(),
        window in prop::option::of(any::<u32>()),
        number in -9.2e15..9.2e15_f64,
        length in 0..3_usize,
    ) {
        let [kind, namespace, name, uid, api_version, metric] = &texts;
        let object = ObjectReference { kind, namespace, name, uid, api_version };
        let selector = if selected { "a=b,c in (1,2),!d" } else { "" };
        let selector = Selector::parse(selector).unwrap();
        let value = Quantity::try_from(number).unwrap();
        let item = custom::MetricValue {
            object, metric, selector: &selector, timestamp, window_seconds: window, value,
        };
        let object = present(json!({
            "kind": kind, "namespace": namespace, "name": name, "uid": uid,
            "apiVersion": api_version,
        }));
        let echo = selected.then(|| json!({
            "matchLabels": {"a": "b"},
            "matchExpressions": [
                {"key": "c", "operator": "In", "values": ["1", "2"]},
                {"key": "d", "operator": "DoesNotExist"},
            ],
        }));
        let timestamp = Timestamp::from_second(timestamp.as_second()).unwrap().to_string();
        let value = value.to_string();
        let mut v1beta1 = json!({
            "describedObject": object, "metricName": metric, "timestamp": timestamp,
            "value": value, "selector": echo,
        });
        let mut v1beta2 = json!({
            "describedObject": object, "metric": {"name": metric, "selector": echo},
            "timestamp": timestamp, "value": value,
        });
        if let Some(seconds) = window {
            v1beta1["window"] = seconds.into();
            v1beta2["windowSeconds"] = seconds.into();
        }
        for (version, want) in [(Version::V1Beta1, v1beta1), (Version::V1Beta2, v1beta2)] {
            let want = json!({
                "kind": "MetricValueList", "apiVersion": version.group_version(), "metadata": {},
                "items": vec![want; length],
            });
            says(&custom::List { version, items: &vec![item; length] }, &want)?;
        }
    }

    #[test]
    fn external_lists(
        metric in text(),
        labels in prop::collection::btree_map(text(), text(), 0..4),
        timestamp in moment(),
        window in prop::option::of(any::<u32>()),
        number in -9.2e15..9.2e15_f64,
        length in 0..3_usize,
    ) {
        let value = Quantity::try_from(number).unwrap();
        let borrowed: BTreeMap<&str, &str> =
            labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let item = external::MetricValue {
            metric: &metric, labels: borrowed, timestamp, window_seconds: window, value,
        };
        let timestamp = Timestamp::from_second(timestamp.as_second()).unwrap().to_string();
        let mut want = json!({
            "metricName": metric, "metricLabels": labels, "timestamp": timestamp,
            "value": value.to_string(),
        });
        if let Some(seconds) = window {
            want["window"] = seconds.into();
        }
        let want = json!({
            "kind": "ExternalMetricValueList", "apiVersion": "external.metrics.k8s.io/v1beta1",
            "metadata": {}, "items": vec![want; length],
        });
        says(&external::List { items: &vec![item; length] }, &want)?;
    }

    #[test]
    fn statuses(
        message in text(),
        reason in prop::sample::select(&[Reason::NotFound, Reason::UriTooLong]),
        details in prop::option::of([text(), text(), text()]),
    ) {
        let mut status = Status::new(reason, message.as_str());
        let mut want = present(json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "reason": reason.name(), "code": reason.code(),
        }));
        want["message"] = message.into();
        if let Some([name, group, kind]) = details {
            want["details"] = present(json!({"name": name, "group": group, "kind": kind}));
            status = status.about(Details { name, group, kind });
        }
        says(&status, &want)?;
    }
}
