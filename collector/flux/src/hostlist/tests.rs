use proptest::{collection::vec, prelude::*};

use super::{Hostlist, MAX_TEXT};

fn list(text: &str) -> Hostlist {
    text.parse().unwrap()
}

fn hosts(text: &str) -> Vec<String> {
    list(text).iter().collect()
}

#[test]
fn what_rfc_29_allows_is_read_and_printed_as_libflux_does() {
    for (text, printed, len) in [
        ("", "", 0),
        ("foo-1a-2,foo-1a-3", "foo-1a-[2-3]", 2),
        ("foo1,foo2,foo3,fooi", "foo[1-3],fooi", 4),
        ("foo1,fooi,foo2,foo3", "foo1,fooi,foo[2-3]", 4),
        ("fooi,foo1,foo2,foo3,foo5,foo7,foo8", "fooi,foo[1-3,5,7-8]", 7),
        (",1,2,3,4,5,9,", "[1-5,9]", 6),
        ("[1-5]", "[1-5]", 5),
        ("14636", "14636", 1),
        ("vm,vm,vm", "vm,vm,vm", 3),
        ("a[3,1-2]", "a[3,1-2]", 3),
        ("a9,a10,a11", "a[9-11]", 3),
        ("a08,a09,a10", "a[08-10]", 3),
        ("a9,a010", "a[9,010]", 2),
    ] {
        let list = list(text);
        assert_eq!((list.to_string().as_str(), list.len()), (printed, len), "{text}");
    }
}

#[test]
fn leading_zeros_of_the_first_number_set_the_width() {
    assert_eq!(hosts("p[00-3]p"), ["p00p", "p01p", "p02p", "p03p"]);
    assert_eq!(hosts("n[8-10]"), ["n8", "n9", "n10"]);
    assert_eq!(hosts("n[098-101]"), ["n098", "n099", "n100", "n101"]);
    assert_eq!(hosts("foo[1,3]-bar"), ["foo1-bar", "foo3-bar"]);
    assert_eq!(hosts("a[0-1],b"), ["a0", "a1", "b"]);
}

#[test]
fn anything_else_says_what_is_wrong_and_where() {
    for (text, message) in [
        ("[]", "\"\" at byte 1 of a hostlist is neither a number"),
        ("a,foo[]", "\"\" at byte 6 of a hostlist is neither a number"),
        ("foo[x-y]", "\"x-y\" at byte 4 of a hostlist is neither a number"),
        ("foo[0-1,2--5]", "\"2--5\" at byte 8 of a hostlist is neither a number"),
        ("foo[3-1]", "\"3-1\" at byte 4 of a hostlist is neither a number"),
        ("foo[", "the brackets in \"foo[\" at byte 0 of a hostlist do not match"),
        ("foo[1,3", "the brackets in \"foo[1,3\" at byte 0 of a hostlist do not match"),
        ("foo[[1,3]", "the brackets in"),
        ("a,foo]", "the brackets in \"foo]\" at byte 2 of a hostlist do not match"),
        ("a[0-1]-[2-3]", "the brackets in"),
        ("a[0-99999999]", "the hostlist has over 1048576 hosts at byte 2"),
        ("a[0-999999],b[0-999999]", "the hostlist has over 1048576 hosts at byte 14"),
    ] {
        let error = text.parse::<Hostlist>().unwrap_err().to_string();
        assert!(error.starts_with(message), "{text}: {error}");
    }
    assert!("x".repeat(MAX_TEXT + 1).parse::<Hostlist>().is_err());
}

#[test]
fn the_host_of_a_rank_is_found_without_expanding() {
    let hosts = list("flux-sample-[0-9999],spare[00-99]");
    assert_eq!(hosts.len(), 10_100);
    assert_eq!(hosts.nth(9_999).as_deref(), Some("flux-sample-9999"));
    assert_eq!(hosts.nth(10_007).as_deref(), Some("spare07"));
    assert_eq!(hosts.nth(10_100), None);
}

proptest! {
    #[test]
    fn hosts_stay_the_same_through_text(
        names in vec("[a-c]{0,2}(0{0,2}[0-9]{1,3})?[a-b]{0,1}", 0..30),
    ) {
        let names: Vec<_> = names.into_iter().filter(|name| !name.is_empty()).collect();
        let list = list(&names.join(","));
        prop_assert!(list.iter().eq(names.iter().map(String::as_str)));
        let printed = list.to_string();
        prop_assert_eq!(&hosts(&printed), &names, "through {}", printed);
        for (index, name) in names.iter().enumerate() {
            let nth = list.nth(index);
            prop_assert_eq!(nth.as_ref(), Some(name));
        }
    }

    #[test]
    fn any_text_is_a_list_or_an_error(text in "[a0-9,\\[\\]-]{0,40}|.{0,40}") {
        if let Ok(list) = text.parse::<Hostlist>() {
            prop_assert_eq!(list.to_string().parse::<Hostlist>().unwrap(), list);
        }
    }
}
