use flux_client::Idset;
use serde_json::json;

use super::*;

fn read(resources: &Value) -> Result<Request, String> {
    let text = json!({ "version": 1, "resources": resources, "tasks": [] }).to_string();
    let jobspec = Jobspec::from_json(text.as_bytes()).map_err(|error| error.to_string())?;
    Ok(jobspec.request)
}

fn core(count: u32) -> Value {
    json!({"type": "core", "count": count})
}

fn gpu(count: u32) -> Value {
    json!({"type": "gpu", "count": count})
}

fn slot(count: u32, with: &[Value]) -> Value {
    json!({"type": "slot", "count": count, "label": "task", "with": with})
}

#[test]
fn jobspecs_are_counted_as_libjj_counts_them() {
    let node = |count, exclusive| Some(Nodes { count, exclusive });
    for (resources, nodes, [slots, cores, gpus]) in [
        // flux submit -n4 -c2 -g1
        (json!([slot(4, &[core(2), gpu(1)])]), None, [4, 2, 1]),
        // flux submit -N2 -n4
        (
            json!([{"type": "node", "count": 2, "with": [slot(2, &[core(1)])]}]),
            node(2, false),
            [2, 1, 0],
        ),
        // flux submit -N3 -x
        (
            json!([{"type": "node", "count": 3, "exclusive": true, "with": [slot(1, &[core(1)])]}]),
            node(3, true),
            [1, 1, 0],
        ),
        // Nodes in racks, and cores in sockets.
        (
            json!([{"type": "rack", "count": 2, "with": [
                {"type": "node", "count": 3, "with": [slot(2, &[
                    json!({"type": "socket", "count": 2, "with": [core(4)]})])]}]}]),
            node(6, false),
            [2, 4, 0],
        ),
        // flux submit -n1 -g2 on cores that nobody names
        (json!([slot(1, &[gpu(2)])]), None, [1, 0, 2]),
        (json!([{"type": "node", "count": 2, "exclusive": true}]), node(2, true), [1, 0, 0]),
    ] {
        let request = Request { nodes, slots, cores, gpus: Some(gpus) };
        assert_eq!(read(&resources), Ok(request), "{resources}");
    }
}

#[test]
fn a_size_that_cannot_be_told_is_an_error_that_says_why() {
    for (resources, want) in [
        (json!([slot(0, &[core(1)])]), "the count of slot"),
        (json!([{"type": "core", "count": {"min": 1, "max": 4}}]), "the count of core"),
        (json!([{"type": "core", "count": "2-4"}]), "the count of core"),
        (
            json!([{"type": "a", "count": 70_000, "with": [
            {"type": "node", "count": 70_000, "with": []}]}]),
            "the count of node",
        ),
        (json!([slot(1, &[json!({"type": "memory", "count": 1})])]), "neither cores nor GPUs"),
        (json!([]), "neither cores nor GPUs"),
        (json!({}), "not a jobspec"),
    ] {
        let error = read(&resources).unwrap_err();
        assert!(error.contains(want), "{resources}: {error}");
    }
    let deep = "[{\"type\":\"a\",\"count\":1,\"with\":".repeat(100_000);
    let text = format!("{{\"resources\":{deep}");
    assert!(Jobspec::from_json(text.as_bytes()).is_err(), "it nests deeper than any stack");
}

#[test]
fn the_constraint_comes_along_and_the_environment_does_not() {
    let text = json!({
        "resources": [slot(1, &[core(1)])],
        "attributes": {"system": {"duration": 0, "environment": {"PATH": "/bin"},
            "constraints": {"ranks": ["3"]}}},
    });
    let jobspec = Jobspec::from_json(text.to_string().as_bytes()).unwrap();
    let on_rank_3 = Constraint::Ranks(Idset::range(3, 3));
    assert_eq!(jobspec.constraint, Some(Arc::new(on_rank_3)));

    let text = json!({
        "resources": [slot(1, &[core(1)])],
        "attributes": {"system": {"constraints": {"colour": []}}},
    });
    let error = Jobspec::from_json(text.to_string().as_bytes()).unwrap_err();
    assert!(matches!(error, JobspecError::Constraint(_)), "{error}");
}
