//! One message of the journal: events of one job, or the end of the backlog.

use std::borrow::Cow;

use flux_client::ResourceSet;
use flux_demand::Spec;
use serde::Deserialize;
use serde_json::value::RawValue;

/// A journal that cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// Not what Flux documents.
    #[error("the journal is not understood: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// As of a Flux before 0.61, which tells neither what jobs ask for nor where its backlog ends.
    #[error("the journal is that of a Flux before 0.61, which does not say what jobs ask for")]
    Old,
    /// Over [`MAX_ACTIVE_JOBS`](super::MAX_ACTIVE_JOBS).
    #[error("more than {max} jobs are active", max = super::MAX_ACTIVE_JOBS)]
    TooMany,
}

/// What a message says.
#[derive(Debug)]
pub enum Message<'a> {
    /// The backlog is over: what follows happens now.
    Live,
    /// Events of a job.
    Job(Box<JobEvents<'a>>),
}

/// Events of a job, with what Flux sends along.
#[derive(Debug)]
pub struct JobEvents<'a> {
    /// The id of the job.
    pub(super) id: u64,
    /// In the order in which they happened.
    pub(super) events: Vec<Event<'a>>,
    /// With `submit`. One that is not understood is none that can be sized.
    pub(super) spec: Option<Spec>,
    /// With `alloc`.
    pub(super) allocation: Option<Allocation>,
}

/// An event of RFC 18.
#[derive(Debug, Deserialize)]
pub(super) struct Event<'a> {
    /// Seconds since the epoch.
    pub(super) timestamp: f64,
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow)]
    context: Option<&'a RawValue>,
}

/// What a job has got.
#[derive(Clone, Debug)]
pub(super) struct Allocation {
    pub(super) resources: ResourceSet,
    /// When it ends, in seconds since the epoch; 0 is never.
    pub(super) expiration: f64,
}

impl<'a> Message<'a> {
    /// Reads one message.
    ///
    /// # Errors
    ///
    /// When it is none of a journal that can be followed.
    pub fn read(json: &'a [u8]) -> Result<Self, Unusable> {
        #[derive(Deserialize)]
        struct Envelope<'a> {
            /// -1 is the end of the backlog; a broker may print it as the largest number.
            id: Option<i128>,
            #[serde(borrow)]
            events: &'a RawValue,
            #[serde(borrow)]
            jobspec: Option<&'a RawValue>,
            #[serde(borrow, rename = "R")]
            r: Option<&'a RawValue>,
        }
        let Envelope { id, events, jobspec, r } = serde_json::from_slice(json)?;
        let Ok(id) = u64::try_from(id.ok_or(Unusable::Old)?) else {
            return Ok(Self::Live);
        };
        if id == u64::MAX {
            return Ok(Self::Live);
        }
        Ok(Self::Job(Box::new(JobEvents {
            id,
            events: serde_json::from_str(events.get())?,
            spec: jobspec.map(|json| Spec::from_json(json.get().as_bytes()).unwrap_or_default()),
            allocation: r.map(Allocation::read).transpose()?,
        })))
    }
}

impl Event<'_> {
    /// What it says beside its name; nothing where that is not understood.
    pub(super) fn context<'c, T: Deserialize<'c>>(&'c self) -> Option<T> {
        serde_json::from_str(self.context?.get()).ok()
    }
}

impl Allocation {
    fn read(r: &RawValue) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct R {
            execution: Execution,
        }
        #[derive(Deserialize)]
        struct Execution {
            #[serde(default)]
            expiration: f64,
        }
        let R { execution: Execution { expiration } } = serde_json::from_str(r.get())?;
        Ok(Self { resources: serde_json::from_str(r.get())?, expiration })
    }
}
