use serde_json::Value;

use super::*;

const MINICLUSTER: &str = include_str!("../../../testdata/minicluster.yaml");
const JOB: &str = include_str!("../../../testdata/job.yaml");
const SERVICE: &str = include_str!("../../../testdata/service.yaml");

#[test]
fn all_that_is_made_is_what_a_real_operator_made() {
    let minicluster: MiniCluster = serde_saphyr::from_str(MINICLUSTER).unwrap();
    for (made, recorded) in [
        (serde_json::to_value(job(&minicluster)).unwrap(), JOB),
        (serde_json::to_value(service(&minicluster)).unwrap(), SERVICE),
    ] {
        let recorded: Value = serde_saphyr::from_str(recorded).unwrap();
        let differences = differences(&made, &recorded, "");
        assert!(differences.is_empty(), "{differences:#?}");
    }
    assert_eq!(selector(&minicluster), minicluster.status.unwrap().selector);
}

#[test]
fn pods_have_the_labels_that_a_real_operator_gave_them() {
    let minicluster: MiniCluster = serde_saphyr::from_str(MINICLUSTER).unwrap();
    let recorded: Job = serde_saphyr::from_str(JOB).unwrap();
    let mut recorded = recorded.spec.unwrap().template.metadata.unwrap().labels.unwrap();
    // Those are the Job controller's.
    recorded.retain(|key, _| !key.starts_with("batch.") && !key.ends_with("-uid"));
    recorded.remove("job-name");
    assert_eq!(labels(&minicluster), recorded);
}

/// Where `made` is not part of `recorded`. Of lists, each element has to be part of some other.
fn differences(made: &Value, recorded: &Value, path: &str) -> Vec<String> {
    match (made, recorded) {
        (Value::Object(made), Value::Object(_)) => made
            .iter()
            .flat_map(|(key, value)| differences(value, &recorded[key], &format!("{path}.{key}")))
            .collect(),
        // Kubernetes leaves out what is empty.
        (Value::Array(made), _) if made.is_empty() => Vec::new(),
        (Value::Object(made), Value::Null) if made.is_empty() => Vec::new(),
        (Value::Array(made), Value::Array(recorded)) => made
            .iter()
            .filter(|element| {
                !recorded.iter().any(|other| differences(element, other, "").is_empty())
            })
            .map(|element| format!("{path} has {element}"))
            .collect(),
        _ if made == recorded => Vec::new(),
        _ => vec![format!("{path} is {made}, not {recorded}")],
    }
}
