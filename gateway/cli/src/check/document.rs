//! What the documents of a file are.

use derived_metrics::{Definitions, Problem};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use serde_json::Value;

/// A document, as far as it matters here.
#[derive(Debug)]
pub(super) enum Document {
    Definitions(Result<Definitions, Vec<Problem>>),
    Autoscaler(Box<HorizontalPodAutoscaler>),
    /// Another kind of object.
    Other(String),
    /// What it should be cannot be told, or it is not that.
    Broken(String),
}

/// The documents of a file, each with the name of the file and, in a ConfigMap, of the key.
pub(super) fn of_file(name: &str, text: &str) -> Vec<(String, Document)> {
    let mut all = Vec::new();
    for text in documents(text) {
        match serde_saphyr::from_str::<Value>(&text) {
            Ok(Value::Null) => {}
            Ok(value) => of_value(name, &text, &value, &mut all),
            Err(error) => all.push((name.to_owned(), Document::Broken(error.to_string()))),
        }
    }
    all
}

/// Splits at lines of `---`.
fn documents(text: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    for line in text.split_inclusive('\n') {
        if line.trim_end() == "---" || line.starts_with("--- ") {
            all.push(String::new());
        } else if let Some(last) = all.last_mut() {
            last.push_str(line);
        }
    }
    all
}

fn of_value(name: &str, text: &str, value: &Value, all: &mut Vec<(String, Document)>) {
    let named = |document| (name.to_owned(), document);
    match value.get("kind").and_then(Value::as_str) {
        None if value.get("metrics").is_some() => {
            all.push(named(Document::Definitions(Definitions::read(text))));
        }
        None => {
            let problem = "this has neither `kind`, as a manifest, nor `metrics`, as definitions";
            all.push(named(Document::Broken(problem.to_owned())));
        }
        Some("List") => {
            let items = value.get("items").and_then(Value::as_array);
            for item in items.into_iter().flatten() {
                of_value(name, &item.to_string(), item, all);
            }
        }
        Some("HorizontalPodAutoscaler") => {
            let read = serde_json::from_value(value.clone());
            let version = value.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
            all.push(named(match read {
                _ if version != "autoscaling/v2" => Document::Broken(format!(
                    "an autoscaler of {version} reads no metrics of objects: write autoscaling/v2"
                )),
                Ok(autoscaler) => Document::Autoscaler(Box::new(autoscaler)),
                Err(error) => Document::Broken(format!("no HorizontalPodAutoscaler: {error}")),
            }));
        }
        Some("ConfigMap") => {
            let data = value.get("data").and_then(Value::as_object);
            let texts = data.into_iter().flatten().filter_map(|(key, text)| {
                let text = text.as_str()?;
                let inner = serde_saphyr::from_str::<Value>(text).ok()?;
                inner.get("metrics").is_some().then_some((key, text))
            });
            let before = all.len();
            all.extend(texts.map(|(key, text)| {
                (format!("{name}, {key}"), Document::Definitions(Definitions::read(text)))
            }));
            if all.len() == before {
                all.push(named(Document::Other("ConfigMap".to_owned())));
            }
        }
        Some(kind) => all.push(named(Document::Other(kind.to_owned()))),
    }
}
