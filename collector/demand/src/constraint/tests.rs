use flux_client::ResourceSet;
use serde_json::json;

use super::*;

/// Ranks 0 to 5 without 4, on hosts n0, n1, n2, n3 and fat.
fn instance() -> Instance {
    let all = ResourceSet::from_json(
        br#"{"version":1,"execution":{"R_lite":[{"rank":"0-3,5","children":{"core":"0-3"}}],
             "properties":{"batch":"0-3","ssd":"2,5"}}}"#,
    );
    let hosts = [0, 1, 2, 3].map(|rank| (rank, format!("n{rank}")));
    let instance = Instance::new(all.unwrap(), &ResourceSet::default(), &Idset::new()).unwrap();
    // Rank 4 is excluded.
    instance.with_hosts(hosts.into_iter().chain([(4, "n1".to_owned()), (5, "fat".to_owned())]))
}

#[test]
fn each_operator_of_rfc_31_allows_what_it_says() {
    for (constraint, want) in [
        (json!({}), "0-3,5"),
        (json!({"properties": ["batch"]}), "0-3"),
        (json!({"properties": ["batch", "ssd"]}), "2"),
        (json!({"properties": ["batch", "^ssd"]}), "0-1,3"),
        (json!({"properties": []}), "0-3,5"),
        (json!({"properties": ["gold"]}), ""),
        (json!({"hostlist": ["n[1-2]", "fat", "elsewhere"]}), "1-2,5"),
        (json!({"ranks": ["0-1", "4-9"]}), "0-1,5"),
        (json!({"and": [{"properties": ["ssd"]}, {"ranks": ["0-3"]}]}), "2"),
        (json!({"or": [{"properties": ["ssd"]}, {"ranks": ["0"]}]}), "0,2,5"),
        (json!({"not": [{"properties": ["ssd"]}]}), "0-1,3"),
        (json!({"not": [{"ranks": ["0-2"]}, {"ranks": ["2-5"]}]}), "0-1,3,5"),
        (json!({"and": []}), "0-3,5"),
        (json!({"or": []}), "0-3,5"),
        (json!({"not": []}), ""),
    ] {
        let ranks = Constraint::parse(&constraint).unwrap().ranks(&instance());
        assert_eq!(ranks.to_string(), want, "{constraint}");
    }
}

#[test]
fn what_is_not_understood_says_what_it_is() {
    for (constraint, want) in [
        (json!([]), "a constraint takes an object with one operator"),
        (json!({"colour": ["red"]}), "\"colour\" is no operator of RFC 31"),
        (json!({"and": [], "or": []}), "is no operator of RFC 31"),
        (json!({"properties": "batch"}), "properties takes a list of texts"),
        (json!({"properties": [1]}), "properties takes a list of texts"),
        (json!({"ranks": ["x"]}), "ranks takes a list of idsets such as \"0-3,7\""),
        (json!({"hostlist": ["n["]}), "hostlist takes a list of hostlists"),
        (json!({"not": {}}), "and, or, not takes a list of constraints"),
        (json!({"hostlist": ["n[0-99999]"]}), "16384 hosts"),
        (json!({"properties": vec!["a"; 2000]}), "1024 terms"),
    ] {
        let error = Constraint::parse(&constraint).unwrap_err().to_string();
        assert!(error.contains(want), "{constraint}: {error}");
    }
}
