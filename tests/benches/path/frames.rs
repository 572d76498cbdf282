//! Recorded bytes of real brokers → messages.

use std::{fs, hint::black_box, path::Path, time::Duration};

use flux_client::Decoder;
use tokio::time::Instant;

use crate::spread::rate;

/// How long to decode.
const TIME: Duration = Duration::from_secs(2);

/// What the socket gives at a time.
const READ: usize = 16 * 1024;

pub(crate) fn measure() {
    let bytes = recorded();
    let (mut frames, mut passes) = (0, 0);
    let start = Instant::now();
    while start.elapsed() < TIME {
        let mut decoder = Decoder::default();
        for chunk in bytes.chunks(READ) {
            decoder.push(chunk);
            while let Some(frame) = decoder.next().expect("real frames") {
                black_box(frame);
                frames += 1;
            }
        }
        passes += 1;
    }
    let elapsed = start.elapsed();
    println!("\nframe decode, {} bytes that real brokers sent", bytes.len());
    println!(
        "  {:>10.0} frames/s {:>8.0} MB/s",
        rate(frames, elapsed),
        rate(passes * bytes.len(), elapsed) / 1e6
    );
}

/// All that the brokers of 0.88 sent, conversation after conversation, without handshakes.
fn recorded() -> Vec<u8> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../collector/flux/testdata/v0.88.0");
    let mut files: Vec<_> =
        fs::read_dir(dir).expect("recordings").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    // These have no frames of their own: a refusal, a magic that is wrong, dumps of another form.
    let special = ["30", "33", "34", "35", "36"];
    let of_frames = files.iter().filter(|file| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with(".hex") && !special.iter().any(|number| name.starts_with(number))
    });
    of_frames.flat_map(|file| received(&fs::read_to_string(file).expect("text"))).collect()
}

/// What the broker sent in one conversation, but for the first byte.
fn received(text: &str) -> Vec<u8> {
    let mut from_broker = false;
    let mut bytes = Vec::new();
    for line in text.lines() {
        match line.get(..1) {
            Some("<") => from_broker = true,
            Some(">") => from_broker = false,
            Some(" ") if from_broker => {
                let hex = line.get(10..58).expect("offset, hexadecimal, text");
                let byte = |hex| u8::from_str_radix(hex, 16).expect("hexadecimal");
                bytes.extend(hex.split_whitespace().map(byte));
            }
            _ => {}
        }
    }
    bytes.split_off(bytes.len().min(1))
}
