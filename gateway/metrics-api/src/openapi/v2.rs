//! OpenAPI 2.0, once called Swagger: all group-versions in one document.

use serde_json::{Map, Value, json};

use super::{Dialect, Group, GroupVersion, Metrics, model, operation};

/// Writes the document. External metrics stand in it by their parameter, not each by its name:
/// kube-apiserver merges it into that of the whole cluster, which every old client downloads.
pub(super) fn document(metrics: &Metrics, groups: &[Group]) -> Value {
    let paths: Map<_, _> = GroupVersion::of(groups)
        .flat_map(|api| operation::of(api, metrics))
        .map(|operation| (operation.path.clone(), operation.path_item(Dialect::V2)))
        .collect();
    json!({
        "swagger": "2.0",
        "info": { "title": "Fluxgauge", "version": "unversioned" },
        "paths": paths,
        "definitions": model::all(Dialect::V2, GroupVersion::of(groups)),
    })
}
