//! Operations: the paths that may be read, with what stands in them.

use serde_json::{Map, Value, json};

use super::{Dialect, GroupVersion, KIND, Metric, Metrics, model};

/// One read.
#[derive(Debug)]
pub(super) struct Operation {
    api: GroupVersion,
    /// The whole path, with parameters in braces.
    pub(super) path: String,
    /// Such as `list` + `NamespacedMetricValue`; Kubernetes puts group and version between them.
    name: [String; 2],
    description: String,
    /// In the order of the path.
    segments: Vec<Parameter>,
    query: Vec<Parameter>,
}

/// A parameter, which is always a text: name and description.
type Parameter = (&'static str, String);

/// The types of answers.
pub(super) const MEDIA_TYPES: [&str; 3] =
    ["application/json", "application/vnd.kubernetes.protobuf", "application/yaml"];

/// Answers other than the list. All are a `Status`, whose message says why.
const FAILURES: [(&str, &str); 2] = [
    ("400", "A Status: a selector or the path cannot be read."),
    ("404", "A Status: there is no such object or metric, or its value is too old or unknown."),
];

/// The reads that have parameters for everything that may differ.
pub(super) fn of(api: GroupVersion, metrics: &Metrics) -> Vec<Operation> {
    match api {
        GroupVersion::Custom(_) => {
            vec![root(api), objects(api, metrics), namespace(api, metrics)]
        }
        GroupVersion::External => vec![series(api, metrics)],
    }
}

/// One read for each external metric by its name: kubectl takes them for resources and looks for
/// their paths.
pub(super) fn of_each(api: GroupVersion, metrics: &Metrics) -> Vec<Operation> {
    match api {
        GroupVersion::Custom(_) => Vec::new(),
        GroupVersion::External => {
            metrics.external.iter().map(|metric| named_series(api, metric)).collect()
        }
    }
}

impl Operation {
    /// Writes the one thing that can be done with the path.
    pub(super) fn path_item(&self, dialect: Dialect) -> Value {
        let parameters: Vec<_> = self
            .segments
            .iter()
            .map(|parameter| ("path", parameter))
            .chain(self.query.iter().map(|parameter| ("query", parameter)))
            .map(|(place, parameter)| dialect.parameter(place, parameter))
            .collect();
        let [verb, rest] = &self.name;
        let (version, family) = (self.api.version(), self.api.family());
        let mut operation = json!({
            "description": self.description,
            "operationId": format!("{verb}{}{}{rest}", capital(family), capital(version)),
            "tags": [format!("{family}_{version}")],
            "parameters": parameters,
            "responses": self.responses(dialect),
            "x-kubernetes-action": if verb == "read" { "get" } else { verb },
            KIND: self.api.to_kind(),
        });
        if dialect == Dialect::V2 {
            let own = json!({ "produces": MEDIA_TYPES, "schemes": ["https"] });
            merge(&mut operation, own);
        }
        json!({ "get": operation })
    }

    fn responses(&self, dialect: Dialect) -> Value {
        let list = model::list(dialect, self.api);
        let found = match dialect {
            Dialect::V2 => json!({ "description": "OK", "schema": list }),
            Dialect::V3 => {
                let content: Map<_, _> = MEDIA_TYPES
                    .iter()
                    .map(|media_type| ((*media_type).to_owned(), json!({ "schema": list })))
                    .collect();
                json!({ "description": "OK", "content": content })
            }
        };
        let failures =
            FAILURES.iter().map(|(code, why)| ((*code).to_owned(), json!({ "description": why })));
        std::iter::once(("200".to_owned(), found)).chain(failures).collect()
    }
}

impl Dialect {
    fn parameter(self, place: &str, (name, description): &Parameter) -> Value {
        let mut parameter = json!({ "name": name, "in": place, "description": description });
        if place == "path" {
            merge(&mut parameter, json!({ "required": true }));
        }
        let of_text = match self {
            Self::V2 => json!({ "type": "string", "uniqueItems": true }),
            Self::V3 => json!({ "schema": { "type": "string", "uniqueItems": true } }),
        };
        merge(&mut parameter, of_text);
        parameter
    }
}

impl GroupVersion {
    /// The group in one word.
    const fn family(self) -> &'static str {
        match self {
            Self::Custom(_) => "customMetrics",
            Self::External => "externalMetrics",
        }
    }
}

