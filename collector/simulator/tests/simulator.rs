//! A simulated instance, seen through flux-client.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails panics"
)]

#[path = "shared/broker.rs"]
mod broker;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use flux_client::{
    Client, ClientConfig, ConnectError, Decoder, Errno, Frame, Message, Responses, RpcError,
    message::NODEID_ANY,
};
use flux_simulator::{
    Config, Fault, Greeting, Simulator,
    faults::ANY_TOPIC,
    instance::{Hold, Need, Outcome, State},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::{Instant, timeout},
};

/// Far more than any of this takes, so that a test that fails says so.
const DEADLINE: Duration = Duration::from_secs(20);

const JOB_STATS: &str = "job-list.job-stats";

struct Fixture {
    simulator: Simulator,
    client: Client,
    /// Holds the sockets: to be kept as long as they are used.
    dir: tempfile::TempDir,
}

async fn fixture(change: impl FnOnce(&mut Config)) -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::new(dir.path());
    change(&mut config);
    let simulator = Simulator::start(config).await.unwrap();
    let client = broker::connect(&simulator.endpoint(0).unwrap()).await;
    Fixture { simulator, client, dir }
}

async fn get(client: &Client, topic: &str) -> Result<Value, RpcError> {
    timeout(DEADLINE, client.rpc(topic, 0, &json!({}))).await.expect("no answer")
}

async fn attribute(client: &Client, name: &str) -> String {
    let answer: Value = client.rpc("attr.get", NODEID_ANY, &json!({"name": name})).await.unwrap();
    answer["value"].as_str().unwrap().to_owned()
}

async fn next(stream: &mut Responses) -> Value {
    let response = timeout(DEADLINE, stream.next()).await.expect("no response");
    serde_json::from_slice(&response.unwrap().unwrap()).unwrap()
}

/// Reads a stream until it says this.
async fn until(stream: &mut Responses, path: &str, want: &Value) {
    while next(stream).await.pointer(path) != Some(want) {}
}

async fn send(socket: &mut UnixStream, messages: &[Message]) {
    let mut frames = BytesMut::new();
    messages.iter().for_each(|message| message.encode(&mut frames).unwrap());
    socket.write_all(&frames).await.unwrap();
}

fn errno(result: &Result<Value, RpcError>) -> Option<Errno> {
    match result {
        Err(RpcError::Failed { errno, .. }) => Some(*errno),
        _ => None,
    }
}

#[tokio::test]
async fn job_stats_stream_what_happens_to_jobs_at_most_five_times_a_second() {
    let Fixture { simulator, client, dir: _dir } = fixture(|_| ()).await;
    let mut stats = client.stream(JOB_STATS, 0, &json!({})).unwrap();
    assert_eq!(next(&mut stats).await["job_states"]["total"], 0);

    let start = Instant::now();
    let mut jobs = Vec::new();
    for _ in 0..50 {
        jobs.push(simulator.submit(Need::cores(1), Some("batch")).unwrap());
        tokio::task::yield_now().await;
    }
    until(&mut stats, "/job_states/total", &json!(50)).await;
    assert!(start.elapsed() >= Duration::from_millis(100), "{:?}", start.elapsed());

    simulator.finish(jobs[0], Outcome::Timeout);
    until(&mut stats, "/queues/0/timeout", &json!(1)).await;
    simulator.purge();
    until(&mut stats, "/inactive_purged", &json!(1)).await;
}

#[tokio::test]
async fn the_numbers_that_are_told_are_the_true_ones() {
    let Fixture { simulator, client, dir: _dir } = fixture(|_| ()).await;
    simulator.submit(Need::Nodes(2), None).unwrap();
    simulator.submit(Need::Nodes(9), None).unwrap();
    simulator.submit_held(Need::cores(1), None, Hold::Dependency).unwrap();
    let priority = simulator.submit_held(Need::cores(1), None, Hold::Priority).unwrap();
    let ran = simulator.submit(Need::cores(1), Some("debug")).unwrap();
    simulator.clean_up(ran);
    let states = simulator.states(None).unwrap();
    let told = get(&client, JOB_STATS).await.unwrap();
    assert_eq!(told["job_states"], serde_json::to_value(states).unwrap());
    assert_eq!((states.depend, states.priority, states.sched, states.cleanup), (1, 1, 1, 1));

    simulator.release(priority);
    assert_eq!(simulator.states(Some("batch")).unwrap().run, 2);
    assert_eq!(simulator.tallies(None).unwrap().allocated.nodes, 4);
}

