use std::collections::BTreeMap;

use flux_demand::Nodes;

use super::*;
use crate::metrics::recorded::payload;

#[test]
fn recorded_lists_of_every_release_are_read() {
    // Three nodes of eight cores, and jobs that are held.
    for release in ["v0.45.0", "v0.49.0", "v0.54.0", "v0.60.0", "v0.72.0"] {
        for name in ["13b-job-list-compat", "13c-job-list-all-attrs"] {
            let jobs = read(&payload(release, name, 0)).unwrap();
            assert_eq!(jobs.len(), 3, "{release} {name}");
            let held = jobs.iter().filter(|listed| listed.job.held).count();
            let Job { request, queue, duration, submitted, .. } = &jobs[0].job;
            assert_eq!((held, queue.as_deref(), *duration), (2, Some("batch"), 0.0), "{release}");
            let nodes = Some(Nodes { count: 3, exclusive: false });
            let want = Request { nodes, slots: 1, cores: 8, gpus: None };
            assert_eq!(*request, Some(want), "{release}");
            assert!(*submitted > 1.7e9, "{release}: {submitted}");
        }
    }
    // Whole nodes, exclusively.
    let jobs = read(&payload("v0.88.0-59", "job-list", 0)).unwrap();
    assert_eq!(jobs[0].job.request, Some(Request::whole_nodes(3)));
    assert_eq!((jobs[0].id, jobs[0].job.duration), (48_737_812_480, 600.0));
    assert!(read(br#"{"jobs":[{}]}"#).is_err() && read(b"{}").is_err());
}

#[test]
fn the_numbers_of_jobs_are_those_of_job_stats() {
    for release in ["v0.45.0", "v0.49.0", "v0.54.0", "v0.60.0", "v0.72.0"] {
        let numbers = Numbers::read(&payload(release, "11-job-stats", 0)).unwrap();
        let recorded: Value = serde_json::from_slice(&payload(release, "11-job-stats", 0)).unwrap();
        let states: BTreeMap<String, u64> =
            serde_json::from_value(recorded["job_states"].clone()).unwrap();
        let active = ["depend", "priority", "sched", "run", "cleanup"];
        let active = active.iter().map(|state| states[*state]).sum();
        assert_eq!(numbers, Numbers { active, sched: states["sched"] }, "{release}");
    }
}

#[test]
fn a_jobspec_is_read_out_of_the_answer_that_holds_it_as_text() {
    let text = r#"{"resources":[{"type":"slot","count":2,"label":"task","with":[
        {"type":"core","count":3},{"type":"gpu","count":1}]}],"version":1}"#;
    let answer = json!({ "id": 1, "jobspec": text }).to_string();
    let jobspec = read_jobspec(answer.as_bytes()).unwrap();
    assert_eq!(jobspec.request, Request::slots(2, 3, 1));
    for unreadable in [json!({ "id": 1 }), json!({ "id": 1, "jobspec": "{}" })] {
        assert_eq!(read_jobspec(unreadable.to_string().as_bytes()), None);
    }
}
