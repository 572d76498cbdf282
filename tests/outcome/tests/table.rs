//! What the documents say is what the models give, and the recommended policy keeps its promises.

use std::{fs, path::Path};

use outcome::report::{MOST_ADDED_WAIT, MOST_NODE_SECONDS, Report};

/// What comes before the tables in the document.
const MARK: &str = "<!-- made by `cargo run -p outcome --release` -->\n";

#[test]
fn the_recommended_policy_kills_nothing_and_the_tables_for_people_are_what_it_did() {
    let report = Report::new();
    for row in report.rows.iter().filter(|row| row.policy.is_ours) {
        let name = row.trace.name;
        assert_eq!((row.killed, row.never), (0, 0), "{name}");
        assert_eq!(row.added_waits.len(), row.trace.jobs.len(), "{name}");
        assert!(row.added_wait(100) <= MOST_ADDED_WAIT, "{name}: {} s", row.added_wait(100));
        assert!(row.node_seconds <= MOST_NODE_SECONDS, "{name}: {}", row.node_seconds);
    }

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/outcome.md");
    let text = fs::read_to_string(&path).unwrap();
    let (prose, _) = text.split_once(MARK).expect("the mark before the tables");
    let made = format!("{prose}{MARK}\n{report}");
    if made != text {
        fs::write(&path, made).unwrap();
        panic!(
            "{} was not what the code says and is rewritten: look at it and commit it",
            path.display()
        );
    }
}
