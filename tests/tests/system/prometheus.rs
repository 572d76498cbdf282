//! `/metrics`: read as Prometheus reads it, checked as `promtool check metrics` checks it.

use std::{collections::BTreeMap, process::Stdio};

use control_plane::Programs;
use http::{
    Request,
    header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION},
};
use http_body_util::Empty;
use system_tests::{
    Answer, Client, FakeApi, FakeCollector, Path, TestCa, TestGateway, client::get, eventually,
    fake_collector, is, plane,
};
use tokio::{io::AsyncWriteExt as _, process::Command};

/// What Prometheus 3 sends.
const PROMETHEUS: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                          application/openmetrics-text;version=0.0.1;q=0.5,\
                          text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                          text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Read = Request<Empty<bytes::Bytes>>;

fn metrics(accept: &str) -> Read {
    let mut request = get("/metrics");
    request.headers_mut().insert(ACCEPT, accept.parse().unwrap());
    request
}

async fn scrape(client: &Client, accept: &str) -> Answer {
    let answer = client.send(metrics(accept)).await.unwrap();
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    answer
}

fn content_type(answer: &Answer) -> &str {
    answer.headers["content-type"].to_str().unwrap()
}

/// The lines of a page by their series.
fn lines(answer: &Answer) -> BTreeMap<String, f64> {
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let parsed = lines.map(|line| {
        let (series, value) = line.rsplit_once(' ').unwrap();
        (series.to_owned(), value.parse().unwrap())
    });
    parsed.collect()
}

