//! One metric read again and again, from gateways and from a bare server, as an aggregator sends it
//! for an autoscaler and as somebody with a token does. Two gateways let anybody read; one finds out
//! who reads and whether they may, and asks that about once in ten seconds, as in a cluster.
//!
//! Each number of connections is measured in rounds, and in each round every server has its turn:
//! what else the machine does meets all of them. Each connection has one request in flight. The time
//! on processors that a read costs both ends is told, too: it is nearly the same on a busy machine.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request};
use http_body_util::Empty;
use system_tests::{
    Client, Connection, FakeApi, FakeCollector, TestCa, TestGateway,
    client::{get, metric_path},
    fake_collector,
};
use tokio::{task::JoinSet, time::Instant};

use crate::{
    bare, runtime, samples,
    spread::{Spread, busy, each, median, micros, rate},
};

/// Turns of each server for each number of connections.
const ROUNDS: usize = 15;

/// The length of a turn. 2 protocols × 3 numbers × 6 rows × 15 rounds are 270 s.
const TURN: Duration = Duration::from_millis(500);

/// Requests that a new connection sends before it counts.
const WARM_UP: usize = 20;

/// Streams on one connection; the gateway takes 250.
const STREAMS: usize = 200;

/// What an aggregator says of the autoscaler that it asks for.
const READER: [(&str, &str); 6] = [
    ("x-remote-user", "system:serviceaccount:kube-system:horizontal-pod-autoscaler"),
    ("x-remote-uid", "6b9a1c3e-8f0d-4a52-9d27-1f4e5c6b7a80"),
    ("x-remote-group", "system:serviceaccounts"),
    ("x-remote-group", "system:serviceaccounts:kube-system"),
    ("x-remote-group", "system:authenticated"),
    (
        "x-remote-extra-authentication.kubernetes.io%2fcredential-id",
        "JTI=0f8c2a4e-6b1d-4c3f-8a5e-7d9b0c1e2f3a",
    ),
];

/// Bytes of a token of a service account of today.
const TOKEN_BYTES: usize = 1_000;

/// What the gateway should reach of the bare server.
const GOAL: f64 = 0.8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

type Read = Request<Empty<Bytes>>;

/// A server, and a request that it gets again and again.
struct Row {
    name: &'static str,
    client: Client,
    request: Read,
    spread: Spread,
    rates: Vec<f64>,
    /// Time on processors, of both ends.
    busy: Duration,
}

pub(crate) fn measure() {
    let ca = TestCa::new();
    // Each server has a runtime of its own, of the same size; those that have no turn cost nothing.
    let [one, thousand, asking, bare, load] = [(); 5].map(|()| runtime());
    let flags = ["--max-age", "12h", "--log-level", "warn"];
    // A thousand MiniClusters in one namespace are more than a gateway keeps unless it is told to.
    let flags = [&flags[..], &["--max-series-per-namespace", "131072"]].concat();
    let small = one.block_on(TestGateway::start(&ca, &flags));
    let large = thousand.block_on(TestGateway::start(&ca, &flags));
    let proxies = TestCa::new();
    let token: String = std::iter::repeat_n('x', TOKEN_BYTES).collect();
    let api = load.block_on(api(&proxies, &token));
    let kubeconfig = api.kubeconfig();
    let flags = [&flags[..], &["--kubeconfig", &kubeconfig]].concat();
    let asked = asking.block_on(TestGateway::start_asking(&ca, &flags));
    let proxy = asked.client().with_certificate(&ca, &proxies.client("front-proxy-client"));
    let collectors = load.block_on(async {
        (fill(&small, 1).await, fill(&large, 1_000).await, fill(&asked, 1).await)
    });
    let answer = load.block_on(small.client().get(&metric_path("mc0", "node_up_count")));
    let size = answer.body.len();
    let bare = bare.block_on(bare::start(&ca, answer.body));
    let bare = Client::new(&ca, bare);

    let by_aggregator = with(&READER);
    let by_token = with(&[("authorization", &format!("Bearer {token}"))]);
    let row = |name, client: &Client, request: &Read| Row {
        name,
        client: client.clone(),
        request: request.clone(),
        spread: Spread::default(),
        rates: Vec::new(),
        busy: Duration::ZERO,
    };
    // Each begins with the bare server, which gets the same request.
    let mut groups = [
        vec![
            row("bare hyper + rustls", &bare, &by_aggregator),
            row("gateway, 1 MiniCluster", small.client(), &by_aggregator),
            row("gateway, 1,000 MiniClusters", large.client(), &by_aggregator),
            row("gateway, 1, asks who reads", &proxy, &by_aggregator),
        ],
        vec![
            row("bare, by a token", &bare, &by_token),
            row("gateway, 1, by a token", asked.client(), &by_token),
        ],
    ];
    println!("\nmetric read over TLS, {size} bytes of JSON, beside a bare server; goal {GOAL}");
    println!(
        "  protocol  conns  server                          req/s   p50 µs   p99 µs   CPU µs  ratio"
    );
    for protocol in [Protocol::Http1, Protocol::Http2] {
        for connections in [1, 16, 64] {
            for _ in 0..ROUNDS {
                for row in groups.iter_mut().flatten() {
                    let (spread, busy) = load.block_on(turn(row, protocol, connections));
                    row.busy += busy;
                    row.rates.push(rate(spread.len(), TURN));
                    row.spread.merge(&spread);
                }
            }
            for group in &mut groups {
                print(protocol, connections, group);
            }
        }
    }
    drop(collectors);
}