fn root(api: GroupVersion) -> Operation {
    Operation {
        api,
        path: format!("/apis/{}/{{resource}}/{{name}}/{{subresource}}", api.name()),
        name: ["list", "MetricValue"].map(str::to_owned),
        description: "Reads a metric of objects that live in no namespace. No such object has \
                      metrics here."
            .to_owned(),
        segments: vec![resource(), name(), ("subresource", "The name of the metric.".to_owned())],
        query: vec![object_labels(), metric_labels()],
    }
}

fn objects(api: GroupVersion, metrics: &Metrics) -> Operation {
    let path = "namespaces/{namespace}/{resource}/{name}/{subresource}";
    Operation {
        api,
        path: format!("/apis/{}/{path}", api.name()),
        name: ["list", "NamespacedMetricValue"].map(str::to_owned),
        description: "Reads the newest value of a metric of one object in a namespace, or of all \
                      that a selector picks."
            .to_owned(),
        segments: vec![
            own_namespace(),
            resource(),
            name(),
            ("subresource", one_of(&metrics.of_objects)),
        ],
        query: vec![object_labels(), metric_labels()],
    }
}

fn namespace(api: GroupVersion, metrics: &Metrics) -> Operation {
    Operation {
        api,
        path: format!("/apis/{}/namespaces/{{namespace}}/metrics/{{name}}", api.name()),
        name: ["read", "MetricValueForNamespace"].map(str::to_owned),
        description: "Reads the sum of a metric over all MiniClusters of a namespace. It is never \
                      a sum of some of them: where one value is unknown, so is the sum."
            .to_owned(),
        segments: vec![own_namespace(), ("name", one_of(&metrics.of_namespaces))],
        query: vec![metric_labels()],
    }
}

fn series(api: GroupVersion, metrics: &Metrics) -> Operation {
    Operation {
        api,
        path: format!("/apis/{}/namespaces/{{namespace}}/{{resource}}", api.name()),
        name: ["list", "ExternalMetricValue"].map(str::to_owned),
        description:
            "Reads the newest values of a metric in a namespace, one for each MiniCluster. \
                      Where one value is unknown there is none: an answer is never a part."
                .to_owned(),
        segments: vec![own_namespace(), ("resource", one_of(&metrics.external))],
        query: vec![series_labels()],
    }
}

fn named_series(api: GroupVersion, metric: &Metric) -> Operation {
    let words: String = metric.name.split('_').map(capital).collect();
    Operation {
        api,
        path: format!("/apis/{}/namespaces/{{namespace}}/{}", api.name(), metric.name),
        name: ["list".to_owned(), format!("Namespaced{words}")],
        description: metric.help.clone(),
        segments: vec![own_namespace()],
        query: vec![series_labels()],
    }
}

fn own_namespace() -> Parameter {
    ("namespace", "The namespace of the MiniClusters.".to_owned())
}

fn resource() -> Parameter {
    let text = "The plural of the kind with its group, such as miniclusters.flux-framework.org, \
                jobs.batch, services or pods.";
    ("resource", text.to_owned())
}

fn name() -> Parameter {
    ("name", "The name of the object, or * for all that labelSelector picks.".to_owned())
}

fn object_labels() -> Parameter {
    ("labelSelector", "Picks objects by their labels, where the name is *.".to_owned())
}

fn metric_labels() -> Parameter {
    let text = "Picks a series of the metric by its labels: queue=batch is that of one queue. \
                Without it the value is that of the whole Flux instance.";
    ("metricLabelSelector", text.to_owned())
}

fn series_labels() -> Parameter {
    let text = "Picks series by their labels: minicluster=NAME is that of one MiniCluster, \
                queue=batch are those of a queue. Without a queue the values are those of whole \
                Flux instances.";
    ("labelSelector", text.to_owned())
}

fn one_of(metrics: &[Metric]) -> String {
    let names: Vec<_> = metrics.iter().map(|metric| metric.name.as_str()).collect();
    format!("The name of the metric: {}.", names.join(", "))
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

/// Adds members to an object.
fn merge(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend(more);
    }
}
