//! A selector as the `LabelSelector` object in which an answer echoes it.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Serialize, Serializer};

use super::{Condition, Selector};
use crate::encoding::Message;

/// A selector as an object.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LabelSelector<'a> {
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
    values: Vec<Cow<'a, str>>,
}

impl<'a> From<&'a Selector> for LabelSelector<'a> {
    /// Equalities stand in `matchLabels`, one for each key, all else in `matchExpressions`. The
    /// comparisons have no operator there; they borrow `Gt` and `Lt` of node selectors.
    fn from(selector: &'a Selector) -> Self {
        let mut echo = Self { match_labels: BTreeMap::new(), match_expressions: Vec::new() };
        let all = |values: &'a [String]| values.iter().map(|value| value.as_str().into()).collect();
        for requirement in selector.requirements() {
            let key = requirement.key.as_str();
            let (operator, values) = match &requirement.condition {
                Condition::Equals(value) if !echo.match_labels.contains_key(key) => {
                    echo.match_labels.insert(key, value);
                    continue;
                }
                Condition::Equals(value) => ("In", vec![value.as_str().into()]),
                Condition::NotEquals(value) => ("NotIn", vec![value.as_str().into()]),
                Condition::In(values) => ("In", all(values)),
                Condition::NotIn(values) => ("NotIn", all(values)),
                Condition::Exists => ("Exists", Vec::new()),
                Condition::DoesNotExist => ("DoesNotExist", Vec::new()),
                Condition::GreaterThan(bound) => ("Gt", vec![bound.to_string().into()]),
                Condition::LessThan(bound) => ("Lt", vec![bound.to_string().into()]),
            };
            echo.match_expressions.push(LabelSelectorRequirement { key, operator, values });
        }
        echo
    }
}

impl LabelSelector<'_> {
    pub(crate) fn write_fields(&self, message: &mut Message<'_>) {
        message.map(1, self.match_labels.iter().map(|(key, value)| (*key, *value)));
        for requirement in &self.match_expressions {
            message.message(2, |fields| {
                fields.string(1, requirement.key);
                fields.string(2, requirement.operator);
                for value in &requirement.values {
                    fields.string(3, value);
                }
            });
        }
    }
}

impl Serialize for Selector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        LabelSelector::from(self).serialize(serializer)
    }
}
