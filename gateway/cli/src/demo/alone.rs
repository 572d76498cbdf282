//! The story without a cluster: a broker, a collector, a gateway, and who reads its REST API.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use tokio::time::{Instant, MissedTickBehavior, interval};

use self::introduction::Introduction;
use crate::{
    args::Demo,
    demo::{
        READINGS, Stage,
        certificates::{self, Certificates, Files},
        children::Role,
        gateway::{self, Addresses},
        metric_path,
        parts::{START_TIMEOUT, until, words},
        reader::Reader,
        table::Table,
    },
};

mod introduction;

/// The namespace that is played.
const NAMESPACE: &str = "demo";

/// The pod of the lead broker, named as the Flux Operator's Job names it.
const POD: &str = "flux-sample-0-demo0";

/// The directory of tokens by which the gateway knows collectors, each named after its namespace.
const COLLECTOR_TOKENS: &str = "collector-tokens";

/// Plays until the time is over.
pub(super) async fn play(args: &Demo, stage: &mut Stage) -> anyhow::Result<()> {
    let certificates = Certificates::create().context("cannot make certificates")?;
    let files = certificates
        .write(&stage.dir)
        .with_context(|| format!("cannot write certificates to {}", stage.dir.display()))?;
    let broker = match &args.flux_uri {
        Some(endpoint) => endpoint.to_string(),
        None => start_simulator(stage).await?,
    };
    let tokens = stage.dir.join(COLLECTOR_TOKENS);
    let token = write_token(&tokens)
        .with_context(|| format!("cannot write a token to {}", tokens.display()))?;
    let trusted = [
        ("--kubernetes", "off".as_ref()),
        ("--reader-token-file", files.reader_token.as_os_str()),
        ("--collector-token-dir", tokens.as_os_str()),
    ];
    let addresses = gateway::start(&mut stage.parts, args, &files, &trusted).await?;
    start_collector(stage, &files, &token, addresses, &broker).await?;
    let Certificates { authority, reader_token, .. } = &certificates;
    let mut reader = Reader::new(authority, reader_token, addresses.api)?;
    let path = [metric_path(NAMESPACE, "node_up_count")];
    let read = async || reader.read(&path).await.pop();
    stage.parts.first_value(Role::Collector, START_TIMEOUT, read).await?;
    let introduction = Introduction {
        parts: stage.parts.known(),
        broker: &broker,
        simulated: args.flux_uri.is_none(),
        ingest: addresses.ingest,
        dir: &stage.dir,
        ca: &files.ca,
        reader_token: &files.reader_token,
        max_age: args.max_age,
    };
    stage.screen.say(&introduction.text(|path| reader.url(path)))?;
    watch(args, stage, &mut reader).await
}

/// Plays a Flux instance; returns its URI.
async fn start_simulator(stage: &mut Stage) -> anyhow::Result<String> {
    let args = words(&[("--dir", stage.temporary.join("flux").as_os_str())]);
    let line = stage.parts.start(Role::Simulator, &args, flux_simulator::READY).await?;
    let uri = line.strip_prefix(flux_simulator::READY).unwrap_or_default().trim();
    Ok(uri.to_owned())
}

/// Makes the token of the namespace that is played.
fn write_token(tokens: &Path) -> io::Result<PathBuf> {
    fs::create_dir_all(tokens)?;
    certificates::write_token(tokens, NAMESPACE)
}

/// Reads the broker, and reports to the gateway.
async fn start_collector(
    stage: &mut Stage,
    files: &Files,
    token: &Path,
    addresses: Addresses,
    broker: &str,
) -> anyhow::Result<()> {
    let args = words(&[
        ("--gateway", format!("https://{}", addresses.ingest).as_ref()),
        ("--ca", files.ca.as_os_str()),
        ("--token-file", token.as_os_str()),
        ("--namespace", NAMESPACE.as_ref()),
        ("--minicluster", super::MINICLUSTER.as_ref()),
        ("--pod", POD.as_ref()),
        ("--flux-uri", broker.as_ref()),
    ]);
    stage.parts.spawn(Role::Collector, &args, "").await?;
    Ok(())
}

/// Shows the metrics until the time is over.
async fn watch(args: &Demo, stage: &mut Stage, reader: &mut Reader) -> anyhow::Result<()> {
    let Stage { screen, parts, .. } = stage;
    let mut table = Table::default();
    let paths: Vec<_> = table.rows.iter().map(|row| metric_path(NAMESPACE, row.name)).collect();
    let start = Instant::now();
    let end = args.length.map(|length| start + length);
    let mut tick = interval(READINGS);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            () = until(end) => return Ok(()),
            end = parts.next_end() => screen.say(&parts.mourn(&end))?,
            _ = tick.tick() => {
                let change = table.update(reader.read(&paths).await);
                screen.show(start.elapsed(), &parts.title(), &table, &change, &[])?;
            }
        }
    }
}
