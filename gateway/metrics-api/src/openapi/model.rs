//! Models: the objects that answers are made of, under the names that Kubernetes gives them.

use serde_json::{Map, Value, json};

use super::{Dialect, GroupVersion, KIND};
use crate::custom::Version;

const OBJECT_REFERENCE: &str = "io.k8s.api.core.v1.ObjectReference";
const QUANTITY: &str = "io.k8s.apimachinery.pkg.api.resource.Quantity";
const LABEL_SELECTOR: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector";
const REQUIREMENT: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelectorRequirement";
const LIST_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";
const TIME: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Time";

/// Refers to the list that operations of a group-version answer.
pub(super) fn list(dialect: Dialect, api: GroupVersion) -> Value {
    json!({ "$ref": dialect.path(&api.model(api.list_kind())) })
}

/// All models that answers of the group-versions are made of, by name.
pub(super) fn all(
    dialect: Dialect,
    apis: impl IntoIterator<Item = GroupVersion>,
) -> Map<String, Value> {
    let mut models = Map::new();
    for api in apis {
        let (value, members) = match api {
            GroupVersion::Custom(Version::V1Beta1) => ("MetricValue", v1beta1(dialect)),
            GroupVersion::Custom(Version::V1Beta2) => ("MetricValue", v1beta2(dialect, api)),
            GroupVersion::External => ("ExternalMetricValue", external(dialect)),
        };
        models.insert(api.model(value), members);
        models.insert(api.model(api.list_kind()), list_of(dialect, api, value));
        match api {
            GroupVersion::Custom(version) => {
                models.insert(OBJECT_REFERENCE.to_owned(), object_reference());
                models.insert(LABEL_SELECTOR.to_owned(), label_selector(dialect));
                models.insert(REQUIREMENT.to_owned(), requirement());
                if version == Version::V1Beta2 {
                    models.insert(api.model("MetricIdentifier"), identifier(dialect));
                }
            }
            GroupVersion::External => {}
        }
        models.insert(QUANTITY.to_owned(), quantity(dialect));
        models.insert(LIST_META.to_owned(), list_meta());
        models.insert(TIME.to_owned(), time());
    }
    models
}

impl GroupVersion {
    fn model(self, kind: &str) -> String {
        let package = match self {
            Self::Custom(_) => "custom_metrics",
            Self::External => "external_metrics",
        };
        format!("io.k8s.metrics.pkg.apis.{package}.{}.{kind}", self.version())
    }
}

impl Dialect {
    fn path(self, model: &str) -> String {
        match self {
            Self::V2 => format!("#/definitions/{model}"),
            Self::V3 => format!("#/components/schemas/{model}"),
        }
    }

    /// A member that is a model of its own. In version 3 a reference may have nothing beside it.
    fn member(self, model: &str, description: &str) -> Value {
        let path = self.path(model);
        match self {
            Self::V2 => json!({ "$ref": path, "description": description }),
            Self::V3 => json!({ "allOf": [{ "$ref": path }], "description": description }),
        }
    }
}

fn list_of(dialect: Dialect, api: GroupVersion, value: &str) -> Value {
    let description = match api {
        GroupVersion::Custom(_) => "The newest values of one metric, one for each object.",
        GroupVersion::External => "The newest values of one metric, one for each series.",
    };
    let items = json!({
        "description": "The values. A metric that is not known now is an error, not an empty list.",
        "type": "array",
        "items": { "$ref": dialect.path(&api.model(value)) },
    });
    json!({
        "description": description,
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": text("The group and version in which the list is spelled."),
            "kind": text("The kind of the list."),
            "metadata": dialect.member(LIST_META, "Empty: metrics have no versions and no pages."),
            "items": items,
        },
        KIND: [api.to_kind()],
    })
}

fn v1beta1(dialect: Dialect) -> Value {
    json!({
        "description": VALUE,
        "type": "object",
        "required": ["describedObject", "metricName", "timestamp", "value", "selector"],
        "properties": {
            "apiVersion": text(UNUSED),
            "kind": text(UNUSED),
            "describedObject": dialect.member(OBJECT_REFERENCE, OBJECT),
            "metricName": text(NAME),
            "timestamp": dialect.member(TIME, TIMESTAMP),
            "window": seconds(),
            "value": dialect.member(QUANTITY, AMOUNT),
            "selector": dialect.member(LABEL_SELECTOR, SELECTOR),
        },
    })
}

fn v1beta2(dialect: Dialect, api: GroupVersion) -> Value {
    let metric = api.model("MetricIdentifier");
    json!({
        "description": VALUE,
        "type": "object",
        "required": ["describedObject", "metric", "timestamp", "value"],
        "properties": {
            "apiVersion": text(UNUSED),
            "kind": text(UNUSED),
            "describedObject": dialect.member(OBJECT_REFERENCE, OBJECT),
            "metric": dialect.member(&metric, "Which metric, and which of its series."),
            "timestamp": dialect.member(TIME, TIMESTAMP),
            "windowSeconds": seconds(),
            "value": dialect.member(QUANTITY, AMOUNT),
        },
    })
}

