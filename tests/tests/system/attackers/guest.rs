//! A guest of a Flux instance, which has queues with odd names.

use flux_simulator::instance::{Hold, Need, Queue};
use serde_json::Value;
use system_tests::{Path, client::get, eventually};

/// The external metrics of namespace `hpc`.
const EXTERNAL: &str = "/apis/external.metrics.k8s.io/v1beta1/namespaces/hpc";

fn queue(name: &str) -> Queue {
    Queue { name: name.to_owned(), ranks: None }
}

/// The names of queues that the external metric has.
async fn names(path: &Path) -> Vec<String> {
    let uri = format!("{EXTERNAL}/job_queue_state_sched_count?labelSelector=queue");
    let answer = path.gateway.client().send(get(&uri)).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let json = answer.json();
    let names = json["items"].as_array().unwrap().iter().map(|item| {
        let labels: &Value = &item["metricLabels"];
        labels["queue"].as_str().unwrap().to_owned()
    });
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[tokio::test]
async fn odd_names_of_queues_stay_values_and_cost_no_other_series() {
    let odd =
        ["\"},{\"x\":\"", "../../secrets", "a\nlevel=ERROR b", "{{.}}", "<b>", "queue=batch,x"];
    let path = Path::of_broker(&[], |config| {
        config.queues.extend(odd.map(queue));
        config.queues.push(queue(&"long".repeat(100)));
    })
    .await;
    path.broker.submit_held(Need::Nodes(1), Some(odd[0]), Hold::Urgency).unwrap();
    path.agrees().await;
    let mut expected: Vec<_> = odd.iter().map(|name| (*name).to_owned()).collect();
    expected.extend(["batch".to_owned(), "debug".to_owned()]);
    expected.sort();
    eventually("every name is there as it is, but for the long one", async || {
        let names = names(&path).await;
        if names == expected { Ok(()) } else { Err(names) }
    })
    .await;
}

#[tokio::test]
async fn more_queues_than_can_be_reported_cost_no_series_of_the_instance() {
    let path = Path::of_broker(&[], |config| {
        config.queues.extend((0..80).map(|nth| queue(&format!("queue-{nth}"))));
    })
    .await;
    path.broker.submit_held(Need::Nodes(1), Some("queue-7"), Hold::Urgency).unwrap();
    eventually("the job is counted", async || {
        let waiting = path.metric("job_queue_state_sched_count").await;
        let nodes = path.metric("node_up_count").await;
        if (&waiting, &nodes) == (&Ok(1.0), &Ok(4.0)) { Ok(()) } else { Err((waiting, nodes)) }
    })
    .await;
}
