//! Where the demo is seen: a terminal, or plain lines for everything else.
//!
//! On a terminal the table is drawn over itself, below what was said before. The cursor stays
//! beneath it and no mode of the terminal is changed, so that nothing has to be restored, however
//! the demo ends. [`render`] is a pure function of what is shown.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal as _, Write as _},
    time::Duration,
};

use crate::demo::{
    reader::Reading,
    table::{Change, Row, Table},
};

/// A terminal that does not say its size is taken for the smallest usual one.
const USUAL_SIZE: Size = Size { columns: 80, lines: 24 };

/// Columns of a metric's name: the longest has 30.
const NAME_COLUMNS: usize = 31;

/// Columns of a number: nine million.
const NUMBER_COLUMNS: usize = 7;

/// From nothing to the most of the last minute.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The size of a terminal.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Characters of a line.
    pub columns: usize,
    /// Lines.
    pub lines: usize,
}

/// Standard output.
#[derive(Debug)]
pub struct Screen {
    /// `None` without a terminal.
    terminal: Option<Terminal>,
}

#[derive(Debug)]
struct Terminal {
    color: bool,
    /// Lines of the table that stands above the cursor.
    drawn: usize,
}

impl Screen {
    /// Looks at standard output and at the environment.
    pub fn detect() -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
        let terminal = (io::stdout().is_terminal() && !dumb)
            .then(|| Terminal { color: !set("NO_COLOR"), drawn: 0 });
        Self { terminal }
    }

    /// Says something that stays.
    ///
    /// # Errors
    ///
    /// When standard output is gone.
    pub fn say(&mut self, text: &str) -> io::Result<()> {
        let mut out = String::new();
        if let Some(terminal) = &mut self.terminal {
            terminal.erase(&mut out);
        }
        out.push_str(text);
        out.push('\n');
        put(&out)
    }

    /// Whether it is a terminal, that can be drawn on.
    pub const fn is_terminal(&self) -> bool {
        self.terminal.is_some()
    }

    /// Shows the newest readings, taken `elapsed` after the first, and notes below them.
    ///
    /// # Errors
    ///
    /// When standard output is gone.
    pub fn show(
        &mut self,
        elapsed: Duration,
        title: &str,
        table: &Table,
        change: &Change,
        notes: &[Line],
    ) -> io::Result<()> {
        match &mut self.terminal {
            Some(terminal) => {
                let title = format!("{title}  {}", clock(elapsed));
                terminal.draw(&render(&title, table, notes, size(), terminal.color))
            }
            None => put(&plain(elapsed, change)),
        }
    }

    /// Shows a line that the next output takes away; nothing without a terminal.
    ///
    /// # Errors
    ///
    /// When standard output is gone.
    pub fn pass(&mut self, text: &str) -> io::Result<()> {
        self.terminal.as_mut().map_or(Ok(()), |terminal| {
            let line = vec![(text.to_owned(), Style::Usual)];
            terminal.draw(&[join(line, size().columns, terminal.color)])
        })
    }
}

impl Terminal {
    fn draw(&mut self, lines: &[String]) -> io::Result<()> {
        let mut out = String::new();
        self.erase(&mut out);
        for line in lines {
            out.push_str(line);
            out.push('\n');
        }
        self.drawn = lines.len();
        put(&out)
    }

    /// Goes up to where the table begins, and clears from there.
    fn erase(&mut self, out: &mut String) {
        if self.drawn > 0 {
            // Writing to a `String` cannot fail.
            write!(out, "\r\x1b[{}A\x1b[J", self.drawn).ok();
            self.drawn = 0;
        }
    }
}

/// In one write, so that a terminal never shows a half of it.
fn put(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn size() -> Size {
    match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
            Size { columns: size.ws_col.into(), lines: size.ws_row.into() }
        }
        _ => USUAL_SIZE,
    }
}