fn identifier(dialect: Dialect) -> Value {
    json!({
        "description": "A metric, and which of its series.",
        "type": "object",
        "required": ["name", "selector"],
        "properties": {
            "name": text(NAME),
            "selector": dialect.member(LABEL_SELECTOR, SELECTOR),
        },
    })
}

fn external(dialect: Dialect) -> Value {
    json!({
        "description": "One value of one series of a metric.",
        "type": "object",
        "required": ["metricName", "metricLabels", "timestamp", "value"],
        "properties": {
            "apiVersion": text(UNUSED),
            "kind": text(UNUSED),
            "metricName": text(NAME),
            "metricLabels": texts("The labels that tell this series from the others of the metric."),
            "timestamp": dialect.member(TIME, TIMESTAMP),
            "window": seconds(),
            "value": dialect.member(QUANTITY, AMOUNT),
        },
    })
}

const VALUE: &str = "One value of a metric of one object.";
const UNUSED: &str = "Not set inside a list: the list says it for all of its items.";
const OBJECT: &str = "What the value describes.";
const NAME: &str = "The name of the metric.";
const SELECTOR: &str = "The metricLabelSelector of the request, or null where there was none.";
const AMOUNT: &str = "The value, in the unit of the metric: a count, or seconds.";
const TIMESTAMP: &str = "When the value was known to be right, which may be some seconds ago.";

fn seconds() -> Value {
    json!({
        "description": "Seconds before the timestamp that the value is an average over. Absent: \
                        the value is that of one moment.",
        "type": "integer",
        "format": "int64",
    })
}

fn object_reference() -> Value {
    json!({
        "description": "Names an object of the cluster.",
        "type": "object",
        "properties": {
            "apiVersion": text("The group and version of the kind, such as batch/v1."),
            "fieldPath": text("A part of the object. Not set by metrics."),
            "kind": text("The kind, such as MiniCluster."),
            "name": text("The name of the object."),
            "namespace": text("The namespace of the object, if it lives in one."),
            "resourceVersion": text("A version of the object. Not set by metrics."),
            "uid": text("Tells the object from later ones of the same name, where it is known."),
        },
        "x-kubernetes-map-type": "atomic",
    })
}

fn label_selector(dialect: Dialect) -> Value {
    let requirements = json!({
        "description": "Requirements on labels. All must be met.",
        "type": "array",
        "items": { "$ref": dialect.path(REQUIREMENT) },
        "x-kubernetes-list-type": "atomic",
    });
    json!({
        "description": "Picks what meets all of its requirements; an empty one picks everything.",
        "type": "object",
        "properties": {
            "matchExpressions": requirements,
            "matchLabels": texts("Labels with the one value that each must have."),
        },
        "x-kubernetes-map-type": "atomic",
    })
}

fn requirement() -> Value {
    let values = json!({
        "description": "The values of In and NotIn. Empty with the other operators.",
        "type": "array",
        "items": { "type": "string" },
        "x-kubernetes-list-type": "atomic",
    });
    json!({
        "description": "What the value of one label must be.",
        "type": "object",
        "required": ["key", "operator"],
        "properties": {
            "key": text("The name of the label."),
            "operator": text("In, NotIn, Exists or DoesNotExist."),
            "values": values,
        },
    })
}

fn list_meta() -> Value {
    let remaining = json!({
        "description": "Items that follow on later pages. Not set by metrics.",
        "type": "integer",
        "format": "int64",
    });
    json!({
        "description": "What lists say of themselves.",
        "type": "object",
        "properties": {
            "continue": text("Where the next page begins. Not set by metrics."),
            "remainingItemCount": remaining,
            "resourceVersion": text("The version of the list. Not set by metrics."),
            "selfLink": text("No longer used by Kubernetes."),
        },
    })
}

fn quantity(dialect: Dialect) -> Value {
    let description = "A number with a suffix: 1500m is 1.5, 2k is 2000, 1Ki is 1024. Written as \
                       text with the shortest digits, and never finer than a thousandth.";
    match dialect {
        Dialect::V2 => json!({ "description": description, "type": "string" }),
        Dialect::V3 => json!({
            "description": description,
            "oneOf": [{ "type": "string" }, { "type": "number" }],
        }),
    }
}

fn time() -> Value {
    json!({
        "description": "A moment as RFC 3339 has it, in UTC with whole seconds.",
        "type": "string",
        "format": "date-time",
    })
}

fn text(description: &str) -> Value {
    json!({ "description": description, "type": "string" })
}

/// A map from texts to texts.
fn texts(description: &str) -> Value {
    json!({
        "description": description,
        "type": "object",
        "additionalProperties": { "type": "string" },
    })
}