#[tokio::test]
async fn the_values_of_a_broker_are_read_in_the_format_that_is_asked_for() {
    let path = Path::start(&[]).await;
    let client = path.gateway.client();
    for (accept, want) in [
        (PROMETHEUS, OPEN_METRICS),
        ("text/plain;version=0.0.4", TEXT),
        ("text/plain", TEXT),
        ("application/openmetrics-text", OPEN_METRICS),
        ("application/openmetrics-text;version=0.0.1,*/*;q=0.1", TEXT),
        ("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", TEXT),
        ("application/json", TEXT),
        ("*/*", TEXT),
    ] {
        let answer = scrape(client, accept).await;
        assert_eq!(content_type(&answer), want, "{accept}");
        assert_eq!(answer.headers["vary"], "Accept");
    }
    let up = path.metric("node_up_count").await.unwrap();
    let answer = scrape(client, "*/*").await;
    let lines = lines(&answer);
    let of = |family: &str, labels: &str| {
        let series = format!(r#"{family}{{namespace="hpc",minicluster="mc0"{labels}}}"#);
        *lines.get(&series).unwrap_or_else(|| panic!("{series} is not in {lines:#?}"))
    };
    assert_eq!(of("flux_nodes", r#",state="up""#), up);
    assert_eq!(of("flux_up", ""), 1.0);
    let by_queue = of("flux_queue_jobs", r#",queue="batch",state="run""#)
        + of("flux_queue_jobs", r#",queue="debug",state="run""#);
    assert_eq!(by_queue, of("flux_jobs", r#",state="run""#));
    assert!(lines.keys().any(|series| series.starts_with("flux_broker_up{")), "{lines:#?}");
    assert_eq!(lines["fluxgauge_streams_open"], 1.0);
    // The first second of 4096, as certificates of tests have it.
    assert_eq!(lines["fluxgauge_certificate_not_after_seconds"], 67_090_118_400.0);
    assert!(lines["fluxgauge_samples_received_total"] > 0.0);
    assert!(lines[r#"fluxgauge_reads_total{form="custom",code="200"}"#] > 0.0);
}

#[tokio::test]
async fn a_large_page_is_compressed_for_who_takes_that() {
    let ca = TestCa::new();
    let gateway = TestGateway::start(&ca, &[]).await;
    let mut collector =
        FakeCollector::connect(gateway.channel().await, fake_collector::hello("mc0"))
            .await
            .unwrap();
    let queues: Vec<_> = (0..2_000).map(|queue| format!("node_up_count{{q{queue}}}")).collect();
    let values: Vec<_> = queues.iter().map(|name| (name.as_str(), 1.0)).collect();
    collector.report(&values).await.unwrap();
    let plain = scrape(gateway.client(), "*/*").await;
    assert_eq!(
        lines(&plain).keys().filter(|one| one.starts_with("flux_queue_nodes{")).count(),
        2_000
    );
    let mut request = metrics("*/*");
    request.headers_mut().insert(ACCEPT_ENCODING, "gzip".parse().unwrap());
    let packed = gateway.client().send(request).await.unwrap();
    assert_eq!(packed.headers["content-encoding"], "gzip");
    assert!(packed.body.len() * 5 < plain.body.len());
}

#[tokio::test]
async fn who_may_get_the_path_reads_all_and_nobody_else_does() {
    let (api, ca) = (FakeApi::start().await, TestCa::new());
    let kubeconfig = api.kubeconfig();
    let gateway = TestGateway::start_asking(&ca, &["--kubeconfig", &kubeconfig]).await;
    for (token, user) in [("of-prometheus", "prometheus"), ("of-mallory", "mallory")] {
        api.give_token(token, user, &[]);
    }
    api.allow("prometheus get /metrics");
    let with = |token: &str| {
        let mut request = metrics("*/*");
        request.headers_mut().insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        gateway.client().send(request)
    };
    let refusal = with("of-mallory").await.unwrap().refusal(403);
    assert_eq!(refusal, r#"forbidden: User "mallory" cannot get path "/metrics""#);
    assert_eq!(api.last_access_review()["spec"]["nonResourceAttributes"]["path"], "/metrics");
    gateway.client().send(metrics("*/*")).await.unwrap().refusal(403);
    let read = eventually("the gateway believes tokens", async || {
        let answer = with("of-prometheus").await.unwrap();
        if answer.status == 200 { Ok(lines(&answer)) } else { Err(answer.status) }
    })
    .await;
    assert!(read[r#"fluxgauge_reviews_total{kind="SubjectAccessReview"}"#] >= 2.0);
    assert_eq!(read[r#"fluxgauge_reviews_failed_total{kind="SubjectAccessReview"}"#], 0.0);
    assert_eq!(read[r#"fluxgauge_reads_total{form="metrics",code="403"}"#], 2.0);
    let again = lines(&with("of-prometheus").await.unwrap());
    let hit = r#"fluxgauge_authorization_cache_lookups_total{cache="decisions",result="hit"}"#;
    assert!(again[hit] > read[hit], "{} {}", again[hit], read[hit]);
}

#[tokio::test]
async fn errors_of_the_watch_of_pods_are_counted_while_it_is_interrupted() {
    let (mut api, ca) = (FakeApi::start().await, TestCa::new());
    let kubeconfig = api.kubeconfig();
    let gateway = TestGateway::start(&ca, &["--kubeconfig", &kubeconfig]).await;
    let errors = async || {
        let lines = lines(&scrape(gateway.client(), "*/*").await);
        lines.get("fluxgauge_pods").map(|_| lines["fluxgauge_pod_watch_errors_total"])
    };
    let before = eventually("pods are known", async || errors().await.ok_or("unknown")).await;
    api.stop().await;
    eventually("errors are counted", async || {
        is(errors().await.is_some_and(|errors| errors >= before + 2.0))
    })
    .await;
}

#[tokio::test]
async fn prometheus_reads_both_formats_alike_and_finds_nothing_wrong() {
    let Some(programs) = plane::programs() else { return };
    let path = Path::start(&[]).await;
    let mut collector =
        FakeCollector::connect(path.gateway.channel().await, fake_collector::hello("newer"))
            .await
            .unwrap();
    collector
        .report(&[("of_tomorrow_count", 1.5), ("of_tomorrow_count{a\"b\\c}", 1.0)])
        .await
        .unwrap();
    let client = path.gateway.client();
    let (text, open) = (scrape(client, TEXT).await, scrape(client, OPEN_METRICS).await);
    let (text, open) = (stored(&programs, &text).await, stored(&programs, &open).await);
    // The gateway's own counters go on between the two.
    let values = |said: &str| -> Vec<String> {
        let lines = said.lines().filter(|line| line.contains("\"flux_"));
        lines.filter(|line| !line.contains("_seconds")).map(str::to_owned).collect()
    };
    assert!(values(&text).len() > 80, "{text}");
    assert_eq!(values(&text), values(&open));
}

/// What Prometheus stores of a page; its linter has nothing to say.
async fn stored(programs: &Programs, page: &Answer) -> String {
    let mut child = Command::new(programs.path())
        .args(["scrape", "--content-type", content_type(page)])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let body = page.body.clone();
    // One that has failed reads no more, and says why below.
    let write = async move { stdin.write_all(&body).await.ok() };
    let (_, output) = tokio::join!(write, child.wait_with_output());
    let output = output.unwrap();
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{why}\n{:?}", page.body);
    String::from_utf8(output.stdout).unwrap()
}
