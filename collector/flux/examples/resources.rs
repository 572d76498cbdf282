//! Prints what `flux resource list` and `flux jobs --stats` count, from the broker's socket alone:
//!
//! ```text
//! flux start --test-size=4 cargo run -p flux-client --example resources
//! ```

use std::{collections::BTreeMap, env, error::Error, path::Path};

use flux_client::{
    Client, ClientConfig, Idset, ResourceSet, RpcError, endpoint, message::NODEID_ANY,
};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct SchedStatus {
    all: ResourceSet,
    down: ResourceSet,
    allocated: ResourceSet,
}

#[derive(Deserialize)]
struct Attribute {
    value: String,
}

#[derive(Deserialize)]
struct Members {
    members: Idset,
}

#[derive(Deserialize)]
struct JobStats {
    job_states: BTreeMap<String, u64>,
}

#[tokio::main(flavor = "current_thread")]
#[allow(clippy::print_stdout, reason = "printing is what this program is for")]
async fn main() -> Result<(), Box<dyn Error>> {
    let uri = env::var("FLUX_URI").ok();
    let endpoint = endpoint::discover(uri.as_deref(), Path::new("/"))?
        .ok_or("no broker's socket is here: set FLUX_URI")?;
    let (client, connection) = Client::connect(&endpoint, ClientConfig::default()).await?;
    let driver = tokio::spawn(connection);

    for name in ["version", "rank", "size", "hostlist"] {
        let Attribute { value } =
            client.rpc("attr.get", NODEID_ANY, &json!({ "name": name })).await?;
        println!("{name:9} {value}");
    }

    let SchedStatus { all, down, allocated } = sched_status(&client).await?;
    let up = all.difference(&down);
    let free = up.difference(&allocated);
    for (name, set) in [("all", &all), ("free", &free), ("allocated", &allocated), ("down", &down)]
    {
        println!("{name:9} {set}, ranks {}", set.ranks());
    }

    let mut online = client.stream("groups.get", 0, &json!({"name": "broker.online"}))?;
    if let Some(members) = online.next().await {
        let Members { members } = serde_json::from_slice(&members?)?;
        println!("online    {members}");
    }
    let JobStats { job_states } = client.rpc("job-list.job-stats", 0, &json!({})).await?;
    println!("jobs      {job_states:?}");

    let mut heartbeat = client.subscribe("heartbeat.pulse").await?;
    if let Some(event) = heartbeat.next().await {
        println!("heartbeat {}", event?.sequence);
    }

    drop((client, online, heartbeat));
    println!("the connection ended: {}", driver.await?);
    Ok(())
}

/// Brokers before 0.61 have the old topic alone.
async fn sched_status(client: &Client) -> Result<SchedStatus, RpcError> {
    match client.rpc("resource.sched-status", 0, &()).await {
        Err(error) if error.is_enosys() => client.rpc("sched.resource-status", 0, &()).await,
        answer => answer,
    }
}
