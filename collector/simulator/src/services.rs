//! Requests to answers: which topic a release has, on which rank, and for whom.
//!
//! Pure: a request and the world go in, an answer comes out. Subscriptions and streams are kept by
//! [`crate::connection`], which asks here for each of their messages.

use bytes::Bytes;
use flux_client::{Errno, Flags, Kind, Message, message::NODEID_ANY};
use serde::{Deserialize, Serialize};

use crate::{
    answers::{
        AllocQuery, Config, HOST_PREFIX, JobListStats, JobManagerStats, JobStats, ResourceStatus,
        SchedStatus, broker, hostlist, journal::Cursor,
    },
    instance::JobId,
    job_list,
    watch::Watch,
    world::World,
};

/// The first answer to a request, and what is to be watched for more; a journal has no first answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) message: Option<Message>,
    pub(crate) watch: Option<Watch>,
}

/// Answers a request that came in at the broker of rank `local`.
pub(crate) fn answer(world: &World, local: u32, request: &Message) -> Answer {
    let Kind::Request { nodeid, .. } = request.kind else {
        let message = Some(Message::error_to(request, Errno::EPROTO, None));
        return Answer { message, watch: None };
    };
    let (service, _) = split(request.topic());
    let rank = match nodeid {
        NODEID_ANY if ON_RANK_0_ONLY.contains(&service) => 0,
        NODEID_ANY => local,
        rank => rank,
    };
    let mut watch = None;
    let result = if world.instance.online().contains(rank) || rank == local {
        let question = Question { world, local, rank, request };
        question.answer(&mut watch)
    } else {
        Err(Refusal(Errno::EHOSTUNREACH, None))
    };
    let mut message = match &result {
        Ok(payload) => Message::response_to(request, Some(payload.clone())),
        Err(Refusal(errno, text)) => Message::error_to(request, *errno, text.as_deref()),
    };
    message.rolemask = world.release.rolemask(rank == local);
    let streaming = request.flags.contains(Flags::STREAMING);
    let watch = watch.filter(|_| streaming && result.is_ok());
    let speaks_later = watch.as_ref().is_some_and(Watch::is_journal);
    Answer { message: (!speaks_later).then_some(message), watch }
}

/// What the connector itself says to a subscription.
pub(crate) fn subscribed(request: &Message) -> Message {
    let mut message = Message::response_to(request, None);
    message.userid = flux_client::message::USERID_UNKNOWN;
    message.rolemask = 1;
    message
}

/// The topic that `event.subscribe` and `event.unsubscribe` name.
pub(crate) fn event_topic(request: &Message) -> Option<String> {
    #[derive(Deserialize)]
    struct Subscription {
        topic: String,
    }
    payload::<Subscription>(request).ok().map(|subscription| subscription.topic)
}

struct Question<'a> {
    world: &'a World,
    /// The rank whose socket it is.
    local: u32,
    /// The rank that answers.
    rank: u32,
    request: &'a Message,
}

/// An error answer.
#[derive(Debug)]
struct Refusal(Errno, Option<String>);

impl Refusal {
    fn with(errno: Errno, text: &str) -> Self {
        Self(errno, Some(text.to_owned()))
    }
}

