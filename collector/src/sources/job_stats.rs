//! `job-list.job-stats`: a stream since 0.55, polled before.

use std::time::Duration;

use fluxgauge_proto::catalogue::Source;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::{
    Context, LEAD,
    journal::{JournalReader, Witness},
    snapshots::Snapshots,
};
use crate::{
    metrics::{
        Unreadable, count, jobs,
        window::{self, Growth},
    },
    state::{Cause, Reading, Values},
};

/// How long nothing may have happened to jobs before job-list, which follows them as well, is sure to
/// know all of it.
const SETTLED: Duration = Duration::from_secs(1);

/// Where job-list says how many streams are open, since 0.49 and before.
const STATISTICS: [&str; 2] = ["job-list.stats-get", "job-list.stats.get"];

/// How long to wait for that: proofs wait meanwhile.
const PATIENCE: Duration = Duration::from_secs(2);

/// The service, whose numbers of active jobs are put right by the journal where that is followed.
#[derive(Debug)]
pub(crate) struct JobStats {
    journal: JournalReader,
    start: Instant,
    submitted: Growth,
    ended: Growth,
}

impl JobStats {
    pub(crate) fn new(journal: JournalReader) -> Self {
        let [submitted, ended] = [Growth::default(), Growth::default()];
        Self { journal, start: Instant::now(), submitted, ended }
    }

    /// Jobs in a second, where the journal tells of each.
    fn rates(&mut self, values: &mut Values) {
        let Some(flow) = self.journal.now().as_ref().map(|journal| journal.jobs.flow()) else {
            (self.submitted, self.ended) = (Growth::default(), Growth::default());
            return;
        };
        let moment = self.start.elapsed();
        self.submitted.feed(moment, count(flow.submitted));
        self.ended.feed(moment, count(flow.ended));
        let submitted = ["job_submitted_rate_1m", "job_submitted_rate_5m"];
        window::put(values, submitted, self.submitted.averages());
        window::put(values, ["job_ended_rate_1m", "job_ended_rate_5m"], self.ended.averages());
    }
}

impl Snapshots for JobStats {
    type Snapshot = jobs::Stats;

    const SOURCE: Source = Source::JobStats;
    const TOPIC: &'static str = "job-list.job-stats";

    fn request(&self) -> Value {
        json!({})
    }

    fn read(&self, json: &[u8]) -> Result<jobs::Stats, Unreadable> {
        jobs::Stats::read(json)
    }

    fn reading(&mut self, stats: &jobs::Stats) -> Reading {
        let journal = self.journal.now();
        let jobs = journal.as_ref().map(|journal| &journal.jobs);
        let mut reading = stats.reading(jobs, self.journal.disagreements());
        drop(journal);
        self.rates(&mut reading.values);
        reading
    }

    async fn reads_differently(&mut self) -> Cause {
        self.journal.changed().await;
        self.journal.cause()
    }

    fn compare(&self, stats: &jobs::Stats, asked: Instant) {
        let settled = asked.checked_sub(SETTLED).is_some_and(|at| self.journal.is_quiet_since(at));
        if !settled || !self.journal.is_quiet_since(asked) {
            return;
        }
        let journal = self.journal.now();
        let difference = journal.as_ref().and_then(|journal| stats.difference(&journal.jobs));
        drop(journal);
        self.journal.compared(Witness::JobStats, Self::TOPIC, difference.as_deref());
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
