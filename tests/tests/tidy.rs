//! What holds of the source tree and no compiler checks.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

/// The most lines of a file. One that grows to this size holds two ideas.
const MAX_LINES: usize = 420;

/// Names that say nothing of what is in a file.
const VAGUE: [&str; 6] = ["common", "helpers", "manager", "misc", "types", "utils"];

/// Modules of the gateway, and the siblings that each may import. `lib` wires all and `run` starts
/// it; they are not listed.
const ARROWS: [(&str, &[&str]); 17] = [
    ("clock", &[]),
    ("crowd", &[]),
    ("derived", &[]),
    ("model", &["clock"]),
    ("store", &["clock", "model"]),
    ("ingest", &["clock", "crowd", "model", "store", "pods", "auth", "telemetry"]),
    ("kubernetes", &[]),
    ("auth", &["clock", "crowd", "model", "kubernetes", "telemetry", "tls", "pods"]),
    ("pods", &["clock", "model", "kubernetes"]),
    ("query", &["clock", "derived", "model", "store", "pods"]),
    ("prometheus", &["clock", "model", "pods", "query", "telemetry", "tls"]),
    ("api", &["clock", "model", "store", "pods", "query", "prometheus", "telemetry", "auth"]),
    ("serve", &["clock", "crowd", "model"]),
    ("tls", &["clock", "model"]),
    ("telemetry", &["clock", "model"]),
    ("authority", &["clock", "kubernetes", "tls"]),
    ("args", &["auth", "authority", "derived", "kubernetes", "telemetry", "store"]),
];

#[test]
fn modules_of_the_gateway_import_in_one_direction() {
    let src = root().join("gateway/src");
    for (module, allowed) in ARROWS {
        let own = [src.join(module), src.join(format!("{module}.rs"))];
        for file in rust_files(&src).filter(|file| own.iter().any(|path| file.starts_with(path))) {
            // Tests may bring a neighbour to see both work together.
            if is_test(&file) {
                continue;
            }
            for sibling in imports(&read(&file)) {
                assert!(
                    sibling == module || allowed.contains(&sibling.as_str()),
                    "{} imports {sibling}; {module} may import only {allowed:?}",
                    file.display()
                );
            }
        }
    }
}

#[test]
fn every_module_of_the_gateway_is_in_the_rule() {
    let declared = read(&root().join("gateway/src/lib.rs"));
    let modules = declared
        .lines()
        .filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';'));
    for module in modules.filter(|module| *module != "run") {
        assert!(ARROWS.iter().any(|(known, _)| *known == module), "say what {module} may import");
    }
}

#[test]
fn files_are_named_after_their_idea() {
    for file in rust_files(&root()) {
        let name = file.file_stem().unwrap().to_str().expect("names are text");
        assert_ne!(name, "mod", "{}: foo.rs stands beside foo/", file.display());
        assert!(!VAGUE.contains(&name), "{} says nothing by its name", file.display());
    }
}

#[test]
fn files_hold_one_idea() {
    let long: Vec<_> = rust_files(&root())
        .filter(|file| !is_generated(file) && !is_test(file))
        .map(|file| (read(&file).lines().count(), file))
        .filter(|(lines, _)| *lines > MAX_LINES)
        .collect();
    assert!(long.is_empty(), "split what has more than {MAX_LINES} lines: {long:#?}");
}

#[test]
fn every_module_says_what_it_is() {
    let silent: Vec<_> = rust_files(&root())
        // Tests of a module are described by its own docs, fuzz targets by what they call.
        .filter(|file| !is_generated(file) && !is_test(file) && !is_fuzz_target(file))
        .filter(|file| !read(file).lines().take(10).any(|line| line.starts_with("//!")))
        .collect();
    assert!(silent.is_empty(), "no //! at the beginning of {silent:#?}");
}

#[test]
fn every_point_has_a_test_that_exists() {
    let readme = read(&root().join("tests/README.md"));
    let (_, table) = readme.split_once("| point | what it says | test |\n").expect("a table");
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    let tests = all_tests();
    let mut points = Vec::new();
    for row in rows {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let ["", point, _, named, ""] = cells[..] else { panic!("three cells in {row}") };
        points.push(point.parse::<usize>().unwrap());
        // Beside the tests of every run some have tests that take long.
        let (always, ignored) = named.split_once("; ignored: ").unwrap_or((named, ""));
        assert!(!names(always).is_empty(), "no test of {point}");
        for (name, is_ignored) in names(always)
            .into_iter()
            .map(|name| (name, false))
            .chain(names(ignored).into_iter().map(|name| (name, true)))
        {
            let found = tests.get(&name);
            assert_eq!(found, Some(&is_ignored), "{name} of point {point}: is it ignored?");
        }
    }
    assert_eq!(points, (1..=78).collect::<Vec<_>>());
}