#[tokio::test]
async fn groups_stream_at_once_and_job_stats_watchers_are_counted() {
    let Fixture { simulator, client, dir: _dir } = fixture(|_| ()).await;
    let mut online =
        client.stream_keeping("groups.get", 0, &json!({"name": "broker.online"}), 8).unwrap();
    assert_eq!(next(&mut online).await["members"], "0-3");
    simulator.lose(3);
    assert_eq!(next(&mut online).await["members"], "0-2");
    simulator.join(3);
    assert_eq!(next(&mut online).await["members"], "0-3");

    let mut stats = client.stream(JOB_STATS, 0, &json!({})).unwrap();
    next(&mut stats).await;
    assert_eq!(get(&client, "job-list.stats-get").await.unwrap()["stats_watchers"], 1);
}

#[tokio::test]
async fn old_releases_answer_job_stats_once_and_stay_silent() {
    let Fixture { simulator, client, dir: _dir } =
        fixture(|config| config.release = "0.54".parse().unwrap()).await;
    let mut stats = client.stream(JOB_STATS, 0, &json!({})).unwrap();
    next(&mut stats).await;
    simulator.submit(Need::cores(1), None).unwrap();
    // What is sent later is answered earlier: more would have come before this.
    assert_eq!(get(&client, JOB_STATS).await.unwrap()["job_states"]["run"], 1);
    assert!(timeout(Duration::from_millis(500), stats.next()).await.is_err());
    let listed = get(&client, "job-list.stats-get").await.unwrap();
    assert_eq!(listed.get("stats_watchers"), None);
}

