//! `state-machine.get`: the state of the one broker.

use std::time::Duration;

use serde::Deserialize;

use super::Unreadable;
use crate::state::{Key, Reading, Values};

/// Reads one answer of the broker of this rank, which took `round_trip`.
pub fn read(json: &[u8], rank: u32, round_trip: Duration) -> Result<Reading, Unreadable> {
    #[derive(Deserialize)]
    struct Broker {
        state: String,
        /// Seconds in that state.
        duration: f64,
    }
    let Broker { state, duration } = serde_json::from_slice(json)?;
    let values = Values::from([
        (Key::broker("broker_up"), f64::from(u8::from(state == "run"))),
        (Key::broker("broker_rank"), f64::from(rank)),
        (Key::broker("broker_state_seconds"), duration),
        (Key::broker("broker_rpc_rtt_seconds"), round_trip.as_secs_f64()),
    ]);
    Ok(Reading { values, missing: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_is_up_only_in_state_run() {
        for (state, up) in [("run", 1.0), ("init", 0.0), ("cleanup", 0.0)] {
            let json = format!(r#"{{"state":"{state}","duration":2.5}}"#);
            let reading = read(json.as_bytes(), 3, Duration::from_millis(2)).unwrap();
            let value = |metric| reading.values[&Key::broker(metric)];
            assert_eq!((value("broker_up"), value("broker_rank")), (up, 3.0));
            assert_eq!(value("broker_state_seconds"), 2.5);
            assert_eq!(value("broker_rpc_rtt_seconds"), 0.002);
        }
    }
}