fn clock(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// The changes of a second as lines; nothing when nothing changed.
pub fn plain(elapsed: Duration, change: &Change) -> String {
    let mut out = String::new();
    let time = clock(elapsed);
    if !change.values.is_empty() {
        let values = change.values.iter().map(|(metric, value)| format!(" {metric}={value}"));
        writeln!(out, "{time}{}", values.collect::<String>()).ok();
    }
    for (reason, metrics) in &change.losses {
        writeln!(out, "{time} {reason} (METRIC: {})", metrics.join(" ")).ok();
    }
    for line in &change.news {
        writeln!(out, "{time} {line}").ok();
    }
    out
}

/// The lines of a table, below a title, and of notes.
///
/// No line is longer than `size` allows, and with the cursor's own line all fit: where they do not,
/// first the empty ones are left out and then the last ones.
pub fn render(title: &str, table: &Table, notes: &[Line], size: Size, color: bool) -> Vec<String> {
    let mut lines = vec![vec![(title.to_owned(), Style::Strong)]];
    for row in &table.rows {
        if row.leads {
            lines.push(Vec::new());
        }
        lines.push(cells(row));
    }
    lines.extend_from_slice(notes);
    let room = size.lines.saturating_sub(1);
    if lines.len() > room {
        lines.retain(|line| !line.is_empty());
        lines.truncate(room);
    }
    lines.into_iter().map(|line| join(line, size.columns, color)).collect()
}

/// How text looks where there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As all text.
    Usual,
    /// Bold.
    Strong,
    /// Green.
    Good,
    /// Red.
    Bad,
}

impl Style {
    const fn sequence(self) -> &'static str {
        match self {
            Self::Usual => "",
            Self::Strong => "\x1b[1m",
            Self::Good => "\x1b[32m",
            Self::Bad => "\x1b[31m",
        }
    }
}

/// Texts beside one another.
pub type Line = Vec<(String, Style)>;

fn cells(row: &Row) -> Line {
    let name = (format!("{:<NAME_COLUMNS$}", row.name), Style::Usual);
    match &row.latest {
        None => vec![name],
        Some(Reading::Value(value)) => vec![
            name,
            (format!("{value:>NUMBER_COLUMNS$} "), Style::Strong),
            (bars(row), Style::Good),
        ],
        Some(Reading::Refused { code, message }) => {
            vec![name, (format!("{code:>NUMBER_COLUMNS$} {}", cause(message)), Style::Bad)]
        }
        Some(Reading::Failed(problem)) => {
            vec![name, (format!("{:>NUMBER_COLUMNS$} {problem}", "-"), Style::Bad)]
        }
    }
}

/// What a `Status` says after Kubernetes' own words, which repeat the name of the metric; first the
/// age, which may have come last.
fn cause(message: &str) -> String {
    let cause = message.split_once(": ").map_or(message, |(_, cause)| cause);
    let (age, rest): (Vec<_>, Vec<_>) =
        cause.split("; ").partition(|clause| clause.starts_with("last sample is "));
    [age, rest].concat().join("; ")
}

/// The history, relative to its largest value; a gap where there was no value.
fn bars(row: &Row) -> String {
    let most = row.history.iter().flatten().copied().fold(1.0, f64::max);
    let bar = |value: f64| {
        let level = value.max(0.0) / most;
        let thresholds = BARS.iter().zip(0_u8..);
        let reached = thresholds.take_while(|(_, n)| f64::from(*n) <= level * 7.0).last();
        reached.map_or(' ', |(bar, _)| *bar)
    };
    row.history.iter().map(|value| value.map_or(' ', bar)).collect()
}

