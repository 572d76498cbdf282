//! Label selectors: `queue=batch,tier in (a, b),!gpu`.
//!
//! The grammar, the checks of keys and values, and the texts of errors are those of Kubernetes'
//! own parser. A selector is read once, then matched against any number of label sets.

use std::fmt;

use thiserror::Error;

mod echo;
mod parse;
mod syntax;

pub(crate) use echo::LabelSelector;

/// Bytes of a selector. Kubernetes' own selectors have few requirements of at most 63 + 253 + 63
/// bytes; this is room for ten of the longest.
pub const MAX_SELECTOR_BYTES: usize = 4096;

/// Requirements of a selector and values in them. An autoscaler's has a few; this is room for a list
/// of a hundred MiniClusters. 128 for each of 16,384 pods are compared in some 40 ms.
pub const MAX_SELECTOR_TERMS: usize = 128;

/// A conjunction of requirements; the default one is empty and matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// In ascending order of keys.
    requirements: Vec<Requirement>,
}

/// What one label must be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The name of the label.
    pub key: String,
    /// The condition on its value.
    pub condition: Condition,
}

/// A condition on the value of a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// `key=value`, also spelled `key==value`.
    Equals(String),
    /// `key!=value`; an absent label matches.
    NotEquals(String),
    /// `key in (a,b)`; the values ascend.
    In(Vec<String>),
    /// `key notin (a,b)`; the values ascend, an absent label matches.
    NotIn(Vec<String>),
    /// `key`.
    Exists,
    /// `!key`.
    DoesNotExist,
    /// `key>number`; a value that is no integer does not match.
    GreaterThan(i64),
    /// `key<number`; a value that is no integer does not match.
    LessThan(i64),
}

/// Why a text is no selector.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SelectorError {
    /// Longer than [`MAX_SELECTOR_BYTES`].
    #[error("the selector has {0} bytes, at most {MAX_SELECTOR_BYTES} are read")]
    TooLong(usize),
    /// More than [`MAX_SELECTOR_TERMS`].
    #[error("the selector has {0} requirements and values, at most {MAX_SELECTOR_TERMS} are read")]
    TooMany(usize),
    /// Another word than a list of requirements has at this place.
    #[error("found '{found}', expected: {expected}")]
    Unexpected {
        /// The word; empty at the end.
        found: String,
        /// What may stand there.
        expected: &'static str,
    },
    /// A requirement that is none.
    #[error("unable to parse requirement: {0}")]
    Requirement(RequirementError),
}

/// Why a text is no requirement.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RequirementError {
    /// Another word than a requirement has at this place.
    #[error("found '{found}', expected: {expected}")]
    Unexpected {
        /// The word; empty at the end.
        found: String,
        /// What may stand there.
        expected: &'static str,
    },
    /// A key that is no name of a label.
    #[error("<nil>: Invalid value: {key:?}: {reason}")]
    Key {
        /// The key.
        key: String,
        /// What a key must be like.
        reason: String,
    },
    /// A value that no label can have, or that is no number where one is compared.
    #[error("{path}: Invalid value: {value:?}: {reason}")]
    Value {
        /// Which of the values.
        path: String,
        /// The value.
        value: String,
        /// What a value must be like.
        reason: String,
    },
}

impl Selector {
    /// Reads a selector. The empty text selects everything.
    ///
    /// # Errors
    ///
    /// See [`SelectorError`].
    ///
    /// ```
    /// use metrics_api::Selector;
    ///
    /// let selector = Selector::parse("queue in (batch, debug), !drained")?;
    /// assert!(selector.matches(|key| (key == "queue").then_some("batch")));
    /// assert_eq!(selector.to_string(), "!drained,queue in (batch,debug)");
    /// # Ok::<_, metrics_api::selector::SelectorError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let mut requirements = parse::requirements(text)?;
        let terms = requirements.iter().map(|requirement| 1 + requirement.condition.values()).sum();
        if terms > MAX_SELECTOR_TERMS {
            return Err(SelectorError::TooMany(terms));
        }
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Self { requirements })
    }

    /// Whether a set of labels, given as a look-up, meets all requirements.
    pub fn matches<'v>(&self, label: impl Fn(&str) -> Option<&'v str>) -> bool {
        self.requirements
            .iter()
            .all(|requirement| requirement.condition.holds(label(&requirement.key)))
    }

    /// The requirements in ascending order of keys.
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// Whether everything matches.
    pub const fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// What the requirements say of a label.
    pub fn conditions(&self, key: &str) -> impl Iterator<Item = &Condition> {
        let about = self.requirements.iter().filter(move |requirement| requirement.key == key);
        about.map(|requirement| &requirement.condition)
    }

    /// The one value that a label must have, where a requirement names just one.
    pub fn value_of(&self, key: &str) -> Option<&str> {
        self.conditions(key).find_map(|condition| match condition {
            Condition::Equals(value) => Some(value.as_str()),
            Condition::In(values) => match values.as_slice() {
                [value] => Some(value.as_str()),
                _ => None,
            },
            _ => None,
        })
    }
}

impl Condition {
    /// The number of values that a label's is compared with.
    const fn values(&self) -> usize {
        match self {
            Self::In(values) | Self::NotIn(values) => values.len(),
            Self::Equals(_) | Self::NotEquals(_) | Self::GreaterThan(_) | Self::LessThan(_) => 1,
            Self::Exists | Self::DoesNotExist => 0,
        }
    }

    /// Whether the value of a label, or its absence, meets the condition.
    pub fn holds(&self, value: Option<&str>) -> bool {
        let among = |values: &[String], value| values.iter().any(|one| one == value);
        match (self, value) {
            (Self::Equals(wanted), Some(value)) => wanted == value,
            (Self::NotEquals(unwanted), Some(value)) => unwanted != value,
            (Self::In(wanted), Some(value)) => among(wanted, value),
            (Self::NotIn(unwanted), Some(value)) => !among(unwanted, value),
            (Self::GreaterThan(bound), Some(value)) => value.parse().is_ok_and(|n: i64| n > *bound),
            (Self::LessThan(bound), Some(value)) => value.parse().is_ok_and(|n: i64| n < *bound),
            (Self::Exists, value) => value.is_some(),
            (Self::DoesNotExist | Self::NotEquals(_) | Self::NotIn(_), value) => value.is_none(),
            (Self::Equals(_) | Self::In(_) | Self::GreaterThan(_) | Self::LessThan(_), None) => {
                false
            }
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, requirement) in self.requirements.iter().enumerate() {
            if nth > 0 {
                out.write_str(",")?;
            }
            requirement.fmt(out)?;
        }
        Ok(())
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        match &self.condition {
            Condition::Equals(value) => write!(out, "{key}={value}"),
            Condition::NotEquals(value) => write!(out, "{key}!={value}"),
            Condition::In(values) => write!(out, "{key} in ({})", values.join(",")),
            Condition::NotIn(values) => write!(out, "{key} notin ({})", values.join(",")),
            Condition::Exists => write!(out, "{key}"),
            Condition::DoesNotExist => write!(out, "!{key}"),
            Condition::GreaterThan(bound) => write!(out, "{key}>{bound}"),
            Condition::LessThan(bound) => write!(out, "{key}<{bound}"),
        }
    }
}

#[cfg(test)]
mod tests;
