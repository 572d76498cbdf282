use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn matches(selector: &str, labels: &[(&str, &str)]) -> bool {
    let selector = Selector::parse(selector).unwrap_or_else(|error| panic!("{selector}: {error}"));
    let labels: BTreeMap<&str, &str> = labels.iter().copied().collect();
    selector.matches(|key| labels.get(key).copied())
}

#[test]
fn every_operator_matches_as_kubernetes_says() {
    let labels = [("queue", "batch"), ("n", "5"), ("empty", "")];
    let table = [
        ("", true),
        ("  \t\r\n", true),
        ("queue=batch", true),
        ("queue==batch", true),
        ("queue = debug", false),
        ("absent=batch", false),
        ("absent=", false),
        ("empty=", true),
        ("empty=,queue=batch", true),
        ("queue!=debug", true),
        ("queue!=batch", false),
        ("absent!=batch", true),
        ("queue in (debug, batch)", true),
        ("queue in(debug)", false),
        ("absent in (batch)", false),
        ("empty in ()", true),
        ("empty in (,a)", true),
        ("empty in (a,,b)", true),
        ("queue notin (debug)", true),
        ("queue notin (batch,debug)", false),
        ("absent notin (batch)", true),
        ("queue", true),
        ("absent", false),
        ("!absent", true),
        ("! queue", false),
        ("n>4", true),
        ("n>5", false),
        ("n<6", true),
        ("n<-7", false),
        ("queue>4", false),
        ("absent<4", false),
        ("queue=batch,n>4,!absent", true),
        ("queue=batch,n>9", false),
    ];
    for (selector, want) in table {
        assert_eq!(matches(selector, &labels), want, "of {selector:?}");
    }
}

#[test]
fn words_of_operators_are_names_elsewhere() {
    assert!(matches("in in (in)", &[("in", "in")]));
    assert!(matches("notin=notin", &[("notin", "notin")]));
    assert!(matches("in,!notin", &[("in", "")]));
}

#[test]
fn the_canonical_text_is_sorted_and_without_spaces() {
    let table = [
        ("", ""),
        ("b = c , a", "a,b=c"),
        ("a==b", "a=b"),
        ("a in (z, b,b)", "a in (b,z)"),
        ("a notin ( )", "a notin ()"),
        ("a in (,)", "a in ()"),
        ("!x/y,a!=b,n > 007,m<1", "a!=b,m<1,n>7,!x/y"),
        ("example.com/App_1=v.1", "example.com/App_1=v.1"),
    ];
    for (selector, want) in table {
        assert_eq!(Selector::parse(selector).unwrap().to_string(), want, "of {selector:?}");
    }
}

