//! Replays the fuzz targets' corpus on stable, so that what once failed stays fixed.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_precision_loss,
    reason = "what does not hold fails the test"
)]

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
fn requests_of_the_corpus_keep_their_promises() {
    replay("request", check::request);
}

#[test]
fn selectors_of_the_corpus_keep_their_promises() {
    replay("selector", check::selector);
}

#[test]
fn quantities_of_the_corpus_keep_their_promises() {
    replay("quantity", check::quantity);
}

#[test]
fn answers_of_the_corpus_keep_their_promises() {
    replay("answer", check::answer);
}
