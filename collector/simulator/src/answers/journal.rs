//! `job-manager.events-journal` and `resource.journal`, as brokers of each release shape them.

use std::collections::VecDeque;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::ResourceSet;
use crate::{
    instance::{Instance, JobEntry, JobEvent, Lost, RankEntry},
    job_list,
    manners::Release,
};

/// Where a stream is: what it has to say first, and the entry after that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    backlog: VecDeque<Bytes>,
    next: u64,
}

impl Cursor {
    /// What a stream of jobs says: all that is active, and then what happens.
    pub(crate) fn of_jobs(instance: &Instance, release: Release) -> Self {
        let jobs = instance.active().map(|id| instance.history(id));
        let backlog = if release.journal_has_backlog() {
            let end = bytes(&json!({ "id": -1, "events": [] }));
            jobs.map(|events| job_message(instance, &events)).chain([end]).collect()
        } else {
            let events: Vec<_> = jobs.flatten().collect();
            (!events.is_empty()).then(|| old_message(&events)).into_iter().collect()
        };
        Self { backlog, next: instance.job_log().next() }
    }

    /// What a stream of ranks says.
    pub(crate) fn of_ranks(instance: &Instance) -> Self {
        let everything = flux_client::Idset::range(0, instance.shape().size - 1);
        let online = instance.online().to_string();
        let restart = json!({ "events": [{
            "timestamp": 0.0,
            "name": "restart",
            "context": {
                "ranks": everything.to_string(),
                "online": online,
                "nodelist": super::hostlist(&everything),
            },
        }]});
        let define = json!({
            "events": [{
                "timestamp": 0.0,
                "name": "resource-define",
                "context": { "method": "kvs" },
            }],
            "R": ResourceSet::whole(instance, &everything),
        });
        let backlog = [restart, define, json!({ "events": [] })];
        let backlog = backlog.iter().map(bytes).collect();
        Self { backlog, next: instance.rank_log().next() }
    }

    /// The next message of a stream of jobs, if there is one.
    pub(crate) fn next_of_jobs(
        &mut self,
        instance: &Instance,
        release: Release,
    ) -> Result<Option<Bytes>, Lost> {
        if let Some(message) = self.backlog.pop_front() {
            return Ok(Some(message));
        }
        let Some(entry) = instance.job_log().get(self.next)? else { return Ok(None) };
        self.next += 1;
        let events = std::slice::from_ref(entry);
        let is_new = release.journal_has_backlog();
        Ok(Some(if is_new { job_message(instance, events) } else { old_message(events) }))
    }

    /// The next message of a stream of ranks, if there is one.
    pub(crate) fn next_of_ranks(&mut self, instance: &Instance) -> Result<Option<Bytes>, Lost> {
        if let Some(message) = self.backlog.pop_front() {
            return Ok(Some(message));
        }
        let Some(entry) = instance.rank_log().get(self.next)? else { return Ok(None) };
        self.next += 1;
        Ok(Some(bytes(&json!({ "events": [rank_event(entry)] }))))
    }
}

/// Events of one job, with the jobspec and the R that belong to them.
fn job_message(instance: &Instance, entries: &[JobEntry]) -> Bytes {
    let mut message = Map::new();
    let id = entries.first().map_or(0, |entry| entry.id.0);
    message.insert("id".to_owned(), id.into());
    message.insert("events".to_owned(), entries.iter().map(job_event).collect());
    for JobEntry { event, job, got, .. } in entries {
        match (event, job) {
            (JobEvent::Submit, Some(job)) => {
                message.insert("jobspec".to_owned(), job_list::jobspec(job, false));
            }
            (JobEvent::Alloc, _) => {
                let set = ResourceSet::new(instance, got.iter().cloned());
                message.insert("R".to_owned(), json!(set));
            }
            _ => {}
        }
    }
    bytes(&Value::Object(message))
}

/// The same before 0.61: any events, without what belongs to them.
fn old_message(entries: &[JobEntry]) -> Bytes {
    let events = entries.iter().zip(0_u64..).map(|(entry, sequence)| {
        json!({ "id": entry.id.0, "eventlog_seq": sequence, "entry": job_event(entry) })
    });
    bytes(&json!({ "events": events.collect::<Vec<_>>() }))
}

fn job_event(entry: &JobEntry) -> Value {
    let urgency = entry.job.as_ref().map_or(0, |job| job.urgency);
    let (name, context) = match entry.event {
        JobEvent::Submit => {
            ("submit", json!({ "userid": 0, "urgency": urgency, "flags": 0, "version": 1 }))
        }
        JobEvent::Validate => ("validate", Value::Null),
        JobEvent::Depend => ("depend", Value::Null),
        JobEvent::Priority(priority) => ("priority", json!({ "priority": priority })),
        JobEvent::Urgency(urgency) => ("urgency", json!({ "userid": 0, "urgency": urgency })),
        JobEvent::Alloc => ("alloc", json!({ "annotations": { "sched": {} } })),
        JobEvent::Start => ("start", Value::Null),
        JobEvent::Finish => ("finish", json!({ "status": 0 })),
        JobEvent::Exception(kind) => {
            ("exception", json!({ "type": kind, "severity": 0, "note": "", "userid": 0 }))
        }
        JobEvent::Release => ("release", json!({ "ranks": "all", "final": true })),
        JobEvent::Free => ("free", Value::Null),
        JobEvent::Clean => ("clean", Value::Null),
    };
    event(entry.at, name, context)
}

fn rank_event(entry: &RankEntry) -> Value {
    let mut context = json!({ "idset": entry.ranks.to_string() });
    if let (Some(reason), Some(context)) = (&entry.reason, context.as_object_mut()) {
        context.insert("nodelist".to_owned(), super::hostlist(&entry.ranks).into());
        context.insert("reason".to_owned(), reason.as_str().into());
        context.insert("overwrite".to_owned(), 0.into());
    }
    event(entry.at, entry.name, context)
}

fn event(timestamp: f64, name: &str, context: Value) -> Value {
    let mut event = json!({ "timestamp": timestamp, "name": name });
    if let (false, Some(event)) = (context.is_null(), event.as_object_mut()) {
        event.insert("context".to_owned(), context);
    }
    event
}

fn bytes(message: &Value) -> Bytes {
    message.to_string().into()
}
