use proptest::prelude::*;

use super::*;

/// The value of an expression whose only inputs are these.
fn value(source: &str, inputs: &[(&str, f64)]) -> f64 {
    let program = compile(source).unwrap_or_else(|error| panic!("{source}: {error:?}"));
    let of = |metric: &&Metric| inputs.iter().find(|(name, _)| *name == metric.name).unwrap().1;
    let values: Vec<_> = program.inputs().iter().map(of).collect();
    program.value(&values).unwrap_or_else(|error| panic!("{source}: {error}"))
}

#[test]
fn expressions_have_the_values_that_cel_gives_them() {
    for (source, want) in [
        ("1 + 2 * 3", 7.0),
        ("(1 + 2) * 3", 9.0),
        ("7 / 2", 3.5),
        ("7 % 4 - -1", 4.0),
        ("ceil(1.2) + floor(1.8) + round(2.5) + abs(-3)", 9.0),
        ("math.ceil(1.2) + math.least(3, 1, 2) + math.greatest(1, 4)", 7.0),
        ("min(5) + max(1, 2, 9) + clamp(7, 1, 3)", 17.0),
        ("1 < 2 && !(2 <= 1) ? 10 : 20", 10.0),
        ("1 > 2 || 2 >= 3 || 1 == 1 ? 10 : 20", 10.0),
        ("true == (1 != 1) ? 1 : (false ? 2 : 3)", 3.0),
        ("1e3 + 0x10 + 2u", 1018.0),
    ] {
        assert_eq!(value(source, &[]), want, "{source}");
    }
    let inputs = [("pending_nodes_demand", 3.0), ("node_up_count", 4.0)];
    assert_eq!(value("ceil(pending_nodes_demand * 1.2)", &inputs), 4.0);
    let twice = "pending_nodes_demand > 0 ? node_up_count + pending_nodes_demand : node_up_count";
    assert_eq!(value(twice, &inputs), 7.0);
    let names: Vec<_> = compile(twice).unwrap().inputs().iter().map(|input| input.name).collect();
    assert_eq!(names, ["pending_nodes_demand", "node_up_count"]);
}

#[test]
fn what_is_wrong_is_said_of_the_character_where_it_is() {
    for (source, at, problem) in [
        ("", 0, ""),
        ("1 +", 3, ""),
        (
            "ceil(pending_node_demand)",
            5,
            "no metric pending_node_demand; is it pending_nodes_demand?",
        ),
        ("1 + xyzzy", 4, "there is no metric xyzzy"),
        ("1 + broker_up", 4, "describes a broker"),
        ("node_up_count > 1", 0, "is true or false"),
        ("1 + (1 < 2)", 7, "a number is needed"),
        ("node_up_count ? 1 : 2", 0, "true or false is needed"),
        ("1 == true", 2, "never the same"),
        ("true ? 1 : false", 5, "one side"),
        ("ceil(1, 2)", 4, "ceil needs 1 numbers, not 2"),
        ("sqrt(2)", 4, "no function sqrt"),
        ("'text'", 0, "only numbers"),
        ("[1, 2][0]", 6, ""),
        ("[1].map(x, x)", 7, ""),
        ("a.b", 1, ""),
        ("double(1)", 6, "leave the conversion out"),
    ] {
        let error = compile(source).unwrap_err();
        assert!(error.problem.contains(problem), "{source}: {error:?}");
        assert!(error.at.abs_diff(at) <= 1, "{source}: {error:?}");
    }
}

#[test]
fn a_division_by_zero_is_no_number() {
    let program = compile("1 / (node_up_count - 1)").unwrap();
    assert!(program.value(&[1.0]).unwrap_err().to_string().contains("division by 0"));
    assert!(compile("0 / 0").unwrap().value(&[]).is_err());
    assert_eq!(program.value(&[2.0]), Ok(1.0));
}

#[test]
fn what_would_cost_too_much_is_refused() {
    let long = vec!["1"; 600].join("+");
    assert!(compile(&long).unwrap_err().problem.contains("over the limit of 1000"));
    let wide = vec!["1"; 499].join("+");
    let error = compile(&wide).unwrap_err();
    assert!(error.problem.contains("deep") || error.problem.contains("parts"), "{error:?}");
    let deep = format!("{}1{}", "(".repeat(450), ")".repeat(450));
    assert!(compile(&deep).is_err());
    assert!(compile(&"-".repeat(900)).is_err());
    assert_eq!(value(&format!("max({})", vec!["7"; 200].join(",")), &[]), 7.0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// No text fails the process, whatever it says.
    #[test]
    fn every_text_is_compiled_or_refused(
        source in "([a-z0-9 ().,+*/%<>=!&|?:'\"\\[\\]{}-]|node_up_count|ceil\\(|min\\(){0,120}|.{0,200}"
    ) {
        match compile(&source) {
            Ok(program) => drop(program.value(&vec![1.0; program.inputs().len()])),
            Err(error) => prop_assert!(error.at <= source.chars().count()),
        }
    }
}
