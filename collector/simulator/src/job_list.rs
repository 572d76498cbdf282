//! The JSON of single jobs: `job-list.list` and `job-info.lookup`, as recorded brokers shape it.
//!
//! A list comes in one message, as every release sends it to who does not ask for a stream.

use flux_client::Errno;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    answers::hostlist,
    instance::{Instance, Listed, Need, State},
    manners::Release,
};

/// What `job-list.list` is asked.
#[derive(Debug, Deserialize)]
pub(crate) struct Question {
    max_entries: usize,
    attrs: Vec<String>,
    #[serde(rename = "since")]
    _since: f64,
    /// Needed before 0.53.
    userid: Option<u32>,
    /// A mask of states; 0 is all.
    states: Option<u32>,
    results: Option<u32>,
    /// Since 0.53, where it is there.
    constraint: Option<Value>,
}

/// What `job-info.lookup` is asked.
#[derive(Debug, Deserialize)]
pub(crate) struct Lookup {
    pub(crate) id: u64,
    pub(crate) keys: Vec<String>,
}

/// Attributes of a job that the simulator tells, and those that it does not have.
const TOLD: [&str; 14] = [
    "userid",
    "urgency",
    "priority",
    "t_submit",
    "t_depend",
    "state",
    "queue",
    "ntasks",
    "ncores",
    "duration",
    "nnodes",
    "ranks",
    "nodelist",
    "expiration",
];
const NOT_TOLD: [&str; 5] = ["annotations", "dependencies", "t_run", "name", "cwd"];

impl Question {
    pub(crate) fn answer(
        &self,
        instance: &Instance,
        release: Release,
    ) -> Result<Value, (Errno, Option<String>)> {
        let constrains = release.lists_by_constraint();
        let needed = [("userid", self.userid), ("states", self.states), ("results", self.results)];
        if let Some((key, _)) = needed.iter().find(|(_, given)| !constrains && given.is_none()) {
            let text = format!("invalid payload: Object item not found: {key}");
            return Err((Errno::EPROTO, Some(text)));
        }
        let known = |attr: &str| attr == "all" || TOLD.contains(&attr) || NOT_TOLD.contains(&attr);
        if let Some(unknown) = self.attrs.iter().find(|attr| !known(attr)) {
            return Err((Errno::EINVAL, Some(format!("{unknown} is not a valid attribute"))));
        }
        let mask = match &self.constraint {
            Some(constraint) if constrains => states(constraint).map_err(|errno| (errno, None))?,
            _ => self.states.filter(|mask| *mask != 0).unwrap_or(u32::MAX),
        };
        let most = if self.max_entries == 0 { usize::MAX } else { self.max_entries };
        let jobs = instance.list().into_iter().filter(|job| bit(job.state) & mask != 0);
        let jobs: Vec<_> = jobs.take(most).map(|job| self.entry(&job, release)).collect();
        Ok(json!({ "jobs": jobs }))
    }

    /// What is asked of one job, as far as it has it.
    fn entry(&self, job: &Listed, release: Release) -> Value {
        let all = self.attrs.iter().any(|attr| attr == "all");
        let mut entry = Map::from_iter([("id".to_owned(), job.id.0.into())]);
        for attr in TOLD.into_iter().filter(|attr| all || self.attrs.iter().any(|a| a == attr)) {
            if let Some(value) = attribute(job, attr, release) {
                entry.insert(attr.to_owned(), value);
            }
        }
        Value::Object(entry)
    }
}

fn attribute(job: &Listed, attr: &str, release: Release) -> Option<Value> {
    let scheduled = !matches!(job.state, State::Depend | State::Priority);
    let runs = !job.ranks.is_empty();
    let (tasks, cores, nodes) = match job.need {
        Need::Nodes(nodes) => (nodes, None, Some(u64::from(nodes))),
        Need::Slots { count, cores, .. } => {
            (count, Some(count.saturating_mul(cores)), runs.then(|| job.ranks.len()))
        }
    };
    match attr {
        "userid" => Some(0.into()),
        "urgency" => Some(job.urgency.into()),
        "priority" => scheduled.then(|| job.urgency.into()),
        "t_submit" => Some(job.submitted.into()),
        "t_depend" => Some(job.submitted.into()),
        "state" => Some(bit(job.state).into()),
        "queue" => job.queue.clone().filter(|_| release.has_queues()).map(Value::from),
        "ntasks" => Some(tasks.into()),
        "ncores" => cores.map(Value::from),
        "duration" => Some(job.limit.into()),
        "nnodes" => nodes.map(Value::from),
        "ranks" => runs.then(|| job.ranks.to_string().into()),
        "nodelist" => runs.then(|| hostlist(&job.ranks).into()),
        "expiration" => runs.then(|| 0.0.into()),
        _ => None,
    }
}

/// The mask in `{"states":[MASK]}`, alone or as the only part of an `and`.
fn states(constraint: &Value) -> Result<u32, Errno> {
    let parts = constraint.get("and").and_then(Value::as_array);
    match parts.map(Vec::as_slice) {
        Some([]) => Ok(u32::MAX),
        Some([only]) => states(only),
        Some(_) => Err(Errno::EINVAL),
        None => {
            let mask = constraint.get("states").and_then(|list| list.get(0)?.as_u64());
            mask.and_then(|mask| u32::try_from(mask).ok()).ok_or(Errno::EINVAL)
        }
    }
}

/// As RFC 21 numbers the states.
const fn bit(state: State) -> u32 {
    match state {
        State::Depend => 2,
        State::Priority => 4,
        State::Sched => 8,
        State::Run => 16,
        State::Cleanup => 32,
    }
}

/// The answer of `job-info.lookup`: the jobspec as a text.
pub(crate) fn lookup(job: &Listed) -> Value {
    json!({ "id": job.id.0, "jobspec": jobspec(job, true).to_string() })
}

/// The jobspec as `flux submit` writes it; the journal leaves the environment out.
pub(crate) fn jobspec(job: &Listed, with_environment: bool) -> Value {
    let resource = |kind: &str, count: u32| json!({ "type": kind, "count": count });
    let slot = |count: u32, with: Vec<Value>| json!({ "type": "slot", "count": count, "with": with, "label": "task" });
    let resources = match job.need {
        Need::Nodes(count) => {
            let slot = slot(1, vec![resource("core", 1)]);
            json!([{ "type": "node", "count": count, "exclusive": true, "with": [slot] }])
        }
        Need::Slots { count, cores, gpus } => {
            let with = [("core", cores), ("gpu", gpus)].into_iter().filter(|(_, each)| *each > 0);
            json!([slot(count, with.map(|(kind, each)| resource(kind, each)).collect())])
        }
    };
    let mut system = Map::from_iter([("duration".to_owned(), job.limit.into())]);
    if let Some(queue) = &job.queue {
        system.insert("queue".to_owned(), queue.as_str().into());
    }
    if with_environment {
        system.insert("environment".to_owned(), json!({ "PATH": "/usr/bin:/bin" }));
    }
    json!({
        "resources": resources,
        "tasks": [{ "command": ["true"], "slot": "task", "count": { "per_slot": 1 } }],
        "attributes": { "system": system },
        "version": 1,
    })
}
