//! An error with its causes in one line, for logs and reasons.

use std::{error::Error, fmt::Write as _};

/// Causes that are printed; chains are three or four deep.
const MAX_DEPTH: usize = 8;

/// `: cause: its cause`, without what an outer error already said; empty where there is no cause.
pub(crate) fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    let mut said = error.to_string();
    let mut next = error.source();
    for _ in 0..MAX_DEPTH {
        let Some(source) = next else { break };
        next = source.source();
        let cause = source.to_string();
        if !said.contains(&cause) {
            // Writing to a String cannot fail.
            write!(text, ": {cause}").ok();
            said = cause;
        }
    }
    text
}