#[test]
fn errors_have_the_texts_of_kubernetes() {
    let table = [
        (",", "found ',', expected: !, identifier, or 'end of string'"),
        ("=a", "found '=', expected: !, identifier, or 'end of string'"),
        ("a,", "found '', expected: identifier after ','"),
        ("a,,b", "found ',', expected: identifier after ','"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
        ("!a=b", "found '=', expected: ',' or 'end of string'"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a=(", "unable to parse requirement: found '(', expected: identifier"),
        ("a in b", "unable to parse requirement: found 'b', expected: '('"),
        ("a in (", "unable to parse requirement: found '', expected: ',', ')' or identifier"),
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a in (b c)", "unable to parse requirement: found 'c', expected: ',' or ')'"),
        (
            "a>x",
            "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' \
             operators, the value must be an integer",
        ),
        (
            "-a",
            "unable to parse requirement: <nil>: Invalid value: \"-a\": name part must consist of \
             alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric \
             character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
             '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        ),
        (
            "a in (b,-c)",
            "unable to parse requirement: values[0][a]: Invalid value: \"-c\": a valid label must \
             be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must \
             start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or \
             '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
        ),
    ];
    for (selector, want) in table {
        let error = Selector::parse(selector).unwrap_err();
        assert_eq!(error.to_string(), want, "of {selector:?}");
    }
}

#[test]
fn names_and_values_of_labels_are_checked() {
    let (fits, too_long) = ("a".repeat(63), "a".repeat(64));
    for good in ["a/b", "a.b-c/d_e.F", "1", &fits, &format!("x={fits}")] {
        assert!(Selector::parse(good).is_ok(), "{good}");
    }
    for bad in
        ["/a", "a/", "a/b/c", "A/b", "-.x/b", "a../b", "a_", "é", "a=é", "a=-b", "a\0", &too_long]
    {
        assert!(Selector::parse(bad).is_err(), "{bad}");
    }
    let error = Selector::parse(&format!("x={too_long}")).unwrap_err().to_string();
    assert!(error.ends_with("must be no more than 63 bytes"), "{error}");
}

#[test]
fn a_selector_over_the_bound_is_refused() {
    let error = Selector::parse(&"a,".repeat(MAX_SELECTOR_BYTES)).unwrap_err();
    assert_eq!(error, SelectorError::TooLong(2 * MAX_SELECTOR_BYTES));
}

#[test]
fn names_tells_whether_a_label_is_asked_about() {
    let selector = Selector::parse("a=b,!queue").unwrap();
    assert_eq!(selector.conditions("queue").count(), 1);
    assert_eq!(selector.conditions("b").count(), 0);
}

#[test]
fn a_selector_is_echoed_as_a_label_selector() {
    let table = [
        ("b=2,a=1", r#"{"matchLabels":{"a":"1","b":"2"}}"#),
        (
            "a=1,a=2,b!=3",
            r#"{"matchLabels":{"a":"1"},"matchExpressions":[{"key":"a","operator":"In","values":["2"]},{"key":"b","operator":"NotIn","values":["3"]}]}"#,
        ),
        (
            "a,!b,c in (x,y),d notin (z),e>1",
            r#"{"matchExpressions":[{"key":"a","operator":"Exists"},{"key":"b","operator":"DoesNotExist"},{"key":"c","operator":"In","values":["x","y"]},{"key":"d","operator":"NotIn","values":["z"]},{"key":"e","operator":"Gt","values":["1"]}]}"#,
        ),
    ];
    for (selector, want) in table {
        let selector = Selector::parse(selector).unwrap();
        assert_eq!(serde_json::to_string(&selector).unwrap(), want, "of {selector}");
    }
}

/// What a requirement means, said a second time and as plainly as can be.
fn reference(
    operator: &str,
    key: &str,
    values: &[String],
    labels: &BTreeMap<String, String>,
) -> bool {
    let Some(value) = labels.get(key) else {
        return matches!(operator, "!=" | "notin" | "!");
    };
    let compared = || {
        let (label, bound) = (value.parse::<i64>().ok()?, values[0].parse::<i64>().ok()?);
        Some(label.cmp(&bound))
    };
    match operator {
        "=" | "==" => *value == values[0],
        "!=" => *value != values[0],
        "in" => values.contains(value),
        "notin" => !values.contains(value),
        "exists" => true,
        ">" => compared() == Some(std::cmp::Ordering::Greater),
        "<" => compared() == Some(std::cmp::Ordering::Less),
        _ => false,
    }
}

fn written(operator: &str, key: &str, values: &[String], space: &str) -> String {
    match operator {
        "exists" => format!("{space}{key}{space}"),
        "!" => format!("!{space}{key}"),
        "in" | "notin" => {
            format!("{key} {operator}{space}({space}{})", values.join(&format!("{space},{space}")))
        }
        _ => format!("{key}{space}{operator}{space}{}", values[0]),
    }
}

proptest! {
    #[test]
    fn selection_equals_the_reference_and_survives_printing(
        asked in prop::collection::vec(
            (
                prop::sample::select(&["=", "==", "!=", "in", "notin", "exists", "!", ">", "<"]),
                "[abc]",
                prop::collection::vec("[0-4]|[xy]?", 1..4),
                prop::sample::select(&["", " ", "\t "]),
                0..5_u8,
            ),
            0..4,
        ),
        labels in prop::collection::btree_map("[abc]", "[0-4]|[xy]?", 0..4),
    ) {
        let asked: Vec<_> = asked
            .into_iter()
            .map(|(operator, key, values, space, number)| {
                let number = vec![number.to_string()];
                let values = if matches!(operator, ">" | "<") { number } else { values };
                (operator, key, values, space)
            })
            .collect();
        let text = asked
            .iter()
            .map(|(operator, key, values, space)| written(operator, key, values, space))
            .collect::<Vec<_>>()
            .join(",");
        let want = asked
            .iter()
            .all(|(operator, key, values, _)| reference(operator, key, values, &labels));
        let selector = Selector::parse(&text).unwrap();
        prop_assert_eq!(selector.matches(|key| labels.get(key).map(String::as_str)), want, "{}", text);
        prop_assert_eq!(Selector::parse(&selector.to_string()), Ok(selector));
    }

    #[test]
    fn no_text_panics(text in "([a-c/=!<>(), .-]|in|notin){0,40}|.{0,60}") {
        if let Ok(selector) = Selector::parse(&text) {
            prop_assert_eq!(Selector::parse(&selector.to_string()), Ok(selector));
        }
    }
}

#[test]
fn a_selector_over_the_bound_is_refused_with_what_it_has() {
    let keys = |n: usize| vec!["a"; n].join(",");
    assert!(Selector::parse(&keys(MAX_SELECTOR_TERMS)).is_ok());
    let many = MAX_SELECTOR_TERMS + 1;
    assert_eq!(Selector::parse(&keys(many)), Err(SelectorError::TooMany(many)));
    let values = |n: usize| (0..n).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    for list in ["in", "notin"] {
        let fits = format!("a {list} ({})", values(MAX_SELECTOR_TERMS - 1));
        assert!(Selector::parse(&fits).is_ok());
        let fits_not = format!("a {list} ({})", values(MAX_SELECTOR_TERMS));
        assert_eq!(Selector::parse(&fits_not), Err(SelectorError::TooMany(many)));
    }
}

#[test]
fn the_one_value_that_a_label_must_have_is_known() {
    let value = |text| Selector::parse(text).unwrap().value_of("a").map(str::to_owned);
    for text in ["a=b", "a==b", "a in (b)", "a,a=b,c=d"] {
        assert_eq!(value(text).as_deref(), Some("b"), "{text}");
    }
    for text in ["", "a", "!a", "a!=b", "a in (b,c)", "a notin (b)", "c=b"] {
        assert_eq!(value(text), None, "{text}");
    }
}