impl Question<'_> {
    fn answer(&self, watch: &mut Option<Watch>) -> Result<Bytes, Refusal> {
        let Self { world, rank, request, .. } = *self;
        let (instance, release) = (&world.instance, world.release);
        let (service, method) = split(request.topic());
        if rank != 0 && ON_RANK_0_ONLY.contains(&service) {
            return Err(self.no_service());
        }
        match (service, method) {
            ("attr", "get") => self.attribute(),
            ("broker", "ping") => self.ping(),
            ("broker", "rusage") => {
                self.owner_unless(release.guests_read_usage())?;
                Ok(json(&broker::Usage::of_any()))
            }
            ("overlay", "health") => Ok(json(&broker::Health::of(world, rank))),
            ("overlay", stats) if stats == release.stats_method() => {
                Ok(json(&broker::OverlayStats::of(world, rank)))
            }
            ("module", "list") if release.lists_modules() => {
                Ok(json(&broker::Modules::idle(&MODULES)))
            }
            ("state-machine", "get") => {
                Ok(json(&StateMachine { state: &world.state, duration: world.uptime() }))
            }
            ("config", "get") => {
                self.owner_unless(release.guests_read_config())?;
                Ok(json(&Config::of(instance)))
            }
            ("groups", "get") => {
                let GroupName { name } = payload(request)?;
                if rank != 0 {
                    let text = "this RPC is only available on rank 0";
                    return Err(Refusal::with(Errno::EPROTO, text));
                }
                let now = json(&members(world, &name));
                *watch = Some(Watch::Group(name));
                Ok(now)
            }
            ("resource", "status") => {
                self.rank_0()?;
                Ok(json(&ResourceStatus::of(instance, release)))
            }
            ("resource", "sched-status") if release.has_sched_status() => {
                self.rank_0()?;
                Ok(json(&SchedStatus::of(instance)))
            }
            ("sched", "resource-status") => Ok(json(&SchedStatus::of(instance))),
            ("job-list", "job-stats") => {
                if release.job_stats_streams() {
                    *watch = Some(Watch::JobStats);
                }
                Ok(json(&JobStats::of(instance, release)))
            }
            ("job-manager", "events-journal") => {
                self.journal()?;
                *watch = Some(Watch::Jobs(Cursor::of_jobs(instance, release)));
                Ok(Bytes::new())
            }
            ("resource", "journal") if release.has_resource_journal() => {
                self.rank_0()?;
                self.journal()?;
                *watch = Some(Watch::Ranks(Cursor::of_ranks(instance)));
                Ok(Bytes::new())
            }
            ("job-list", "list") => self.job_list(),
            ("job-info", "lookup") => self.job_info(),
            ("job-list", stats) if stats == release.stats_method() => {
                self.owner_unless(release.guests_read_stats())?;
                Ok(json(&JobListStats::of(instance, release, world.watchers)))
            }
            ("job-manager", stats) if stats == release.stats_method() => {
                self.owner_unless(release.guests_read_stats())?;
                Ok(json(&JobManagerStats::of(instance, release)))
            }
            ("job-manager", "queue-list") if release.has_queues() => {
                let queues = instance.queues().iter().map(|queue| queue.name.as_str()).collect();
                Ok(json(&QueueList { queues }))
            }
            ("job-manager", "alloc-query") if release.queues_start() => {
                Ok(json(&AllocQuery::of(instance)))
            }
            ("job-manager", "queue-status") if release.has_queues() => self.queue_status(),
            ("heartbeat", "stats-get") if release.has_heartbeat_stats() => {
                self.owner_unless(false)?;
                Ok(json(&Heartbeat { period: 2.0, timeout: 300.0, count: 0, warn_thresh: 3 }))
            }
            _ => Err(self.no_service()),
        }
    }

    fn attribute(&self) -> Result<Bytes, Refusal> {
        let Self { world, rank, .. } = *self;
        let GroupName { name } = payload(self.request)?;
        let size = world.instance.shape().size;
        let (value, flags) = match name.as_str() {
            "rank" => (rank.to_string(), 1),
            "size" => (size.to_string(), 1),
            "version" => (world.release.to_string(), 0),
            "hostname" => (format!("{HOST_PREFIX}{rank}"), 1),
            "hostlist" => (hostlist(&flux_client::Idset::range(0, size - 1)), 1),
            "instance-level" => ("0".to_owned(), 1),
            "security.owner" => ("0".to_owned(), 1),
            "broker.starttime" => (format!("{:.2}", world.starttime), 1),
            "broker.uuid" if world.release.has_broker_uuid() => (uuid(world.starttime, rank), 1),
            "rundir" => (world.rundir.clone(), 1),
            "local-uri" => (format!("local://{}/local-{rank}", world.rundir), 1),
            _ => return Err(Refusal(Errno::ENOENT, None)),
        };
        Ok(json(&Attribute { value, flags }))
    }

    fn ping(&self) -> Result<Bytes, Refusal> {
        let Self { world, local, rank, request } = *self;
        let Ping { seq, pad } = payload(request)?;
        Ok(json(&Pong {
            seq,
            pad,
            route: "a2dc4736!ed102f1c!951aa306",
            userid: 0,
            rolemask: world.release.rolemask(rank == local),
            rank: world.release.ping_has_rank().then_some(rank),
        }))
    }

    fn queue_status(&self) -> Result<Bytes, Refusal> {
        let QueueName { name } = payload(self.request)?;
        let queues = self.world.instance.queues();
        match &name {
            None if !queues.is_empty() => {
                return Err(Refusal::with(Errno::EINVAL, "a named queue is required"));
            }
            Some(name) if !queues.iter().any(|queue| &queue.name == name) => {
                return Err(Refusal(Errno::EINVAL, Some(format!("invalid queue name: {name}"))));
            }
            _ => {}
        }
        let started = name.is_none_or(|name| self.world.instance.is_started(&name));
        let start = self.world.release.queues_start().then_some(started);
        Ok(json(&QueueStatus { enable: true, start }))
    }

    fn job_list(&self) -> Result<Bytes, Refusal> {
        let Self { world, request, .. } = *self;
        let question: job_list::Question = payload(request)?;
        let answer = question.answer(&world.instance, world.release);
        Ok(json(&answer.map_err(|(errno, text)| Refusal(errno, text))?))
    }

    /// A guest may look at jobs of its own only, of which there are none.
    fn job_info(&self) -> Result<Bytes, Refusal> {
        let Self { world, request, .. } = *self;
        let job_list::Lookup { id, keys } = payload(request)?;
        let job = world.instance.listed(JobId(id));
        let job = job.ok_or_else(|| Refusal::with(Errno::ENOENT, "invalid job id"))?;
        if world.guests {
            let text = "access is restricted to job/instance owner";
            return Err(Refusal::with(Errno::EPERM, text));
        }
        match keys.as_slice() {
            [key] if key == "jobspec" => Ok(json(&job_list::lookup(&job))),
            _ => Err(Refusal(Errno::ENOENT, None)),
        }
    }

    fn rank_0(&self) -> Result<(), Refusal> {
        if self.rank == 0 {
            return Ok(());
        }
        Err(Refusal::with(Errno::EPROTO, "this RPC only works on rank 0"))
    }

    /// A journal is the owner's, and a stream.
    fn journal(&self) -> Result<(), Refusal> {
        self.owner_unless(false)?;
        if self.request.flags.contains(Flags::STREAMING) {
            return Ok(());
        }
        Err(Refusal(Errno::EPROTO, None))
    }

    fn owner_unless(&self, open: bool) -> Result<(), Refusal> {
        if open || !self.world.guests {
            return Ok(());
        }
        Err(Refusal::with(Errno::EPERM, "Request requires owner credentials"))
    }

    fn no_service(&self) -> Refusal {
        let topic = self.request.topic();
        let (service, _) = split(topic);
        let loaded = self.rank == 0 || !ON_RANK_0_ONLY.contains(&service);
        let text = match service {
            // The connector has no words.
            "connector-local" | "event" => None,
            _ if MODULES.contains(&service) && loaded => {
                Some(format!("Unknown service method '{topic}'"))
            }
            _ => Some(format!("No service matching {topic} is registered")),
        };
        Refusal(Errno::ENOSYS, text)
    }
}