#[tokio::test]
async fn subscribers_hear_the_heartbeat() {
    let Fixture { simulator, client, dir: _dir } = fixture(|_| ()).await;
    let mut events = client.subscribe("heartbeat").await.unwrap();
    simulator.pulse();
    let event = timeout(DEADLINE, events.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(event.topic, "heartbeat.pulse");
}

#[tokio::test]
async fn events_name_their_publisher_since_0_56() {
    for (release, routes) in [("0.54", 0), ("0.88", 1)] {
        let Fixture { simulator, dir: _dir, .. } =
            fixture(|config| config.release = release.parse().unwrap()).await;
        let mut socket = UnixStream::connect(simulator.socket(0)).await.unwrap();
        let payload = Some(Bytes::from_static(br#"{"topic":"heartbeat.pulse"}"#));
        send(&mut socket, &[Message::request("event.subscribe", NODEID_ANY, 1, payload)]).await;
        assert_eq!(socket.read_u8().await.unwrap(), 0);
        let mut decoder = Decoder::default();
        let event = timeout(DEADLINE, async {
            loop {
                match decoder.next().unwrap() {
                    Some(Frame::Message(message)) if message.topic() == "heartbeat.pulse" => {
                        return message;
                    }
                    Some(_) => simulator.pulse(),
                    None => assert!(socket.read_buf(decoder.fill()).await.unwrap() > 0),
                }
            }
        });
        assert_eq!(event.await.expect("no event").routes.len(), routes, "{release}");
    }
}

#[tokio::test]
async fn other_ranks_pass_on_what_only_rank_0_can_answer() {
    let Fixture { simulator, dir: _dir, .. } = fixture(|config| config.sockets = 2).await;
    let client = broker::connect(&simulator.endpoint(1).unwrap()).await;
    assert_eq!(attribute(&client, "rank").await, "1");
    assert_eq!(attribute(&client, "hostname").await, "flux-sample-1");
    let ask = async |topic, nodeid| {
        client.rpc::<Value>(topic, nodeid, &json!({"name": "broker.online"})).await
    };
    assert!(ask(JOB_STATS, NODEID_ANY).await.is_ok());
    assert!(ask("resource.status", 0).await.is_ok());
    for topic in ["resource.status", "resource.sched-status", "groups.get"] {
        assert_eq!(errno(&ask(topic, NODEID_ANY).await), Some(Errno::EPROTO), "{topic}");
    }
    assert_eq!(errno(&ask(JOB_STATS, 1).await), Some(Errno::ENOSYS));
    simulator.lose(3);
    assert_eq!(errno(&ask("attr.get", 3).await), Some(Errno::EHOSTUNREACH));
}

#[tokio::test]
async fn a_lost_rank_takes_its_socket_along_until_it_is_back() {
    let Fixture { simulator, dir: _dir, .. } = fixture(|config| config.sockets = 2).await;
    let endpoint = simulator.endpoint(1).unwrap();
    let (_client, connection) = Client::connect(&endpoint, ClientConfig::default()).await.unwrap();
    simulator.lose(1);
    timeout(DEADLINE, connection).await.expect("the connection should end");
    let refused = Client::connect(&endpoint, ClientConfig::default()).await.map(|_| ());
    assert!(matches!(refused, Err(ConnectError::Connect { .. })), "{refused:?}");
    simulator.join(1);
    timeout(DEADLINE, async {
        while Client::connect(&endpoint, ClientConfig::default()).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("rank 1 should be back");
}

#[tokio::test]
async fn a_restarted_broker_has_a_later_start_time_and_drops_its_clients() {
    let Fixture { simulator, client, dir: _dir } = fixture(|_| ()).await;
    let (before, uuid) =
        (attribute(&client, "broker.starttime").await, attribute(&client, "broker.uuid").await);
    simulator.restart().await;
    assert!(matches!(get(&client, JOB_STATS).await, Err(RpcError::Disconnected { .. })));
    let client = broker::connect(&simulator.endpoint(0).unwrap()).await;
    let after = attribute(&client, "broker.starttime").await;
    assert!(after.parse::<f64>().unwrap() > before.parse::<f64>().unwrap());
    assert_ne!(attribute(&client, "broker.uuid").await, uuid);
    assert_eq!(simulator.watchers(), 0);
}

#[tokio::test]
async fn greetings_can_be_refused_withheld_or_cut() {
    let Fixture { simulator, dir: _dir, .. } = fixture(|_| ()).await;
    let endpoint = simulator.endpoint(0).unwrap();
    let connect = async || Client::connect(&endpoint, ClientConfig::default()).await.map(|_| ());
    simulator.greet(Greeting::Refuse(1));
    assert!(matches!(connect().await, Err(ConnectError::Refused { errno: Errno::EPERM })));
    simulator.greet(Greeting::Close);
    assert!(matches!(connect().await, Err(ConnectError::NoHandshake)));
    simulator.greet(Greeting::Silence);
    assert!(timeout(Duration::from_millis(100), connect()).await.is_err());
    simulator.greet(Greeting::Accept);
    simulator.accept(false);
    assert!(timeout(Duration::from_millis(100), connect()).await.is_err());
    simulator.accept(true);
    timeout(DEADLINE, connect()).await.unwrap().unwrap();
}

#[tokio::test]
async fn topics_fail_as_told_and_heal() {
    let Fixture { simulator, client, dir: _dir } = fixture(|_| ()).await;
    simulator.fault("resource.sched-status", Fault::Enosys);
    assert_eq!(errno(&get(&client, "resource.sched-status").await), Some(Errno::ENOSYS));
    simulator.fault("resource.status", Fault::Fail(Errno::EPERM, Some("private mode".to_owned())));
    let Err(RpcError::Failed { text, .. }) = get(&client, "resource.status").await else {
        panic!("should fail")
    };
    assert_eq!(text.as_deref(), Some("private mode"));
    simulator.heal("resource.sched-status");
    assert!(get(&client, "resource.sched-status").await.is_ok());

    simulator.fault(JOB_STATS, Fault::NotJson);
    assert!(matches!(get(&client, JOB_STATS).await, Err(RpcError::Payload { .. })));
    simulator.fault(JOB_STATS, Fault::Oversized(9 * 1024 * 1024));
    assert!(matches!(get(&client, JOB_STATS).await, Err(RpcError::TooLarge { .. })));
    simulator.fault(JOB_STATS, Fault::Delay(Duration::from_millis(100)));
    let start = Instant::now();
    assert!(get(&client, JOB_STATS).await.is_ok());
    assert!(start.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn a_hung_service_says_nothing_and_neither_do_its_streams() {
    let Fixture { simulator, client, dir: _dir } = fixture(|_| ()).await;
    let mut stats = client.stream(JOB_STATS, 0, &json!({})).unwrap();
    next(&mut stats).await;
    simulator.fault(ANY_TOPIC, Fault::Silence);
    simulator.submit(Need::cores(1), None).unwrap();
    assert!(timeout(Duration::from_millis(500), stats.next()).await.is_err());
    let hung = client.rpc::<Value>(JOB_STATS, 0, &());
    assert!(timeout(Duration::from_millis(100), hung).await.is_err());
}

#[tokio::test]
async fn an_error_ends_a_stream() {
    let Fixture { simulator, client, dir: _dir } = fixture(|_| ()).await;
    let mut stats = client.stream(JOB_STATS, 0, &json!({})).unwrap();
    next(&mut stats).await;
    assert_eq!(simulator.watchers(), 1);
    simulator.fault(JOB_STATS, Fault::Fail(Errno::ENODATA, None));
    simulator.submit(Need::cores(1), None).unwrap();
    let end = timeout(DEADLINE, stats.next()).await.unwrap();
    assert!(matches!(end, None | Some(Err(_))), "{end:?}");
    assert_eq!(simulator.watchers(), 0);
}

#[tokio::test]
async fn broken_bytes_end_the_connection() {
    for fault in [Fault::WrongMagic, Fault::Malformed, Fault::CutShort] {
        let Fixture { simulator, client, dir: _dir } = fixture(|_| ()).await;
        simulator.fault(JOB_STATS, fault.clone());
        let answer = get(&client, JOB_STATS).await;
        assert!(matches!(answer, Err(RpcError::Disconnected { .. })), "{fault:?}: {answer:?}");
    }
}

#[tokio::test]
async fn answers_arrive_whole_when_each_byte_is_written_by_itself() {
    let Fixture { simulator, client, dir: _dir } = fixture(|_| ()).await;
    let whole = get(&client, "resource.sched-status").await.unwrap();
    simulator.write_single_bytes(true);
    assert_eq!(get(&client, "resource.sched-status").await.unwrap(), whole);
}

#[tokio::test]
async fn a_client_that_speaks_something_else_is_dropped_without_a_word() {
    let Fixture { simulator, dir: _dir, .. } = fixture(|_| ()).await;
    let mut socket = UnixStream::connect(simulator.socket(0)).await.unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut said = Vec::new();
    // A reset is an end as well.
    drop(timeout(DEADLINE, socket.read_to_end(&mut said)).await.expect("should be dropped"));
    assert!(said.len() <= 1, "{said:?}");
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_dropped() {
    let Fixture { simulator, dir: _dir, .. } = fixture(|_| ()).await;
    simulator.fault("attr.get", Fault::Oversized(30 * 1024 * 1024));
    let mut socket = UnixStream::connect(simulator.socket(0)).await.unwrap();
    let request = |matchtag| {
        let payload = Some(Bytes::from_static(br#"{"name":"size"}"#));
        Message::request("attr.get", 0, matchtag, payload)
    };
    send(&mut socket, &[request(1), request(2), request(3), request(4)]).await;
    let mut said = Vec::new();
    drop(timeout(DEADLINE, socket.read_to_end(&mut said)).await.expect("should be dropped"));
    assert!(said.len() < 90 * 1024 * 1024, "{} bytes", said.len());
}

#[tokio::test]
async fn shutdown_leaves_no_socket_behind() {
    let Fixture { simulator, client, dir: _dir } = fixture(|config| config.sockets = 3).await;
    let sockets: Vec<_> = (0..3).map(|rank| simulator.socket(rank)).collect();
    timeout(DEADLINE, simulator.shutdown()).await.unwrap();
    assert!(sockets.iter().all(|socket| !socket.exists()));
    assert!(get(&client, JOB_STATS).await.is_err());
}

#[tokio::test]
async fn a_jobspec_is_told_to_the_owner_and_what_runs_is_not_listed_as_waiting() {
    let Fixture { simulator, client, dir: _dir } = fixture(|_| ()).await;
    let runs = simulator.submit(Need::Nodes(3), None).unwrap();
    let need = Need::Slots { count: 2, cores: 3, gpus: 1 };
    let waits = simulator.submit_limited(need, None, 90.0).unwrap();
    let list = |states: u32| {
        json!({
            "max_entries": 0, "attrs": ["ncores", "ntasks", "nnodes", "ranks", "duration"],
            "since": 0.0, "constraint": {"states": [states]},
        })
    };
    let waiting: Value = client.rpc("job-list.list", 0, &list(8)).await.unwrap();
    let want = json!([{"id": waits.0, "ncores": 6, "ntasks": 2, "duration": 90.0}]);
    assert_eq!(waiting["jobs"], want);
    let running: Value = client.rpc("job-list.list", 0, &list(16)).await.unwrap();
    let want = json!([{"id": runs.0, "ntasks": 3, "nnodes": 3, "ranks": "0-2", "duration": 0.0}]);
    assert_eq!(running["jobs"], want);

    let lookup = |id: u64| json!({"id": id, "keys": ["jobspec"], "flags": 0});
    let answer: Value = client.rpc("job-info.lookup", 0, &lookup(waits.0)).await.unwrap();
    let jobspec: Value = serde_json::from_str(answer["jobspec"].as_str().unwrap()).unwrap();
    assert_eq!(jobspec["resources"][0]["with"][1], json!({"type": "gpu", "count": 1}));
    assert_eq!(errno(&client.rpc("job-info.lookup", 0, &lookup(1)).await), Some(Errno::ENOENT));
    simulator.set_guests(true);
    let refused = client.rpc("job-info.lookup", 0, &lookup(waits.0)).await;
    assert_eq!(errno(&refused), Some(Errno::EPERM));
}

#[tokio::test]
async fn jobs_of_a_stopped_queue_start_when_it_does() {
    let Fixture { simulator, client, dir: _dir } = fixture(|_| ()).await;
    simulator.set_started("debug", false);
    let job = simulator.submit(Need::cores(1), Some("debug")).unwrap();
    let status = json!({"name": "debug"});
    let answer: Value = client.rpc("job-manager.queue-status", 0, &status).await.unwrap();
    assert_eq!(answer, json!({"enable": true, "start": false}));
    assert_eq!(simulator.states(Some("debug")).unwrap().sched, 1);
    simulator.set_started("debug", true);
    assert_eq!(simulator.state(job), Some(State::Run));
}