/// The cells as one line of at most `columns` characters.
fn join(cells: Line, columns: usize, color: bool) -> String {
    let mut line = String::new();
    let mut room = columns;
    for (text, style) in cells {
        // A message could hold anything; a control character would break the drawing.
        let text = text.chars().filter(|c| !c.is_control()).take(room);
        let before = line.len();
        if color {
            line.push_str(style.sequence());
        }
        let start = line.len();
        line.extend(text);
        room -= line.get(start..).map_or(0, |text| text.chars().count());
        if start == line.len() {
            line.truncate(before);
        } else if start > before {
            line.push_str("\x1b[0m");
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: Size = Size { columns: 80, lines: 24 };

    /// Nodes of which one half is taken more and more, and a metric that got too old.
    fn table() -> Table {
        let mut table = Table::default();
        for n in 0_u32..=8 {
            let readings = table.rows.iter().map(|row| match row.name {
                "node_up_count" if n == 3 => Reading::Failed("the connection broke".to_owned()),
                "node_up_count" => Reading::Value(8.0),
                "node_free_count" => Reading::Value(f64::from(8 - n)),
                "node_allocated_count" => Reading::Value(f64::from(n)),
                "cluster_size_min_safe" => Reading::Failed("no connection to 1.2.3.4:5".to_owned()),
                metric => Reading::Refused {
                    code: 404,
                    message: format!(
                        "the server could not find the metric {metric} for \
                         miniclusters.flux-framework.org flux-sample: last sample is 12s old, \
                         limit 10s"
                    ),
                },
            });
            let readings = readings.collect();
            table.update(readings);
        }
        table
    }

    #[test]
    fn a_table_has_numbers_their_past_and_reasons() {
        let lines = render("demo/flux-sample  0:08", &table(), &[], WIDE, false);
        let expected = "\
demo/flux-sample  0:08

node_up_count                        8 ███ █████
node_free_count                      0 █▇▆▅▄▃▂▁▁
node_allocated_count                 8 ▁▁▂▃▄▅▆▇█

node_cores_up_count                404 last sample is 12s old, limit 10s
node_cores_free_count              404 last sample is 12s old, limit 10s

job_queue_state_depend_count       404 last sample is 12s old, limit 10s
job_queue_state_sched_count        404 last sample is 12s old, limit 10s
job_queue_state_run_count          404 last sample is 12s old, limit 10s
job_queue_state_cleanup_count      404 last sample is 12s old, limit 10s
job_queue_state_inactive_count     404 last sample is 12s old, limit 10s

pending_nodes_demand               404 last sample is 12s old, limit 10s
cluster_size_desired               404 last sample is 12s old, limit 10s
cluster_size_min_safe                - no connection to 1.2.3.4:5";
        assert_eq!(lines.join("\n"), expected);
    }

    #[test]
    fn the_age_of_a_lost_value_comes_first() {
        let message = "the server could not find the metric m for pods p: job-list.job-stats: no \
                       broker; last sample is 3s old";
        assert_eq!(cause(message), "last sample is 3s old; job-list.job-stats: no broker");
        assert_eq!(cause("something else"), "something else");
    }

    #[test]
    fn a_small_terminal_is_not_overrun() {
        let mut table = table();
        for _ in 0..100 {
            table.update(table.rows.iter().map(|_| Reading::Value(1e15)).collect());
        }
        for (columns, most) in [(80, 24), (40, 13), (10, 5), (1, 1), (0, 0)] {
            let size = Size { columns, lines: most };
            let notes = vec![vec![("note ".repeat(20), Style::Good)]; 9];
            let lines = render(&"title ".repeat(20), &table, &notes, size, false);
            assert!(lines.len() <= most.saturating_sub(1), "{lines:?}");
            assert!(lines.iter().all(|line| line.chars().count() <= columns), "{lines:?}");
        }
    }

    #[test]
    fn colors_change_nothing_but_colors() {
        let colored = render("t", &table(), &[], WIDE, true).join("\n");
        assert!(colored.contains("\x1b[31m    404 last sample is 12s old, limit 10s\x1b[0m"));
        let styles = ["\x1b[0m", "\x1b[1m", "\x1b[31m", "\x1b[32m"];
        let bare = styles.iter().fold(colored, |text, style| text.replace(style, ""));
        assert_eq!(bare, render("t", &table(), &[], WIDE, false).join("\n"));
    }

    #[test]
    fn a_message_cannot_draw() {
        let mut table = Table::default();
        table.update(vec![Reading::Failed("\x1b[2J\nx".to_owned())]);
        let line = &render("t", &table, &[], WIDE, false)[2];
        assert!(line.ends_with("- [2Jx"), "{line:?}");
    }

    #[test]
    fn a_second_is_a_line_for_values_and_one_for_each_reason() {
        let change = Change {
            values: vec![("node_up_count", 16.0), ("job_queue_state_run_count", 3.0)],
            losses: vec![("404 METRIC is old".to_owned(), vec!["a", "b"])],
            news: vec!["New size: 3".to_owned()],
        };
        assert_eq!(
            plain(Duration::from_secs(75), &change),
            "1:15 node_up_count=16 job_queue_state_run_count=3\n\
             1:15 404 METRIC is old (METRIC: a b)\n\
             1:15 New size: 3\n"
        );
        assert_eq!(plain(Duration::from_secs(75), &Change::default()), "");
    }
}
