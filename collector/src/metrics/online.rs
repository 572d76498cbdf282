//! `groups.get broker.online`: the brokers that are connected.

use flux_client::Idset;
use serde::Deserialize;

use super::{Unreadable, count};
use crate::state::{Key, Reading, Values};

/// Reads one answer of an instance of `size` configured ranks.
pub fn read(json: &[u8], size: u32) -> Result<Reading, Unreadable> {
    #[derive(Deserialize)]
    struct Group {
        members: Idset,
    }
    let online = serde_json::from_slice::<Group>(json)?.members.len();
    let values = Values::from([
        (Key::instance("node_online_count"), count(online)),
        (Key::instance("node_offline_count"), count(u64::from(size).saturating_sub(online))),
    ]);
    Ok(Reading { values, missing: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offline_is_what_the_configured_size_has_beyond_the_group() {
        for (members, online, offline) in
            [("0-3", 4.0, 0.0), ("0-2", 3.0, 1.0), ("", 0.0, 4.0), ("0,2", 2.0, 2.0)]
        {
            let reading = read(format!(r#"{{"members":"{members}"}}"#).as_bytes(), 4).unwrap();
            assert_eq!(reading.values[&Key::instance("node_online_count")], online);
            assert_eq!(reading.values[&Key::instance("node_offline_count")], offline);
        }
        assert!(read(b"{}", 4).is_err());
    }
}