/// Modules that only the first broker loads: asked elsewhere, the request goes upstream.
const ON_RANK_0_ONLY: [&str; 4] = ["job-list", "job-manager", "sched", "job-info"];

/// Services that have methods which the simulator does not play.
const MODULES: [&str; 15] = [
    "attr",
    "broker",
    "config",
    "content",
    "groups",
    "heartbeat",
    "job-exec",
    "job-info",
    "job-list",
    "job-manager",
    "kvs",
    "overlay",
    "resource",
    "sched",
    "state-machine",
];

pub(crate) fn members(world: &World, group: &str) -> Members {
    let members = match group {
        "broker.online" => world.instance.online(),
        "broker.torpid" => world.instance.torpid(),
        _ => flux_client::Idset::new(),
    };
    Members { members: members.to_string() }
}

/// A name for each run of each broker; random enough to differ, fixed enough to test.
fn uuid(starttime: f64, rank: u32) -> String {
    let mut random = fastrand::Rng::with_seed(starttime.to_bits() ^ u64::from(rank));
    let mut hex = |digits: usize| -> String { (0..digits).map(|_| random.digit(16)).collect() };
    format!("{}-{}-4{}-8{}-{}", hex(8), hex(4), hex(3), hex(3), hex(12))
}

fn split(topic: &str) -> (&str, &str) {
    topic.split_once('.').unwrap_or((topic, ""))
}

fn payload<'a, T: Deserialize<'a>>(request: &'a Message) -> Result<T, Refusal> {
    let payload = request.payload.as_deref().unwrap_or(b"{}");
    serde_json::from_slice(payload)
        .map_err(|error| Refusal(Errno::EPROTO, Some(format!("invalid payload: {error}"))))
}

/// The answers are structs of numbers, texts and lists with text keys: all of them are JSON.
pub(crate) fn json(answer: &impl Serialize) -> Bytes {
    serde_json::to_vec(answer).unwrap_or_default().into()
}

#[derive(Serialize)]
struct Attribute {
    value: String,
    flags: u32,
}

#[derive(Serialize)]
struct StateMachine<'a> {
    state: &'a str,
    duration: f64,
}

#[derive(Serialize)]
pub(crate) struct Members {
    members: String,
}

#[derive(Serialize)]
struct QueueList<'a> {
    queues: Vec<&'a str>,
}

#[derive(Serialize)]
struct QueueStatus {
    enable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<bool>,
}

#[derive(Serialize)]
struct Heartbeat {
    period: f64,
    timeout: f64,
    count: u32,
    warn_thresh: u32,
}

#[derive(Serialize)]
struct Pong {
    seq: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pad: Option<String>,
    route: &'static str,
    userid: u32,
    rolemask: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    rank: Option<u32>,
}

#[derive(Deserialize)]
struct GroupName {
    name: String,
}

#[derive(Deserialize)]
struct QueueName {
    name: Option<String>,
}

#[derive(Deserialize)]
struct Ping {
    seq: u64,
    pad: Option<String>,
}
