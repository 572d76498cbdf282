//! What was decided about ranks and queues, and what the scheduler was asked for.

use std::{collections::BTreeMap, sync::Arc};

use flux_client::Idset;
use serde::{
    Deserialize,
    de::{Error as _, IgnoredAny},
};

use super::{Unreadable, count};
use crate::state::{Key, Reading, Values};

/// Reads `resource.status`, with the ranks on which anything is allocated: as `flux resource status`
/// counts. There is no `torpid` before 0.65.
pub fn ranks(json: &[u8], allocated: &Idset) -> Result<Reading, Unreadable> {
    #[derive(Deserialize)]
    struct Status {
        drain: BTreeMap<String, IgnoredAny>,
        exclude: Idset,
        torpid: Option<Idset>,
    }
    let Status { drain, exclude, torpid } = serde_json::from_slice(json)?;
    let mut drained = Idset::new();
    for ranks in drain.keys() {
        drained = drained.union(&ranks.parse().map_err(serde_json::Error::custom)?);
    }
    let draining = drained.intersection(allocated);
    let mut values = Values::from([
        (Key::instance("node_draining_count"), count(draining.len())),
        (Key::instance("node_drained_count"), count(drained.len() - draining.len())),
        (Key::instance("node_excluded_count"), count(exclude.len())),
    ]);
    super::put(&mut values, Key::instance("node_torpid_count"), torpid.map(|ranks| ranks.len()));
    Ok(Reading { values, missing: None })
}

/// Reads `job-manager.queue-list`.
pub fn queue_names(json: &[u8]) -> Result<Vec<String>, Unreadable> {
    #[derive(Deserialize)]
    struct List {
        queues: Vec<String>,
    }
    let List { queues } = serde_json::from_slice(json)?;
    Ok(queues)
}

/// Reads `job-manager.queue-status` of a queue, or of the only one. Before 0.46 none could be stopped
/// by itself.
pub fn queue(json: &[u8], name: Option<&Arc<str>>, values: &mut Values) -> Result<(), Unreadable> {
    #[derive(Deserialize)]
    struct Status {
        enable: bool,
        start: Option<bool>,
    }
    let Status { enable, start } = serde_json::from_slice(json)?;
    values.insert(Key::of("queue_enabled", name), f64::from(u8::from(enable)));
    super::put(values, Key::of("queue_started", name), start.map(u64::from));
    Ok(())
}

/// Reads `job-manager.alloc-query`.
pub fn asked_for(json: &[u8]) -> Result<Reading, Unreadable> {
    #[derive(Deserialize)]
    struct Query {
        queue_length: u64,
        alloc_pending: u64,
    }
    let Query { queue_length, alloc_pending } = serde_json::from_slice(json)?;
    let values = Values::from([
        (Key::instance("alloc_queue_length"), count(queue_length)),
        (Key::instance("alloc_pending_count"), count(alloc_pending)),
    ]);
    Ok(Reading { values, missing: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::recorded::payload;

    fn values(reading: &Reading) -> Vec<(&'static str, f64)> {
        reading.values.iter().map(|(key, value)| (key.metric, *value)).collect()
    }

    #[test]
    fn a_drained_rank_that_still_runs_a_job_is_draining() {
        for (release, torpid) in [("v0.45.0", None), ("v0.72.0", Some(("node_torpid_count", 0.0)))]
        {
            let json = payload(release, "57-resource-status-drained", 0);
            for (allocated, drained, draining) in [("0,2-3", 1.0, 0.0), ("1", 0.0, 1.0)] {
                let reading = ranks(&json, &allocated.parse().unwrap()).unwrap();
                let mut want = vec![
                    ("node_drained_count", drained),
                    ("node_draining_count", draining),
                    ("node_excluded_count", 0.0),
                ];
                want.extend(torpid);
                assert_eq!(values(&reading), want, "{release}, {allocated} allocated");
            }
        }
    }

    #[test]
    fn a_queue_says_what_its_release_can_say() {
        let name: Arc<str> = "batch".into();
        let of = |release, conversation| {
            let mut all = Values::new();
            queue(&payload(release, conversation, 0), Some(&name), &mut all).unwrap();
            all.into_iter().map(|(key, value)| (key.metric, value)).collect::<Vec<_>>()
        };
        let (enabled, started) = (("queue_enabled", 1.0), ("queue_started", 1.0));
        assert_eq!(of("v0.45.0", "27-queue-status"), [enabled]);
        assert_eq!(of("v0.72.0", "27-queue-status"), [enabled, started]);
        assert_eq!(of("v0.72.0", "27c-queue-status-disabled"), [("queue_enabled", 0.0), started]);
        assert_eq!(of("v0.72.0", "27d-queue-status-stopped"), [enabled, ("queue_started", 0.0)]);
        let names = queue_names(&payload("v0.88.0", "26-queue-list", 0)).unwrap();
        assert_eq!(names, ["batch", "debug"]);
    }

    #[test]
    fn what_the_scheduler_is_asked_for_is_told() {
        let reading = asked_for(br#"{"queue_length":3,"alloc_pending":8,"running":2}"#).unwrap();
        assert_eq!(values(&reading), [("alloc_pending_count", 8.0), ("alloc_queue_length", 3.0)]);
        assert!(asked_for(&payload("v0.72.0", "49-alloc-query", 0)).is_ok());
    }
}
