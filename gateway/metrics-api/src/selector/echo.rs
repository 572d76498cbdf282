//! A selector as the `LabelSelector` object in which an answer echoes it.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::{Condition, Selector};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LabelSelector<'a> {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    match_labels: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    match_expressions: Vec<LabelSelectorRequirement<'a>>,
}

#[derive(Serialize)]
struct LabelSelectorRequirement<'a> {
    key: &'a str,
    operator: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    values: Vec<String>,
}

impl Serialize for Selector {
    /// Equalities stand in `matchLabels`, one for each key, all else in `matchExpressions`. The
    /// comparisons have no operator there; they borrow `Gt` and `Lt` of node selectors.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut echo =
            LabelSelector { match_labels: BTreeMap::new(), match_expressions: Vec::new() };
        for requirement in self.requirements() {
            let key = requirement.key.as_str();
            let (operator, values) = match &requirement.condition {
                Condition::Equals(value) if !echo.match_labels.contains_key(key) => {
                    echo.match_labels.insert(key, value);
                    continue;
                }
                Condition::Equals(value) => ("In", vec![value.clone()]),
                Condition::NotEquals(value) => ("NotIn", vec![value.clone()]),
                Condition::In(values) => ("In", values.clone()),
                Condition::NotIn(values) => ("NotIn", values.clone()),
                Condition::Exists => ("Exists", Vec::new()),
                Condition::DoesNotExist => ("DoesNotExist", Vec::new()),
                Condition::GreaterThan(bound) => ("Gt", vec![bound.to_string()]),
                Condition::LessThan(bound) => ("Lt", vec![bound.to_string()]),
            };
            echo.match_expressions.push(LabelSelectorRequirement { key, operator, values });
        }
        echo.serialize(serializer)
    }
}
