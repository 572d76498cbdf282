//! Replays the fuzz targets' corpus on stable, so that what once failed stays fixed.
#![allow(clippy::unwrap_used, reason = "a corpus that cannot be read fails the test")]

mod check;

use std::{fs, path::Path};

fn replay(target: &str, check: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut inputs = 0;
    for entry in fs::read_dir(corpus).unwrap() {
        check(&fs::read(entry.unwrap().path()).unwrap());
        inputs += 1;
    }
    assert!(inputs > 0, "the corpus of {target} is empty");
}

#[test]
fn frames_of_the_corpus_keep_their_promises() {
    replay("wire", check::wire);
}

#[test]
fn idsets_and_hostlists_of_the_corpus_keep_their_promises() {
    replay("text", check::text);
}

#[test]
fn resource_sets_of_the_corpus_keep_their_promises() {
    replay("rset", check::rset);
}
