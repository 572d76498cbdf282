//! The connection to the broker: finds it, learns who it is, runs the sources, and starts over.
//!
//! A broker may start after the collector, restart beside it, and go for good: this goes on for
//! ever, and [`crate::lifecycle`] decides when it is over.

use std::{convert::Infallible, path::PathBuf, sync::Arc, time::Duration};

use flux_client::{
    Client, ClientConfig, ConnectError, Connection, Errno, RpcError, endpoint, message::NODEID_ANY,
};
use serde::Deserialize;
use serde_json::json;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use tracing::{info, warn};

use crate::{
    backoff::Backoff,
    identity::Identity,
    pace::PaceReader,
    sources::{
        self, Context, demand, job_stats::JobStats, journal, online::Online, queue_status,
        resource_journal, sched_status, snapshots, statuses,
    },
    state::{Board, Broker, Cause},
};

/// How long a broker may take to accept a connection, and to say who it is.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the broker is, and who asks.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    /// The socket, when it is named.
    pub(crate) flux_uri: Option<String>,
    /// Below which the usual places are.
    pub(crate) root: PathBuf,
    /// Bytes of the longest message that is taken.
    pub(crate) max_frame: usize,
    /// Compared with what the broker says of itself.
    pub(crate) identity: Identity,
    /// For how long ranks are idle before a size falls below them.
    pub(crate) hold_down: Duration,
}

/// A broker that could not be had.
#[derive(Debug, thiserror::Error)]
enum MeetError {
    #[error("no socket at {0}")]
    NoSocket(String),
    #[error("{error}{}", crate::chain::causes(.error))]
    Connect { error: ConnectError },
    #[error("{0} did not accept the connection within {limit}", limit = humantime::format_duration(PATIENCE))]
    Hangs(endpoint::Endpoint),
    #[error("the broker does not say who it is: {0}")]
    Mute(String),
}

/// Keeps the board up to date for ever.
pub(crate) async fn follow(search: Search, board: Board, pace: PaceReader) -> Infallible {
    let mut backoff = Backoff::new();
    let mut said = String::new();
    let mut connections = 0;
    loop {
        match search.meet().await {
            Ok((client, connection, broker)) => {
                info!(
                    rank = broker.rank,
                    size = broker.size,
                    hostname = broker.hostname,
                    version = broker.version,
                    "connected to the broker"
                );
                for doubt in search.identity.doubts(&broker) {
                    warn!("{doubt}");
                }
                said.clear();
                let met = Instant::now();
                let context = Context {
                    client,
                    board: board.clone(),
                    pace: pace.clone(),
                    broker: Arc::new(broker),
                    changes: watch::Sender::new(Cause::now("start")),
                    hold_down: search.hold_down,
                    reconnects: connections,
                };
                connections += 1;
                let why = serve(context, connection).await;
                warn!(reason = %why, "the broker is gone; all of its metrics are absent");
                board.lost(&format!("no broker: {why}"));
                if met.elapsed() > Backoff::CAP {
                    backoff = Backoff::new();
                }
            }
            Err(error) => {
                let error = error.to_string();
                if said != error {
                    warn!(reason = %error, "waiting for the broker");
                    board.lost(&format!("no broker: {error}"));
                    said = error;
                }
            }
        }
        backoff.wait().await;
    }
}

/// Runs the sources until the connection ends, and says why it did.
async fn serve(context: Context, connection: Connection) -> String {
    context.board.met((*context.broker).clone());
    tokio::select! {
        why = connection => why.to_string(),
        () = Box::pin(sources::broker::follow(context.clone())) => "the source ended".to_owned(),
        () = Box::pin(instance(&context)) => "the sources ended".to_owned(),
    }
}

/// Rank 0 speaks for the instance.
async fn instance(context: &Context) {
    if context.broker.rank != 0 {
        return std::future::pending().await;
    }
    let (resources, latest) = watch::channel(Err("not answered yet".to_owned()));
    let (writer, journal) = journal::channel();
    tokio::join!(
        journal::follow(context.clone(), writer, journal.clone()),
        resource_journal::follow(context.clone()),
        snapshots::follow(JobStats::new(journal.clone()), context.clone()),
        snapshots::follow(Online { size: context.broker.size }, context.clone()),
        sched_status::follow(context.clone(), journal.clone(), resources),
        queue_status::follow(context.clone(), latest.clone()),
        statuses::follow(context, &latest),
        demand::follow(context.clone(), journal, latest.clone()),
    );
}

impl Search {
    /// The first broker that answers.
    async fn meet(&self) -> Result<(Client, Connection, Broker), MeetError> {
        let candidates = endpoint::candidates(self.flux_uri.as_deref(), &self.root)
            .map_err(|error| MeetError::Mute(error.to_string()))?;
        let first = candidates.first().map(ToString::to_string).unwrap_or_default();
        // The most telling error is that of a socket which exists.
        let mut error = MeetError::NoSocket(match candidates.len() {
            1 => first,
            _ => format!("{first} or any other usual place"),
        });
        for candidate in candidates {
            let config = ClientConfig { max_body: self.max_frame };
            match timeout(PATIENCE, Client::connect(&candidate, config)).await {
                Ok(Ok((client, connection))) => return introduce(client, connection).await,
                Ok(Err(failed)) if is_absent(&failed) => {}
                Ok(Err(failed)) => error = MeetError::Connect { error: failed },
                Err(_) => error = MeetError::Hangs(candidate),
            }
        }
        Err(error)
    }
}

fn is_absent(error: &ConnectError) -> bool {
    matches!(
        error,
        ConnectError::Connect { source, .. } if source.kind() == std::io::ErrorKind::NotFound
    )
}

/// Asks a broker who it is.
async fn introduce(
    client: Client,
    mut connection: Connection,
) -> Result<(Client, Connection, Broker), MeetError> {
    let answers = async {
        let number = async |name| {
            let text = attribute(&client, name).await?;
            text.parse::<u32>().map_err(|_| MeetError::Mute(format!("its {name} is {text:?}")))
        };
        let (rank, size) = (number("rank").await?, number("size").await?);
        if rank >= size {
            return Err(MeetError::Mute(format!("its rank is {rank} of {size}")));
        }
        // What is no time would never equal itself, or outrank every other broker.
        let start_time = attribute(&client, "broker.starttime").await?.parse().ok();
        let start_time = start_time.filter(|time: &f64| time.is_finite()).unwrap_or_default();
        Ok(Broker {
            rank,
            size,
            hostname: attribute(&client, "hostname").await?,
            version: attribute(&client, "version").await?,
            start_time,
        })
    };
    let broker = tokio::select! {
        broker = timeout(PATIENCE, answers) => broker.map_err(|_| {
            MeetError::Mute(format!("no answer within {}", humantime::format_duration(PATIENCE)))
        })??,
        why = &mut connection => return Err(MeetError::Mute(why.to_string())),
    };
    Ok((client, connection, broker))
}

/// An attribute of the broker; empty where this version has none of that name.
async fn attribute(client: &Client, name: &str) -> Result<String, MeetError> {
    #[derive(Deserialize)]
    struct Attribute {
        value: String,
    }
    match client.rpc::<Attribute>("attr.get", NODEID_ANY, &json!({ "name": name })).await {
        Ok(attribute) => Ok(attribute.value),
        Err(RpcError::Failed { errno: Errno::ENOENT, .. }) => Ok(String::new()),
        Err(error) => Err(MeetError::Mute(error.to_string())),
    }
}