/// An API server that lets the autoscaler read, by this token too, and trusts these front proxies.
async fn api(proxies: &TestCa, token: &str) -> FakeApi {
    let api = FakeApi::start().await;
    api.trust(&[
        ("requestheader-client-ca-file", &proxies.pem()),
        ("requestheader-allowed-names", r#"["front-proxy-client"]"#),
        ("requestheader-username-headers", r#"["X-Remote-User"]"#),
        ("requestheader-uid-headers", r#"["X-Remote-Uid"]"#),
        ("requestheader-group-headers", r#"["X-Remote-Group"]"#),
        ("requestheader-extra-headers-prefix", r#"["X-Remote-Extra-"]"#),
    ]);
    let [(_, user), ..] = READER;
    api.give_token(token, user, &["system:serviceaccounts", "system:serviceaccounts:kube-system"]);
    api.allow(&format!(
        "{user} get custom.metrics.k8s.io/v1beta2 miniclusters.flux-framework.org node_up_count \
         mc0 hpc"
    ));
    api
}

/// Lets this many MiniClusters report, each with every metric of an instance.
async fn fill(gateway: &TestGateway, miniclusters: usize) -> Vec<FakeCollector> {
    let mut collectors = Vec::new();
    let mut channel = gateway.channel().await;
    for number in 0..miniclusters {
        if number % STREAMS == STREAMS - 1 {
            channel = gateway.channel().await;
        }
        let hello = fake_collector::hello(&format!("mc{number}"));
        let mut collector = FakeCollector::connect(channel.clone(), hello).await.expect("a stream");
        collector.report(&samples::values()).await.expect("an ack");
        collectors.push(collector);
    }
    collectors
}

/// A read with these headers.
fn with(headers: &[(&'static str, &str)]) -> Read {
    let mut request = get(&metric_path("mc0", "node_up_count"));
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).expect("a header");
        request.headers_mut().append(*name, value);
    }
    request
}

/// Reads as fast as it goes for one turn, on new connections. Tells also how long processors were busy
/// with it.
async fn turn(row: &Row, protocol: Protocol, connections: usize) -> (Spread, Duration) {
    let (client, request) = (&row.client, &row.request);
    let mut ready = Vec::new();
    for _ in 0..connections {
        let mut connection = match protocol {
            Protocol::Http1 => client.connect_http1().await,
            Protocol::Http2 => client.connect_http2().await,
        }
        .expect("a connection");
        for _ in 0..WARM_UP {
            read(&mut connection, request).await;
        }
        ready.push(connection);
    }
    let (end, busy) = (Instant::now() + TURN, busy());
    let mut tasks: JoinSet<_> =
        ready.into_iter().map(|c| read_until(c, request.clone(), end)).collect();
    let mut all = Spread::default();
    while let Some(spread) = tasks.join_next().await {
        all.merge(&spread.expect("no reader panics"));
    }
    (all, self::busy().saturating_sub(busy))
}

async fn read_until(mut connection: Connection, request: Read, end: Instant) -> Spread {
    let mut spread = Spread::default();
    loop {
        let start = Instant::now();
        if start >= end {
            return spread;
        }
        read(&mut connection, &request).await;
        spread.add(start.elapsed());
    }
}

async fn read(connection: &mut Connection, request: &Read) {
    let answer = connection.ask(request.clone()).await;
    assert_eq!(answer.expect("an answer").status, 200);
}

fn print(protocol: Protocol, connections: usize, group: &mut [Row]) {
    let bare = group.first().map(|bare| bare.rates.clone()).unwrap_or_default();
    for row in group {
        let rates = std::mem::take(&mut row.rates);
        // The servers of one round met the same machine.
        let ratios = rates.iter().zip(&bare).map(|(own, bare)| own / bare).collect();
        let mut spread = std::mem::take(&mut row.spread);
        println!(
            "  {:<8} {connections:>6}  {:<27} {:>9.0} {:>8.0} {:>8.0} {:>8.1} {:>6.2}",
            match protocol {
                Protocol::Http1 => "HTTP/1.1",
                Protocol::Http2 => "HTTP/2",
            },
            row.name,
            median(rates),
            micros(spread.percentile(50)),
            micros(spread.percentile(99)),
            micros(each(std::mem::take(&mut row.busy), spread.len())),
            median(ratios),
        );
    }
}