#[test]
fn every_attack_has_a_test_that_exists() {
    let security = read(&root().join("SECURITY.md"));
    let (_, rest) = security.split_once("\n## Attackers\n").expect("attackers");
    let (attackers, _) = rest.split_once("\n## ").expect("what an administrator does");
    let tests = all_tests();
    let mut letters = String::new();
    for attacker in attackers.split("\n### ").skip(1) {
        letters.push_str(&attacker[..1]);
        assert!(attacker.contains("**Not stopped**"), "what does not stop this: {attacker}");
        let rows: Vec<_> = attacker.lines().filter(|line| line.starts_with('|')).skip(2).collect();
        assert!(!rows.is_empty(), "what does this one try: {attacker}");
        for row in rows {
            let cells: Vec<_> = row.split('|').map(str::trim).collect();
            let ["", _, _, named, ""] = cells[..] else { panic!("three cells in {row}") };
            assert!(!names(named).is_empty(), "no test of {row}");
            for name in names(named) {
                assert_eq!(tests.get(&name), Some(&false), "is {name} a test of every run?");
            }
        }
    }
    assert_eq!(letters, "abcdefg");
}

/// What stands in backticks.
fn names(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// All tests, and whether they are ignored.
fn all_tests() -> HashMap<String, bool> {
    rust_files(&root()).flat_map(|file| tests(&read(&file))).collect()
}

/// The tests in a source, and whether they are ignored.
fn tests(source: &str) -> Vec<(String, bool)> {
    let (mut found, mut is_test, mut is_ignored) = (Vec::new(), false, false);
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if line.starts_with("#[ignore") {
            is_ignored = true;
        } else if !line.starts_with("//") && !line.starts_with("#[") {
            let declared = line.trim_start_matches("async ").strip_prefix("fn ");
            if let Some((name, _)) =
                declared.filter(|_| is_test).and_then(|rest| rest.split_once('('))
            {
                found.push((name.to_owned(), is_ignored));
            }
            (is_test, is_ignored) = (false, false);
        }
    }
    found
}

#[test]
fn tests_are_found_with_and_without_a_runtime() {
    let source = "#[test]\nfn a() {}\n\n    #[tokio::test]\n    #[ignore = \"long\"]\n    // Why.\n    \
                  async fn b() {}\nfn c() {}\n";
    assert_eq!(tests(source), [("a".to_owned(), false), ("b".to_owned(), true)]);
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above").to_owned()
}

/// All Rust sources below a folder, those of build results left out.
fn rust_files(dir: &Path) -> Box<dyn Iterator<Item = PathBuf>> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    Box::new(entries.flat_map(|path| -> Box<dyn Iterator<Item = PathBuf>> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            rust_files(&path)
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            Box::new(std::iter::once(path))
        } else {
            Box::new(std::iter::empty())
        }
    }))
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn is_generated(file: &Path) -> bool {
    file.parent().is_some_and(|dir| dir.ends_with("proto/src/gen"))
}

fn is_test(file: &Path) -> bool {
    file.ends_with("tests.rs") || file.parent().is_some_and(|dir| dir.ends_with("tests"))
}

fn is_fuzz_target(file: &Path) -> bool {
    file.parent().is_some_and(|dir| dir.ends_with("fuzz_targets"))
}

/// The modules that `crate::` paths name.
fn imports(source: &str) -> Vec<String> {
    let word = |text: &str| -> String {
        text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
    };
    let mut found = Vec::new();
    for (_, rest) in
        source.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| {
            line.match_indices("crate::").map(move |(at, path)| (at, &line[at + path.len()..]))
        })
    {
        if !rest.starts_with('{') {
            found.push(word(rest));
        }
    }
    // `use crate::{a::B, c::{D, E}, f};`: names at the first level.
    for group in source.split("crate::{").skip(1) {
        let (mut depth, mut fresh) = (0, true);
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => fresh = true,
                c if c.is_alphabetic() && fresh => {
                    found.push(word(&group[at..]));
                    fresh = false;
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn imports_are_found_in_all_their_forms() {
    let source = "use crate::a;\nuse crate::{\n    b::C,\n    d::{E, F},\n    g,\n};\n\
                  // crate::comment\nfn f() { crate::h::i(); }";
    let mut found = imports(source);
    found.sort();
    assert_eq!(found, ["a", "b", "d", "g", "h"]);
}
