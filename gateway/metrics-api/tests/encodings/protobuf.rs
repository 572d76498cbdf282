//! A second reading of Kubernetes protobuf, from the field tables of its `.proto` files, that
//! turns an answer into the JSON it stands for.

use std::collections::BTreeMap;

use jiff::Timestamp;
use prost::Message;
use serde_json::{Map, Value, json};

/// The JSON form of a list or a `Status`.
pub(crate) fn to_json(body: &[u8]) -> Value {
    let message = body.strip_prefix(b"k8s\0").expect("the magic bytes");
    let unknown = Unknown::decode(message).expect("an envelope");
    assert_eq!((&*unknown.content_encoding, &*unknown.content_type), ("", ""));
    let TypeMeta { api_version, kind } = unknown.type_meta;
    let raw = unknown.raw.as_slice();
    let fields = match (&*api_version, &*kind) {
        ("custom.metrics.k8s.io/v1beta1", "MetricValueList") => list(raw, v1beta1),
        ("custom.metrics.k8s.io/v1beta2", "MetricValueList") => list(raw, v1beta2),
        ("external.metrics.k8s.io/v1beta1", "ExternalMetricValueList") => list(raw, external),
        ("v1", "Status") => status(&Status::decode(raw).expect("a Status")),
        other => panic!("{other:?} is no answer"),
    };
    let mut document = Map::from_iter([
        ("kind".to_owned(), kind.into()),
        ("apiVersion".to_owned(), api_version.into()),
        ("metadata".to_owned(), json!({})),
    ]);
    document.extend(fields);
    document.into()
}

type Fields = Vec<(String, Value)>;

fn list<T: Message + Default>(raw: &[u8], item: fn(&T) -> Value) -> Fields {
    let list = List::decode(raw).expect("a list");
    assert_eq!(list.metadata, ListMeta::default());
    let items = list.items.iter().map(|raw| item(&T::decode(raw.as_slice()).expect("an item")));
    vec![("items".to_owned(), items.collect())]
}

fn v1beta1(value: &V1Beta1) -> Value {
    let mut item = json!({
        "describedObject": object(&value.described_object),
        "metricName": value.metric_name,
        "timestamp": time(&value.timestamp),
        "value": value.value.string,
        "selector": selector(value.selector.as_ref()),
    });
    if let Some(window) = value.window {
        item["window"] = window.into();
    }
    item
}

fn v1beta2(value: &V1Beta2) -> Value {
    let mut item = json!({
        "describedObject": object(&value.described_object),
        "metric": {"name": value.metric.name, "selector": selector(value.metric.selector.as_ref())},
        "timestamp": time(&value.timestamp),
        "value": value.value.string,
    });
    if let Some(window) = value.window_seconds {
        item["windowSeconds"] = window.into();
    }
    item
}

fn external(value: &External) -> Value {
    let mut item = json!({
        "metricName": value.metric_name,
        "metricLabels": value.metric_labels,
        "timestamp": time(&value.timestamp),
        "value": value.value.string,
    });
    if let Some(window) = value.window {
        item["window"] = window.into();
    }
    item
}

fn status(status: &Status) -> Fields {
    let mut fields = vec![
        ("status".to_owned(), json!(status.status)),
        ("message".to_owned(), json!(status.message)),
        ("code".to_owned(), json!(status.code)),
    ];
    if !status.reason.is_empty() {
        fields.push(("reason".to_owned(), json!(status.reason)));
    }
    if let Some(StatusDetails { name, group, kind, retry_after_seconds, uid }) = &status.details {
        assert_eq!((*retry_after_seconds, &**uid), (0, ""));
        let details = present([("name", name), ("group", group), ("kind", kind)]);
        fields.push(("details".to_owned(), details));
    }
    fields
}

fn object(object: &ObjectReference) -> Value {
    let ObjectReference { kind, namespace, name, uid, api_version, resource_version, field_path } =
        object;
    present([
        ("kind", kind),
        ("namespace", namespace),
        ("name", name),
        ("uid", uid),
        ("apiVersion", api_version),
        ("resourceVersion", resource_version),
        ("fieldPath", field_path),
    ])
}

/// Texts that JSON has only where they are not empty.
fn present<'a>(texts: impl IntoIterator<Item = (&'a str, &'a String)>) -> Value {
    let texts = texts.into_iter().filter(|(_, text)| !text.is_empty());
    texts.map(|(name, text)| (name.to_owned(), json!(text))).collect::<Map<_, _>>().into()
}

fn time(time: &Time) -> Value {
    assert_eq!(time.nanos, 0);
    Timestamp::from_second(time.seconds).expect("a moment").to_string().into()
}

fn selector(selector: Option<&LabelSelector>) -> Value {
    let Some(LabelSelector { match_labels, match_expressions }) = selector else {
        return Value::Null;
    };
    let mut echo = Map::new();
    if !match_labels.is_empty() {
        echo.insert("matchLabels".to_owned(), json!(match_labels));
    }
    let expressions = match_expressions.iter().map(|requirement| {
        let mut echo = json!({"key": requirement.key, "operator": requirement.operator});
        if !requirement.values.is_empty() {
            echo["values"] = json!(requirement.values);
        }
        echo
    });
    let expressions: Vec<_> = expressions.collect();
    if !expressions.is_empty() {
        echo.insert("matchExpressions".to_owned(), expressions.into());
    }
    echo.into()
}

