//! What a namespace may have, and what becomes of others while one has it.

use super::*;

const HPC: &str = "0123456789abcdef-of-hpc";
const LAB: &str = "0123456789abcdef-of-lab";

/// A gateway with little room for each namespace.
async fn narrow() -> (TestGateway, TempDir) {
    let dir = token_dir(&[("hpc", HPC), ("lab", LAB)]);
    let more = ["--max-collectors-per-namespace", "2", "--max-series-per-namespace", "10"];
    (by_tokens(&TestCa::new(), &dir, &more).await, dir)
}

async fn connect(channel: &Channel, rank: u32) -> Result<FakeCollector, Status> {
    FakeCollector::connect_with(channel.clone(), hello("mc0", rank), Some(HPC)).await
}

/// Broker metrics, which every rank may report.
fn series(number: usize) -> Vec<(String, f64)> {
    (0..number).map(|n| (format!("broker_metric_{n}"), 1.0)).collect()
}

/// Reports so many series of the broker.
async fn report(
    collector: &mut FakeCollector,
    number: usize,
    name_bytes: usize,
) -> Result<(), Status> {
    let names = series(number);
    let mut sample = fake_collector::sample(&[]);
    sample.series = names
        .iter()
        .map(|(name, value)| {
            let long = format!("{name:a<name_bytes$}");
            let mut series = fake_collector::series(&long, *value);
            series.key.as_mut().unwrap().scope = fluxgauge_proto::v1::Scope::Broker.into();
            series
        })
        .collect();
    collector.send(sample).await.map(drop)
}

#[tokio::test]
async fn a_namespace_at_its_bound_of_collectors_is_refused_more_and_others_are_not() {
    let (gateway, _dir) = narrow().await;
    let channel = gateway.channel().await;
    let lead = connect(&channel, 0).await.unwrap();
    let _worker = connect(&channel, 1).await.unwrap();
    let refused = connect(&channel, 2).await.unwrap_err();
    says(&refused, Code::ResourceExhausted, "--max-collectors-per-namespace");
    let other = Hello { namespace: "lab".to_owned(), ..hello("mc0", 0) };
    let mut other = FakeCollector::connect_with(channel.clone(), other, Some(LAB)).await.unwrap();
    other.report(&UP).await.unwrap();
    // One that comes again, as with a new credential, is no other one.
    let again = connect(&channel, 0).await.unwrap();
    drop(lead);
    again.leave().await;
    connect(&channel, 2).await.unwrap();
}

#[tokio::test]
async fn a_namespace_at_its_bound_of_series_or_of_text_is_refused_more() {
    let (gateway, _dir) = narrow().await;
    let channel = gateway.channel().await;
    let (mut lead, mut worker) =
        (connect(&channel, 0).await.unwrap(), connect(&channel, 1).await.unwrap());
    report(&mut lead, 6, 0).await.unwrap();
    report(&mut worker, 4, 0).await.unwrap();
    // As many again are no more.
    report(&mut worker, 4, 0).await.unwrap();
    let refused = report(&mut worker, 5, 0).await.unwrap_err();
    says(&refused, Code::ResourceExhausted, "would have 11 series, and may have 10");
    let other = Hello { namespace: "lab".to_owned(), ..hello("mc0", 1) };
    let mut other = FakeCollector::connect_with(channel.clone(), other, Some(LAB)).await.unwrap();
    report(&mut other, 10, 0).await.unwrap();

    lead.leave().await;
    let mut worker = connect(&channel, 1).await.unwrap();
    report(&mut worker, 9, 200).await.unwrap();
    let refused = report(&mut worker, 10, 253).await;
    says(&refused.unwrap_err(), Code::ResourceExhausted, "bytes of names, labels and failures");
}

#[tokio::test]
async fn a_stream_without_a_hello_is_ended() {
    use fluxgauge_proto::v1::{ReportRequest, telemetry_client::TelemetryClient};
    use tokio_stream::wrappers::ReceiverStream;

    let (gateway, _dir) = narrow().await;
    let (_messages, queue) = tokio::sync::mpsc::channel::<ReportRequest>(1);
    let mut client = TelemetryClient::new(gateway.channel().await);
    let answer = client.report(ReceiverStream::new(queue)).await.unwrap();
    let end = answer.into_inner().message().await.unwrap_err();
    says(&end, Code::DeadlineExceeded, "no hello for 5 s");
}

#[tokio::test]
async fn whoever_is_refused_keeps_no_connection() {
    let (gateway, _dir) = narrow().await;
    let stream = gateway.connect_raw().await;
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake::<_, _, http_body_util::Empty<bytes::Bytes>>(
            executor, io,
        )
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let request =
        http::Request::post("https://gateway.test/fluxgauge.telemetry.v1.Telemetry/Report")
            .header("content-type", "application/grpc")
            .body(http_body_util::Empty::new())
            .unwrap();
    sender.send_request(request).await.unwrap();
    tokio::time::timeout(system_tests::DEADLINE, connection).await.unwrap().unwrap().unwrap();
}
