use std::collections::BTreeSet;

use proptest::{collection::btree_set, prelude::*};

use super::{Idset, MAX_ID, MAX_TEXT};

fn set(text: &str) -> Idset {
    text.parse().unwrap()
}

#[test]
fn what_rfc_22_allows_is_read() {
    for (text, printed, len) in [
        ("", "", 0),
        ("[]", "", 0),
        ("0", "0", 1),
        ("[7-9]", "7-9", 3),
        ("2,3,4,5", "2-5", 4),
        ("1-3,7-9,14,16", "1-3,7-9,14,16", 8),
        ("3-3", "3", 1),
        ("0-4294967294", "0-4294967294", 4_294_967_295),
    ] {
        let set = set(text);
        assert_eq!((set.to_string().as_str(), set.len()), (printed, len), "{text}");
    }
}

#[test]
fn anything_else_says_what_is_wrong_and_where() {
    for (text, message) in [
        ("[0", "an idset's brackets have to surround all of it"),
        ("0]", "an idset's brackets have to surround all of it"),
        ("[", "an idset's brackets have to surround all of it"),
        ("[[0]]", "\"[0]\" at byte 1 of an idset is neither an id nor a range such as 7-9"),
        ("0,[2", "\"[2\" at byte 2 of an idset is neither an id nor a range such as 7-9"),
        ("0-", "\"0-\" at byte 0 of an idset is neither an id nor a range such as 7-9"),
        ("-5", "\"-5\" at byte 0 of an idset is neither an id nor a range such as 7-9"),
        ("+5", "\"+5\" at byte 0 of an idset is neither an id nor a range such as 7-9"),
        ("1-2-3", "\"1-2-3\" at byte 0 of an idset is neither an id nor a range such as 7-9"),
        ("1,,2", "\"\" at byte 2 of an idset is neither an id nor a range such as 7-9"),
        ("1, 2", "\" 2\" at byte 2 of an idset is neither an id nor a range such as 7-9"),
        ("01", "\"01\" at byte 0 of an idset is neither an id nor a range such as 7-9"),
        (
            "4294967295",
            "\"4294967295\" at byte 0 of an idset is neither an id nor a range such as 7-9",
        ),
        ("3-1", "\"3-1\" at byte 0 of an idset is not in ascending order"),
        ("5,3", "\"3\" at byte 2 of an idset is not in ascending order"),
        ("1-5,5", "\"5\" at byte 4 of an idset is not in ascending order"),
    ] {
        assert_eq!(text.parse::<Idset>().unwrap_err().to_string(), message, "{text}");
    }
    let long = "1".repeat(MAX_TEXT + 1);
    assert!(long.parse::<Idset>().unwrap_err().to_string().contains("over the limit"));
}

#[test]
fn the_largest_sets_cost_as_much_as_the_smallest() {
    let all = Idset::range(0, u32::MAX);
    assert_eq!(all.max(), Some(MAX_ID));
    assert_eq!(all.difference(&set("5")).to_string(), "0-4,6-4294967294");
    assert_eq!(all.difference(&all), Idset::new());
    assert_eq!(all.union(&all), all);
    assert!(all.contains(MAX_ID) && !all.contains(u32::MAX));
}

#[test]
fn ten_thousand_ranks_without_neighbours_are_quick() {
    let even: Idset = (0..20_000).step_by(2).collect();
    let odd: Idset = (1..20_000).step_by(2).collect();
    assert_eq!(even.union(&odd), Idset::range(0, 19_999));
    assert_eq!(even.intersection(&odd), Idset::new());
    assert_eq!(Idset::range(0, 19_999).difference(&even), odd);
    assert_eq!(set(&even.to_string()), even);
}

#[test]
fn json_is_the_same_text() {
    let ids: Idset = serde_json::from_str("\"0-3,7\"").unwrap();
    assert_eq!(serde_json::to_string(&ids).unwrap(), "\"0-3,7\"");
    assert!(serde_json::from_str::<Idset>("7").is_err());
    assert!(serde_json::from_str::<Idset>("\"7-\"").is_err());
}

fn ids() -> impl Strategy<Value = BTreeSet<u32>> {
    btree_set(prop_oneof![0_u32..60, MAX_ID - 3..=MAX_ID], 0..30)
}

fn of(ids: &BTreeSet<u32>) -> Idset {
    ids.iter().copied().collect()
}

proptest! {
    #[test]
    fn text_goes_there_and_back(ids in ids()) {
        let set = of(&ids);
        prop_assert_eq!(&set.to_string().parse::<Idset>().unwrap(), &set);
        prop_assert!(set.iter().eq(ids.iter().copied()));
        prop_assert_eq!(set.len(), ids.len() as u64);
        prop_assert_eq!((set.min(), set.max()), (ids.first().copied(), ids.last().copied()));
    }

    #[test]
    fn operations_are_those_of_sets(a in ids(), b in ids(), id in 0_u32..70) {
        let (left, right) = (of(&a), of(&b));
        prop_assert_eq!(left.union(&right), of(&(&a | &b)));
        prop_assert_eq!(left.intersection(&right), of(&(&a & &b)));
        prop_assert_eq!(left.difference(&right), of(&(&a - &b)));
        prop_assert_eq!(left.contains(id), a.contains(&id));
        let mut more = left;
        more.insert(id);
        prop_assert_eq!(more, of(&(&a | &BTreeSet::from([id]))));
    }

    #[test]
    fn any_text_is_a_set_or_an_error(text in "[0-9,\\[\\]-]{0,40}|.{0,40}") {
        if let Ok(set) = text.parse::<Idset>() {
            prop_assert_eq!(set.to_string().parse::<Idset>().unwrap(), set);
        }
    }
}