#[derive(Clone, PartialEq, Message)]
struct Unknown {
    #[prost(message, required, tag = "1")]
    type_meta: TypeMeta,
    #[prost(bytes = "vec", required, tag = "2")]
    raw: Vec<u8>,
    #[prost(string, required, tag = "3")]
    content_encoding: String,
    #[prost(string, required, tag = "4")]
    content_type: String,
}

#[derive(Clone, PartialEq, Message)]
struct TypeMeta {
    #[prost(string, required, tag = "1")]
    api_version: String,
    #[prost(string, required, tag = "2")]
    kind: String,
}

/// Each of the three lists; its items are read in a second step.
#[derive(Clone, PartialEq, Message)]
struct List {
    #[prost(message, required, tag = "1")]
    metadata: ListMeta,
    #[prost(bytes = "vec", repeated, tag = "2")]
    items: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct ListMeta {
    #[prost(string, required, tag = "1")]
    self_link: String,
    #[prost(string, required, tag = "2")]
    resource_version: String,
    #[prost(string, required, tag = "3")]
    next: String,
    #[prost(int64, optional, tag = "4")]
    remaining_item_count: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct V1Beta1 {
    #[prost(message, required, tag = "1")]
    described_object: ObjectReference,
    #[prost(string, required, tag = "2")]
    metric_name: String,
    #[prost(message, required, tag = "3")]
    timestamp: Time,
    #[prost(int64, optional, tag = "4")]
    window: Option<i64>,
    #[prost(message, required, tag = "5")]
    value: Quantity,
    #[prost(message, optional, tag = "6")]
    selector: Option<LabelSelector>,
}

#[derive(Clone, PartialEq, Message)]
struct V1Beta2 {
    #[prost(message, required, tag = "1")]
    described_object: ObjectReference,
    #[prost(message, required, tag = "2")]
    metric: MetricIdentifier,
    #[prost(message, required, tag = "3")]
    timestamp: Time,
    #[prost(int64, optional, tag = "4")]
    window_seconds: Option<i64>,
    #[prost(message, required, tag = "5")]
    value: Quantity,
}

#[derive(Clone, PartialEq, Message)]
struct MetricIdentifier {
    #[prost(string, required, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    selector: Option<LabelSelector>,
}

#[derive(Clone, PartialEq, Message)]
struct External {
    #[prost(string, required, tag = "1")]
    metric_name: String,
    #[prost(btree_map = "string, string", tag = "2")]
    metric_labels: BTreeMap<String, String>,
    #[prost(message, required, tag = "3")]
    timestamp: Time,
    #[prost(int64, optional, tag = "4")]
    window: Option<i64>,
    #[prost(message, required, tag = "5")]
    value: Quantity,
}

#[derive(Clone, PartialEq, Message)]
struct ObjectReference {
    #[prost(string, required, tag = "1")]
    kind: String,
    #[prost(string, required, tag = "2")]
    namespace: String,
    #[prost(string, required, tag = "3")]
    name: String,
    #[prost(string, required, tag = "4")]
    uid: String,
    #[prost(string, required, tag = "5")]
    api_version: String,
    #[prost(string, required, tag = "6")]
    resource_version: String,
    #[prost(string, required, tag = "7")]
    field_path: String,
}

#[derive(Clone, PartialEq, Message)]
struct Time {
    #[prost(int64, required, tag = "1")]
    seconds: i64,
    #[prost(int32, required, tag = "2")]
    nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Quantity {
    #[prost(string, required, tag = "1")]
    string: String,
}

#[derive(Clone, PartialEq, Message)]
struct LabelSelector {
    #[prost(btree_map = "string, string", tag = "1")]
    match_labels: BTreeMap<String, String>,
    #[prost(message, repeated, tag = "2")]
    match_expressions: Vec<LabelSelectorRequirement>,
}

#[derive(Clone, PartialEq, Message)]
struct LabelSelectorRequirement {
    #[prost(string, required, tag = "1")]
    key: String,
    #[prost(string, required, tag = "2")]
    operator: String,
    #[prost(string, repeated, tag = "3")]
    values: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(message, required, tag = "1")]
    metadata: ListMeta,
    #[prost(string, required, tag = "2")]
    status: String,
    #[prost(string, required, tag = "3")]
    message: String,
    #[prost(string, required, tag = "4")]
    reason: String,
    #[prost(message, optional, tag = "5")]
    details: Option<StatusDetails>,
    #[prost(int32, required, tag = "6")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct StatusDetails {
    #[prost(string, required, tag = "1")]
    name: String,
    #[prost(string, required, tag = "2")]
    group: String,
    #[prost(string, required, tag = "3")]
    kind: String,
    #[prost(int32, required, tag = "5")]
    retry_after_seconds: i32,
    #[prost(string, required, tag = "6")]
    uid: String,
}
