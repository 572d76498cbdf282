//! `job-list.job-stats`: a stream since 0.55, polled before.

use std::time::Duration;

use fluxgauge_proto::catalogue::Source;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Context, LEAD, snapshots::Snapshots};
use crate::{
    metrics::{Unreadable, jobs},
    state::Reading,
};

/// Where job-list says how many streams are open, since 0.49 and before.
const STATISTICS: [&str; 2] = ["job-list.stats-get", "job-list.stats.get"];

/// How long to wait for that: proofs wait meanwhile.
const PATIENCE: Duration = Duration::from_secs(2);

/// The service.
#[derive(Debug)]
pub(crate) struct JobStats;

impl Snapshots for JobStats {
    const SOURCE: Source = Source::JobStats;
    const TOPIC: &'static str = "job-list.job-stats";

    fn request(&self) -> Value {
        json!({})
    }

    fn read(&self, json: &[u8]) -> Result<Reading, Unreadable> {
        jobs::read(json)
    }

    /// A broker before 0.55 answers a streaming request once, with the flags of a stream, and is
    /// silent ever after. Only `stats_watchers`, which came with the stream, tells the two apart.
    async fn streams(&self, context: &Context) -> Option<bool> {
        #[derive(Deserialize)]
        struct Statistics {
            stats_watchers: Option<u64>,
        }
        for topic in STATISTICS {
            let statistics = context.client.rpc::<Statistics>(topic, LEAD, &());
            let patience = PATIENCE.min(context.pace.now().proof_period());
            match timeout(patience, statistics).await {
                Ok(Ok(statistics)) => {
                    return Some(statistics.stats_watchers.is_some_and(|open| open > 0));
                }
                Ok(Err(error)) if error.is_enosys() => {}
                // A guest before 0.53 may not ask: polling is always right.
                Ok(Err(_)) => return Some(false),
                Err(_) => return None,
            }
        }
        Some(false)
    }
}
