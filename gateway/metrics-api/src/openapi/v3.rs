//! OpenAPI 3.0: a document for each group-version.

use serde_json::{Map, Value, json};

use super::{Dialect, GroupVersion, Metrics, model, operation};

/// Writes the document of a group-version.
pub(super) fn document(api: GroupVersion, metrics: &Metrics) -> Value {
    let paths: Map<_, _> = operation::of(api, metrics)
        .into_iter()
        .chain(operation::of_each(api, metrics))
        .map(|operation| (operation.path.clone(), operation.path_item(Dialect::V3)))
        .collect();
    json!({
        "openapi": "3.0.0",
        "info": { "title": "Fluxgauge", "version": api.version() },
        "paths": paths,
        "components": { "schemas": model::all(Dialect::V3, [api]) },
    })
}
