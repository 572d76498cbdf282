//! A stranger on the network: it reaches both ports, and has no credential.

use fluxgauge_gateway::{
    auth::{MAX_WAITING_OF_PEER, TOKEN_REVIEWS, collectors::MAX_UNPROVED_OF_PEER},
    serve::LEAST_OF_PEER,
};
use fluxgauge_proto::v1::{Ack, ReportRequest, telemetry_client::TelemetryClient};
use http::Request;
use system_tests::{DEADLINE, FakeApi, client, eventually, fake_api::Mood, is};
use tokio::{net::TcpSocket, sync::mpsc, task::JoinSet, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Streaming, transport::Channel};

use super::*;

/// A stream of which nothing is said.
struct Silent {
    _messages: mpsc::Sender<ReportRequest>,
    acks: Streaming<Ack>,
}

impl Silent {
    async fn open(channel: &Channel) -> Result<Self, Status> {
        let (messages, queue) = mpsc::channel(1);
        let mut client = TelemetryClient::new(channel.clone());
        let answer = client.report(ReceiverStream::new(queue)).await?;
        Ok(Self { _messages: messages, acks: answer.into_inner() })
    }
}

#[tokio::test]
async fn a_stranger_that_holds_all_it_can_keeps_no_collector_out() {
    // Of so few connections one address may have less than all.
    let most = (LEAST_OF_PEER + 16).to_string();
    let world = World::start(&["--max-collectors", &most]).await;
    let mut bystander = world.bystander().await;
    let newcomer = async || {
        let channel = world.gateway.channel().await;
        let connected = FakeCollector::connect_with(channel, hello("hpc", 1), Some(HPC)).await;
        connected.expect("another collector of somebody else comes").leave().await;
    };

    // Streams that say nothing, as many as one connection carries.
    let channel = world.gateway.channel_from(ELSEWHERE).await;
    let held = bystander.beside(async {
        let (mut held, mut refusals) = (Vec::new(), 0);
        for _ in 0..MAX_UNPROVED_OF_PEER + 32 {
            match Silent::open(&channel).await {
                Ok(silent) => held.push(silent),
                Err(refusal) => {
                    assert_eq!(refusal.code(), Code::ResourceExhausted, "{refusal}");
                    refusals += 1;
                }
            }
        }
        assert!(refusals >= 32, "{refusals} are refused");
        newcomer().await;
        held
    });
    let held = held.await;
    for mut silent in held {
        let end = bystander.beside(async { silent.acks.message().await.unwrap_err() }).await;
        assert_eq!(end.code(), Code::DeadlineExceeded, "{end}");
    }

    // Connections on which nothing is said.
    let mut open = Vec::new();
    for _ in 0..LEAST_OF_PEER {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((ELSEWHERE, 0).into()).unwrap();
        open.push(socket.connect(world.gateway.ingest).await.unwrap());
    }
    let one_more = bystander.beside(world.stranger().connect_h2()).await;
    one_more.expect_err("one address has its share");
    bystander.beside(newcomer()).await;
    drop(open);
}

#[tokio::test]
async fn of_a_stranger_a_hello_is_read_and_no_more() {
    let world = World::start(&[]).await;
    let long = Hello { collector_version: "x".repeat(512 * 1024), ..hello("hpc", 0) };
    let mut bystander = world.bystander().await;
    let channel = world.gateway.channel_from(ELSEWHERE).await;
    let refusals = bystander.beside(async {
        let mut refusals = Vec::new();
        for token in [None, Some("of-nobody-0123456789"), Some(HPC)] {
            let connected = FakeCollector::connect_with(channel.clone(), long.clone(), token);
            refusals.push(connected.await.expect_err("it is let in"));
        }
        refusals
    });
    for refusal in refusals.await {
        assert_eq!(refusal.code(), Code::ResourceExhausted, "{refusal}");
        assert!(refusal.message().contains("a hello of at most 8192 bytes"), "{refusal}");
    }
}

#[tokio::test]
async fn whoever_asks_collectors_port_for_anything_else_is_put_out() {
    let world = World::start(&[]).await;
    let (mut connection, driven) = world.stranger().connect_http2_driven().await.unwrap();
    let request = Request::get("https://gateway.test/metrics").body(Default::default()).unwrap();
    let answer = connection.ask(request).await.unwrap();
    assert_eq!(answer.headers["grpc-status"], "12", "{answer:?}");
    timeout(DEADLINE, driven).await.expect("the gateway ends the connection").unwrap().unwrap();
}

#[tokio::test]
async fn a_stranger_with_bad_tokens_keeps_no_autoscaler_and_no_reader_waiting() {
    let (ca, proxies, api) = (TestCa::new(), TestCa::new(), FakeApi::start().await);
    api.trust(&[
        ("requestheader-client-ca-file", &proxies.pem()),
        ("requestheader-allowed-names", "[]"),
        ("requestheader-username-headers", r#"["X-Remote-User"]"#),
        ("requestheader-group-headers", r#"["X-Remote-Group"]"#),
    ]);
    api.give_token("of-a-reader", "alice", &["system:masters"]);
    let kubeconfig = api.kubeconfig();
    let gateway = TestGateway::start_asking(&ca, &["--kubeconfig", &kubeconfig]).await;
    let hello = fake_collector::hello("mc0");
    let mut lead = FakeCollector::connect(gateway.channel().await, hello).await.unwrap();
    lead.report(&[("node_up_count", 4.0)]).await.unwrap();
    let read = |token: Option<String>| {
        let mut request = client::get(&client::metric_path("mc0", "node_up_count"));
        if let Some(token) = token {
            let token = format!("Bearer {token}").parse().unwrap();
            request.headers_mut().insert("authorization", token);
        }
        request
    };
    let aggregator = gateway.client().with_certificate(&ca, &proxies.client("proxy"));
    let by_aggregator = async || {
        let mut request = read(None);
        request.headers_mut().insert("x-remote-user", "hpa".parse().unwrap());
        request.headers_mut().insert("x-remote-group", "system:masters".parse().unwrap());
        aggregator.send(request).await.unwrap().value()
    };
    eventually("the aggregator is believed", by_aggregator).await;

    // While Kubernetes has not answered yet, more come than may wait of one address.
    api.be(Mood::Waits);
    let before = api.arrived();
    let mut flood = JoinSet::new();
    for nth in 0..MAX_WAITING_OF_PEER * 2 {
        let (stranger, request) =
            (gateway.client().from(ELSEWHERE), read(Some(format!("bad-{nth}"))));
        flood.spawn(async move { stranger.send(request).await.map(|answer| answer.status) });
    }
    let first = flood.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(first, 500, "it waits no longer than it may");
    assert!(api.arrived() - before <= TOKEN_REVIEWS, "{}", api.arrived());
    assert_eq!(by_aggregator().await, Ok(4.0));
    let reader = gateway.client().clone();
    let reads =
        tokio::spawn(async move { reader.send(read(Some("of-a-reader".to_owned()))).await });
    api.be(Mood::Answers);
    let answer = timeout(DEADLINE, reads).await.unwrap().unwrap().unwrap();
    assert_eq!(answer.value(), Ok(4.0));
    while let Some(status) = flood.join_next().await {
        let status = status.unwrap().unwrap();
        assert!(matches!(status, 401 | 500), "{status}");
    }
    is(api.token_reviews().len() <= MAX_WAITING_OF_PEER + 1).unwrap();
}
