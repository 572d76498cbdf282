//! The file of definitions.
//!
//! ```yaml
//! metrics:
//!   - name: nodes_wanted
//!     help: Nodes that waiting jobs need, and a fifth more.
//!     expression: ceil(pending_nodes_demand * 1.2)
//! ```

use std::fmt;

use fluxgauge_proto::catalogue;
use serde::Deserialize;

use crate::{
    compile::{CompileError, compile},
    program::Program,
};

/// Bytes of the file.
pub const MAX_FILE_BYTES: usize = 64 * 1024;

/// Metrics of the file.
pub const MAX_METRICS: usize = 64;

/// Bytes of a name.
pub const MAX_NAME_BYTES: usize = 63;

/// Bytes of a help text.
const MAX_HELP_BYTES: usize = 256;

/// All metrics that a file defines.
#[derive(Clone, Debug, Default)]
pub struct Definitions(Vec<Derived>);

/// One of them.
#[derive(Clone, Debug)]
pub struct Derived {
    /// The name, which no metric of the catalogue has.
    pub name: String,
    /// One sentence for people.
    pub help: String,
    /// The expression as it was written.
    pub expression: String,
    /// What it was made to.
    pub program: Program,
}

/// Something that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which metric, by its name or its place; empty where it is the file.
    metric: String,
    /// The expression and the character that the problem is about.
    place: Option<(String, usize)>,
    problem: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    metrics: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    #[serde(default)]
    help: String,
    expression: String,
}

impl Definitions {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// All that is wrong with it: a part of a file is not used.
    pub fn read(yaml: &str) -> Result<Self, Vec<Problem>> {
        let of_file = |problem| vec![Problem { metric: String::new(), place: None, problem }];
        if yaml.len() > MAX_FILE_BYTES {
            let problem = format!("{} bytes are over the limit of {MAX_FILE_BYTES}", yaml.len());
            return Err(of_file(problem));
        }
        let File { metrics } =
            serde_saphyr::from_str(yaml).map_err(|error| of_file(error.to_string()))?;
        if metrics.len() > MAX_METRICS {
            let problem = format!("{} metrics are over the limit of {MAX_METRICS}", metrics.len());
            return Err(of_file(problem));
        }
        let (mut good, mut problems) = (Vec::<Derived>::new(), Vec::new());
        for entry in metrics {
            let about = entry.wrong().or_else(|| {
                let twice = good.iter().any(|known| known.name == entry.name);
                twice.then(|| "it is defined twice".to_owned())
            });
            if let Some(problem) = about {
                problems.push(Problem { metric: entry.name.clone(), place: None, problem });
            }
            let Entry { name, help, expression } = entry;
            match compile(&expression) {
                Ok(program) => good.push(Derived { name, help, expression, program }),
                Err(CompileError { at, problem }) => {
                    problems.push(Problem { metric: name, place: Some((expression, at)), problem });
                }
            }
        }
        if problems.is_empty() { Ok(Self(good)) } else { Err(problems) }
    }

    /// One of them by its name.
    pub fn find(&self, name: &str) -> Option<&Derived> {
        self.0.iter().find(|derived| derived.name == name)
    }

    /// All of them, in the order of the file.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Derived> {
        self.0.iter()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Entry {
    /// What is wrong beside the expression.
    fn wrong(&self) -> Option<String> {
        let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if self.name.is_empty() || self.name.len() > MAX_NAME_BYTES {
            return Some(format!("a name has 1 to {MAX_NAME_BYTES} characters"));
        }
        if !self.name.bytes().all(is_word) || self.name.starts_with(|c: char| c.is_ascii_digit()) {
            return Some("a name has small letters, digits and _, and no digit first".to_owned());
        }
        if catalogue::find(&self.name).is_some() {
            return Some("Fluxgauge has a metric of this name: choose another".to_owned());
        }
        (self.help.len() > MAX_HELP_BYTES)
            .then(|| format!("the help has more than {MAX_HELP_BYTES} bytes"))
    }
}

impl fmt::Display for Problem {
    /// On one line, and with the expression and a mark below it on two more.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.metric.is_empty() {
            write!(f, "metric {}: ", self.metric)?;
        }
        f.write_str(&self.problem)?;
        let Some((expression, at)) = &self.place else { return Ok(()) };
        // The line of the character.
        let mut start = 0;
        for line in expression.split_inclusive('\n') {
            let length = line.chars().count();
            if *at < start + length || start + length == expression.chars().count() {
                let column = at - start;
                return write!(f, "\n  {}\n  {:>width$}", line.trim_end(), "^", width = column + 1);
            }
            start += length;
        }
        write!(f, "\n  {expression}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(yaml: &str) -> Vec<String> {
        Definitions::read(yaml).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_file_defines_metrics_in_its_order() {
        let yaml = "metrics:\n- {name: b_1, expression: '1'}\n- {name: a, help: H., expression: node_up_count}\n";
        let read = Definitions::read(yaml).unwrap();
        assert!(read.iter().map(|derived| derived.name.as_str()).eq(["b_1", "a"]));
        assert_eq!(read.find("a").unwrap().help, "H.");
        assert!(read.find("c").is_none() && !read.is_empty());
        assert!(Definitions::read("metrics: []").unwrap().is_empty());
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once_with_a_mark_under_the_character() {
        let yaml = "metrics:\n\
                    - {name: Bad, expression: '1'}\n\
                    - {name: node_up_count, expression: '1'}\n\
                    - {name: twice, expression: '1'}\n\
                    - {name: twice, expression: '2'}\n\
                    - {name: odd, expression: ceil(pending_node_demand)}\n";
        let said = problems(yaml);
        assert_eq!(said.len(), 4, "{said:#?}");
        assert!(said[0].starts_with("metric Bad: a name has small letters"));
        assert!(said[1].contains("has a metric of this name"));
        assert_eq!(said[2], "metric twice: it is defined twice");
        assert_eq!(
            said[3],
            "metric odd: there is no metric pending_node_demand; is it pending_nodes_demand?\n\
             \x20 ceil(pending_node_demand)\n\
             \x20      ^"
        );
        let lines = "metrics:\n- name: two\n  expression: |\n    1 +\n      xyzzy\n";
        let said = problems(lines);
        assert!(said[0].ends_with("\n    xyzzy\n    ^"), "{}", said[0]);
    }

    #[test]
    fn a_file_that_is_too_much_or_nothing_is_refused() {
        assert!(
            problems("metrics: 7")[0].contains("metrics") || !problems("metrics: 7").is_empty()
        );
        assert!(problems("other: []")[0].contains("other"));
        let many = "- {name: n, expression: '1'}\n".repeat(MAX_METRICS + 1);
        assert!(problems(&format!("metrics:\n{many}"))[0].contains("65 metrics"));
        assert!(problems(&"#".repeat(MAX_FILE_BYTES + 1))[0].contains("over the limit"));
    }
}
