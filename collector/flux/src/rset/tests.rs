use proptest::{collection::btree_map, prelude::*};
use serde_json::{Value, json};

use super::{MAX_RANKS, ResourceSet};
use crate::idset::Idset;

fn r(entries: &Value) -> ResourceSet {
    let json = json!({"version": 1, "execution": {"R_lite": entries}});
    ResourceSet::from_json(json.to_string().as_bytes()).unwrap()
}

fn counts(set: &ResourceSet) -> (usize, u64, u64) {
    (set.nodes(), set.cores(), set.gpus())
}

fn ids(text: &str) -> Idset {
    text.parse().unwrap()
}

#[test]
fn all_ways_to_write_nothing_are_empty() {
    for json in [
        "null",
        r#"{"version":1,"execution":{}}"#,
        r#"{"version":1,"execution":{"R_lite":null}}"#,
        r#"{"version":1,"execution":{"R_lite":[],"nodelist":[""],"starttime":0.0,"expiration":0.0}}"#,
        r#"{"version":1,"execution":{"R_lite":[{"rank":"","children":{"core":"0-7"}}]}}"#,
        r#"{"version":1,"execution":{"R_lite":[{"rank":"0","children":{"core":""}}]}}"#,
    ] {
        let set = ResourceSet::from_json(json.as_bytes()).unwrap();
        assert!(set.is_empty(), "{json}");
        assert_eq!((counts(&set), set.highest_rank()), ((0, 0, 0), None));
    }
}

#[test]
fn unknown_keys_are_skipped() {
    let json = br#"{"version":1,"scheduling":{"graph":{"nodes":[1,[2],{"a":null}]}},
        "execution":{"starttime":1.5,"expiration":0,"nslots":4,"nodelist":["a[0-1]"],
        "R_lite":[{"rank":"0-1","node":"x","children":{"core":"0-3","ssd":"0","gpu":"0"}}]}}"#;
    assert_eq!(counts(&ResourceSet::from_json(json).unwrap()), (2, 8, 2));
}

#[test]
fn bad_input_says_what_is_wrong() {
    for (json, message) in [
        ("{}", "missing field"),
        ("[", "EOF"),
        (r#"{"version":2,"execution":{}}"#, "R has version 2, but only version 1 is known"),
        (r#"{"version":1,"execution":{"R_lite":[{"rank":"3-1"}]}}"#, "not in ascending order"),
        (r#"{"version":1,"execution":{"R_lite":[{"rank":0}]}}"#, "an idset such as"),
        (
            r#"{"version":1,"execution":{"R_lite":[{"rank":"0-4294967294","children":{"core":"0"}}]}}"#,
            "R_lite has 4294967295 ranks, over the limit of 131072",
        ),
    ] {
        let error = ResourceSet::from_json(json.as_bytes()).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains(message), "{json}: {source}");
    }
}

#[test]
fn a_node_stays_while_any_of_its_ids_does() {
    let all = r(&json!([{"rank": "0-3", "children": {"core": "0-7", "gpu": "0-1"}}]));
    let allocated = r(&json!([
        {"rank": "0", "children": {"core": "0-7", "gpu": "0-1"}},
        {"rank": "1", "children": {"core": "0-7"}},
        {"rank": "2", "children": {"core": "2"}},
        {"rank": "9", "children": {"core": "0"}},
    ]));
    let free = all.difference(&allocated);
    assert_eq!(counts(&free), (3, 15, 6));
    assert_eq!(free.ranks(), ids("1-3"));
    assert_eq!(free.shape(2).unwrap().cores, ids("0-1,3-7"));
    assert_eq!(free.shape(0), None);

    let both = all.intersection(&allocated);
    assert_eq!(counts(&both), (3, 17, 2));
    assert_eq!(both.highest_rank(), Some(2));
    assert_eq!(allocated.highest_rank(), Some(9));
}

#[test]
fn entries_of_the_same_rank_are_joined() {
    let set = r(&json!([
        {"rank": "1,3", "children": {"core": "0-1"}},
        {"rank": "0-1", "children": {"core": "1-3", "gpu": "0"}},
    ]));
    assert_eq!(counts(&set), (3, 9, 2));
    assert_eq!(set.shape(1).unwrap().cores, ids("0-3"));
}

#[test]
fn queues_are_ranks_by_property() {
    let json = br#"{"version":1,"execution":{"R_lite":[{"rank":"0-3","children":{"core":"0-7"}}],
        "properties":{"batch":"0-2","debug":"3,7","+q":"0"}}}"#;
    let all = ResourceSet::from_json(json).unwrap();
    assert_eq!(all.properties().collect::<Vec<_>>(), ["+q", "batch", "debug"]);
    assert_eq!(all.ranks_with("batch"), ids("0-2"));
    assert_eq!(all.ranks_with("debug"), ids("3"), "rank 7 is not in the set");
    assert_eq!(all.ranks_with("gpu"), Idset::new());
    let batch = all.restrict(&all.ranks_with("batch"));
    assert_eq!(counts(&batch), (3, 24, 0));
    assert_eq!(batch.to_string(), "3 nodes, 24 cores, 0 gpus");
}

#[test]
fn ten_thousand_ranks_that_all_differ_are_read_and_subtracted() {
    let entries: Vec<_> = (0..10_000)
        .map(|rank| json!({"rank": rank.to_string(), "children": {"core": format!("0-{}", rank % 64)}}))
        .collect();
    let all = r(&Value::Array(entries));
    let half = all.restrict(&(0..10_000).step_by(2).collect());
    assert_eq!((all.nodes(), half.nodes()), (10_000, 5_000));
    assert_eq!(all.difference(&half).nodes(), 5_000);
    assert_eq!(all.intersection(&half), half);
    assert!(u64::try_from(all.nodes()).unwrap() < MAX_RANKS);
}

proptest! {
    #[test]
    fn difference_and_intersection_share_out_every_id(
        a in btree_map(0_u32..8, 1_u64..256, 0..8),
        b in btree_map(0_u32..8, 1_u64..256, 0..8),
    ) {
        // Bit n of the number is core n.
        let bits = |bits: u64| (0..64).filter(|id| bits >> id & 1 == 1).collect::<Idset>();
        let set = |map: &std::collections::BTreeMap<u32, u64>| {
            r(&map
                .iter()
                .map(|(rank, cores)| {
                    json!({"rank": rank.to_string(), "children": {"core": bits(*cores)}})
                })
                .collect())
        };
        let (left, right) = (set(&a), set(&b));
        let of = |rank, set: &ResourceSet| set.shape(rank).map(|shape| shape.cores.clone());
        let some = |mask: u64| (mask != 0).then(|| bits(mask));
        for rank in 0..8 {
            let (x, y) = (a.get(&rank).unwrap_or(&0), b.get(&rank).unwrap_or(&0));
            prop_assert_eq!(of(rank, &left.difference(&right)), some(x & !y));
            prop_assert_eq!(of(rank, &left.intersection(&right)), some(x & y));
        }
    }

    #[test]
    fn any_bytes_are_a_set_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let _any = ResourceSet::from_json(&bytes);
    }
}
