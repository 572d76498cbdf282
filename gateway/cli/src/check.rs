//! What is wrong with derived metrics and autoscalers, before they are in a cluster.
//!
//! ```text
//!  files ─▶ documents ─┬─▶ definitions ──▶ their values ──────┐
//!                      └─▶ autoscalers ──▶ requests, problems ─┴─▶ report
//! ```

mod autoscaler;
mod document;

use std::{
    fmt::Write as _,
    fs,
    io::{self, Read as _, Write as _},
    path::Path,
    process::ExitCode,
};

use anyhow::Context as _;
use derived_metrics::{Definitions, Derived};
use fluxgauge_proto::catalogue::Metric;

use crate::args::Check;
use document::Document;

/// Bytes of a file.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Checks files and prints what was found.
///
/// # Errors
///
/// When a file cannot be read.
pub fn main(args: &Check) -> anyhow::Result<ExitCode> {
    let mut files = Vec::new();
    for path in &args.files {
        files.push((path.display().to_string(), read(path)?));
    }
    let report = check(&files, &args.values);
    io::stdout().write_all(report.text.as_bytes()).context("cannot write to standard output")?;
    Ok(if report.problems == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let most = MAX_BYTES + 1;
    let read = if path == Path::new("-") {
        io::stdin().take(most).read_to_string(&mut text)
    } else {
        fs::File::open(path).and_then(|file| file.take(most).read_to_string(&mut text))
    };
    let bytes = read.with_context(|| format!("cannot read {}", path.display()))? as u64;
    anyhow::ensure!(bytes < most, "{} has more than {MAX_BYTES} bytes", path.display());
    Ok(text)
}

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    /// For people.
    pub text: String,
    /// How much is wrong.
    pub problems: usize,
}

impl Report {
    fn line(&mut self, text: &str) {
        // Writing to a text cannot fail.
        writeln!(self.text, "{text}").ok();
    }

    fn problem(&mut self, text: &str) {
        self.problems += 1;
        self.line(&format!("  problem: {}", text.replace('\n', "\n    ")));
    }
}

/// Checks these files, by name and text, with these values of metrics.
pub fn check(files: &[(String, String)], values: &[(String, f64)]) -> Report {
    let mut report = Report::default();
    let documents: Vec<_> =
        files.iter().flat_map(|(name, text)| document::of_file(name, text)).collect();
    // An autoscaler may read what another file defines.
    let mut derived = Vec::new();
    for (name, document) in &documents {
        if let Document::Definitions(Ok(definitions)) = document {
            derived.extend(definitions.iter().cloned());
        }
        report_of(&mut report, name, document, values);
    }
    for (name, document) in documents {
        if let Document::Autoscaler(autoscaler) = document {
            let title = autoscaler.metadata.name.as_deref().unwrap_or("without a name");
            report.line(&format!("{name}: HorizontalPodAutoscaler {title}"));
            autoscaler::check(&autoscaler, &derived, &mut report);
        }
    }
    match report.problems {
        0 => report.line("nothing is wrong"),
        1 => report.line("1 problem"),
        many => report.line(&format!("{many} problems")),
    }
    report
}

/// What there is to say of a document that is no autoscaler.
fn report_of(report: &mut Report, name: &str, document: &Document, values: &[(String, f64)]) {
    match document {
        Document::Definitions(Ok(definitions)) => {
            report.line(&format!("{name}: {}", count(definitions)));
            for derived in definitions.iter() {
                try_out(report, derived, values);
            }
        }
        Document::Definitions(Err(problems)) => {
            report.line(&format!("{name}: derived metrics"));
            problems.iter().for_each(|problem| report.problem(&problem.to_string()));
        }
        Document::Other(kind) => report.line(&format!("{name}: {kind}, passed over")),
        Document::Broken(problem) => {
            report.line(name);
            report.problem(problem);
        }
        Document::Autoscaler(_) => {}
    }
}

fn count(definitions: &Definitions) -> String {
    match definitions.iter().len() {
        1 => "1 derived metric".to_owned(),
        many => format!("{many} derived metrics"),
    }
}

fn try_out(report: &mut Report, derived: &Derived, values: &[(String, f64)]) {
    let Derived { name, expression, program, .. } = derived;
    report.line(&format!("  {name} = {}", expression.trim()));
    let of = |metric: &&Metric| {
        let (name, unit) = (metric.name, metric.unit.name());
        let value = values.iter().rev().find(|(known, _)| known == name).map(|(_, value)| *value);
        (format!("{name} ({unit})"), value)
    };
    let (inputs, given): (Vec<_>, Vec<_>) = program.inputs().iter().map(of).unzip();
    match given.into_iter().collect::<Option<Vec<_>>>() {
        _ if inputs.is_empty() => {
            report.problem("it is made of no metric, so that nothing proves it: it has no value");
        }
        None => report.line(&format!("    made of {}", inputs.join(", "))),
        Some(given) => {
            let value = program.value(&given);
            let value = value.map_or_else(|error| format!("absent: {error}"), |v| v.to_string());
            report.line(&format!("    made of {}, here: {value}", inputs.join(", ")));
        }
    }
}

#[cfg(test)]
mod tests;
