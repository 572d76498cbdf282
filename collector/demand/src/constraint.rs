//! RFC 31 constraints: which ranks a job may run on.

use std::collections::BTreeSet;

use flux_client::{Hostlist, Idset};
use serde_json::Value;

use crate::Instance;

/// Operators, properties and texts of one constraint: a person writes a few, a tool some hundred.
pub const MAX_TERMS: usize = 1024;

/// Hosts that one constraint may name: 16,384 names of 50 bytes are 800 kB while it is looked at.
pub const MAX_HOSTS: usize = 16 * 1024;

/// Ranks that a job may run on, as RFC 31 writes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Constraint {
    /// Ranks that have each of these properties; with a leading `^`, have not.
    Properties(Vec<String>),
    /// Ranks on these hosts, as RFC 29 hostlists.
    Hostlist(Vec<String>),
    /// These ranks.
    Ranks(Idset),
    /// Ranks that each of these allows; all where there is none.
    And(Vec<Self>),
    /// Ranks that any of these allows; all where there is none.
    Or(Vec<Self>),
    /// Ranks that not all of these allow.
    Not(Vec<Self>),
}

/// A constraint that is not understood: which ranks it means is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConstraintError {
    /// An operator of which RFC 31 has none, or more than one at a place.
    #[error("{0:?} is no operator of RFC 31: properties, hostlist, ranks, and, or, not")]
    Operator(String),
    /// What follows an operator.
    #[error("{operator} takes {want}")]
    Operand {
        /// The operator.
        operator: &'static str,
        /// What should follow it.
        want: &'static str,
    },
    /// Over [`MAX_TERMS`] or [`MAX_HOSTS`].
    #[error("the constraint has more than {MAX_TERMS} terms or {MAX_HOSTS} hosts")]
    TooLong,
}

impl Constraint {
    /// Reads the value of `attributes.system.constraints`. `{}` allows every rank.
    ///
    /// # Errors
    ///
    /// When it is not what RFC 31 describes, or too long.
    pub fn parse(value: &Value) -> Result<Self, ConstraintError> {
        Self::parse_within(value, &mut MAX_TERMS.clone())
    }

    fn parse_within(value: &Value, terms: &mut usize) -> Result<Self, ConstraintError> {
        let object = value.as_object().ok_or(ConstraintError::Operand {
            operator: "a constraint",
            want: "an object with one operator",
        })?;
        let mut entries = object.iter();
        let (operator, operand) = match (entries.next(), entries.next()) {
            (None, _) => return Ok(Self::And(Vec::new())),
            (Some(only), None) => only,
            (Some(_), Some((second, _))) => {
                return Err(ConstraintError::Operator(second.chars().take(64).collect()));
            }
        };
        let mut take = |count: usize| {
            *terms = terms.checked_sub(count + 1).ok_or(ConstraintError::TooLong)?;
            Ok(())
        };
        let texts = |operator| {
            let list = operand.as_array().and_then(|list| {
                list.iter().map(|text| text.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
            });
            list.ok_or(ConstraintError::Operand { operator, want: "a list of texts" })
        };
        match operator.as_str() {
            "properties" => {
                let properties = texts("properties")?;
                take(properties.len())?;
                Ok(Self::Properties(properties))
            }
            "hostlist" => {
                let hosts = texts("hostlist")?;
                take(hosts.len())?;
                let mut count = 0;
                for list in &hosts {
                    count += parse_hosts(list)?.len();
                }
                if count > MAX_HOSTS {
                    Err(ConstraintError::TooLong)
                } else {
                    Ok(Self::Hostlist(hosts))
                }
            }
            "ranks" => {
                let lists = texts("ranks")?;
                take(lists.len())?;
                let mut ranks = Idset::new();
                for list in &lists {
                    let more = list.parse().map_err(|_| ConstraintError::Operand {
                        operator: "ranks",
                        want: "a list of idsets such as \"0-3,7\"",
                    })?;
                    ranks = ranks.union(&more);
                }
                Ok(Self::Ranks(ranks))
            }
            "and" | "or" | "not" => {
                let list = operand.as_array().ok_or(ConstraintError::Operand {
                    operator: "and, or, not",
                    want: "a list of constraints",
                })?;
                take(list.len())?;
                let parse = |value| Self::parse_within(value, terms);
                let inner = list.iter().map(parse).collect::<Result<_, _>>()?;
                Ok(match operator.as_str() {
                    "and" => Self::And(inner),
                    "or" => Self::Or(inner),
                    _ => Self::Not(inner),
                })
            }
            other => Err(ConstraintError::Operator(other.chars().take(64).collect())),
        }
    }

    /// The ranks of the instance that it allows.
    pub fn ranks(&self, instance: &Instance) -> Idset {
        let all = instance.ranks();
        match self {
            Self::Properties(properties) => with_properties(properties, instance),
            Self::Hostlist(lists) => {
                // They were read before: one that cannot be is not here.
                let lists = lists.iter().filter_map(|list| parse_hosts(list).ok());
                let hosts: BTreeSet<String> =
                    lists.flat_map(|list| list.iter().collect::<Vec<_>>()).collect();
                instance.ranks_on(&hosts)
            }
            Self::Ranks(ranks) => all.intersection(ranks),
            Self::And(inner) => each_of(inner, instance),
            Self::Or(inner) if inner.is_empty() => all.clone(),
            Self::Or(inner) => {
                inner.iter().fold(Idset::new(), |ranks, inner| ranks.union(&inner.ranks(instance)))
            }
            Self::Not(inner) => all.difference(&each_of(inner, instance)),
        }
    }
}

/// The ranks that each of these allows.
fn each_of(inner: &[Constraint], instance: &Instance) -> Idset {
    inner
        .iter()
        .fold(instance.ranks().clone(), |ranks, inner| ranks.intersection(&inner.ranks(instance)))
}

/// The ranks that have each of these properties; with a leading `^`, have not.
fn with_properties(properties: &[String], instance: &Instance) -> Idset {
    properties.iter().fold(instance.ranks().clone(), |ranks, property| {
        match property.strip_prefix('^') {
            Some(without) => ranks.difference(&instance.ranks_with(without)),
            None => ranks.intersection(&instance.ranks_with(property)),
        }
    })
}

fn parse_hosts(list: &str) -> Result<Hostlist, ConstraintError> {
    list.parse().map_err(|_| ConstraintError::Operand {
        operator: "hostlist",
        want: "a list of hostlists such as \"node[0-3]\"",
    })
}

#[cfg(test)]
mod tests;
