//! What the gateway counts of its own doings since it started.
//!
//! Each is an atomic number that nobody waits for: counting a read costs a few nanoseconds of the two
//! microseconds that it takes. `prometheus` reads them all.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use http::StatusCode;
use metrics_api::path::{PathError, Target};
use tonic::Code;

/// Upper bounds of the durations of reads, in seconds. A read takes microseconds where nobody has to
/// be asked, and at most the deadline of two seconds.
pub const DURATION_BOUNDS: [f64; 5] = [0.0001, 0.001, 0.01, 0.1, 1.0];

/// The statuses of answers that are told apart; 0 stands for all others.
pub const STATUSES: [u16; 13] = [200, 304, 400, 401, 403, 404, 405, 406, 414, 500, 503, 504, 0];

/// Threads count apart, up to so many: two that change one number wait for one another.
const SHARDS: usize = 4;

/// A number that one thread changes, with nothing beside it that another does.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Shard(AtomicU64);

/// Something that is counted.
#[derive(Debug, Default)]
pub struct Counter([Shard; SHARDS]);

impl Counter {
    /// Counts one more.
    pub fn add(&self) {
        self.add_many(1);
    }

    /// Counts so many more.
    pub fn add_many(&self, more: u64) {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static SHARD: usize = THREADS.fetch_add(1, Relaxed) % SHARDS;
        }
        if let Some(shard) = self.0.get(SHARD.with(|shard| *shard)) {
            shard.0.fetch_add(more, Relaxed);
        }
    }

    /// How many there were.
    pub fn get(&self) -> u64 {
        self.0.iter().map(|shard| shard.0.load(Relaxed)).sum()
    }
}

/// What collectors do. `ingest` counts it.
#[derive(Debug, Default)]
pub struct Streams {
    /// Streams that began.
    pub opened: Counter,
    /// Streams that ended, in whatever way.
    pub closed: Counter,
    /// Streams that this gateway ended, by the number of the gRPC status.
    refused: [Counter; CODES],
    /// Samples that readers could see.
    pub samples: Counter,
    /// Samples that were not taken: they broke the contract or a bound, or came from a replaced broker.
    pub samples_refused: Counter,
    /// Samples after which a full one was asked for, since one before them is missing.
    pub gaps: Counter,
}

/// The numbers of gRPC statuses: 0 to 16.
const CODES: usize = 17;

impl Streams {
    /// Counts a stream for as long as the answer lives.
    pub fn open(self: &Arc<Self>) -> OpenStream {
        self.opened.add();
        OpenStream(Arc::clone(self))
    }

    /// Counts a stream that is ended for a reason.
    pub fn refuse(&self, code: Code) {
        if let Some(counter) = self.refused.get(code as usize) {
            counter.add();
        }
    }

    /// Statuses that streams were ended with, and how many were.
    pub fn refused(&self) -> impl Iterator<Item = (Code, u64)> {
        let all = (0..).map(Code::from_i32).zip(&self.refused);
        all.map(|(code, counter)| (code, counter.get())).filter(|(_, count)| *count > 0)
    }

    /// Streams that are open.
    pub fn are_open(&self) -> u64 {
        // In this order there are never more closed ones.
        let closed = self.closed.get();
        self.opened.get().saturating_sub(closed)
    }
}

/// A stream that is counted as open.
#[derive(Debug)]
pub struct OpenStream(Arc<Streams>);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.closed.add();
    }
}

/// What a request asks for, as far as requests are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A metric of objects.
    Custom,
    /// A metric by its labels.
    External,
    /// What there is to ask for.
    Discovery,
    /// The same, for tools.
    OpenApi,
    /// Whether the gateway is well.
    Health,
    /// Everything, for Prometheus.
    Metrics,
    /// Something that is not here.
    Other,
}

impl Form {
    /// All forms.
    pub const ALL: [Self; 7] = [
        Self::Custom,
        Self::External,
        Self::Discovery,
        Self::OpenApi,
        Self::Health,
        Self::Metrics,
        Self::Other,
    ];

    /// The form of a request for this.
    pub const fn of(target: &Result<Target<'_>, PathError>) -> Self {
        match target {
            Ok(Target::Metric(_)) => Self::Custom,
            Ok(Target::External(_)) => Self::External,
            Ok(
                Target::Root
                | Target::Version
                | Target::Groups
                | Target::Group(_)
                | Target::Resources(_),
            ) => Self::Discovery,
            Ok(Target::OpenApiV2 | Target::OpenApiV3 | Target::OpenApiV3Document(_)) => {
                Self::OpenApi
            }
            Ok(Target::Health(..)) => Self::Health,
            Ok(Target::Metrics) => Self::Metrics,
            Err(_) => Self::Other,
        }
    }

    /// The name in a label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Custom => "custom",
            Self::External => "external",
            Self::Discovery => "discovery",
            Self::OpenApi => "openapi",
            Self::Health => "health",
            Self::Metrics => "metrics",
            Self::Other => "other",
        }
    }
}

/// Requests and their answers. `api` counts them.
#[derive(Debug, Default)]
pub struct Reads {
    /// In the order of [`Form::ALL`] and of [`STATUSES`].
    answers: [[Counter; STATUSES.len()]; Form::ALL.len()],
    /// Reads of metrics by the first of [`DURATION_BOUNDS`] that they kept; the last kept none.
    durations: [Counter; DURATION_BOUNDS.len() + 1],
    /// In nanoseconds, all together; full after 584 years of reads.
    duration: Counter,
}

impl Reads {
    /// Counts an answer.
    pub fn note(&self, form: Form, status: StatusCode, duration: Duration) {
        let of_form = self.answers.get(form as usize);
        let known = STATUSES.iter().position(|known| *known == status.as_u16());
        let at = known.unwrap_or(STATUSES.len() - 1);
        if let Some(counter) = of_form.and_then(|answers| answers.get(at)) {
            counter.add();
        }
        if matches!(form, Form::Custom | Form::External) {
            let seconds = duration.as_secs_f64();
            let at = DURATION_BOUNDS.iter().position(|bound| seconds <= *bound);
            if let Some(counter) = self.durations.get(at.unwrap_or(DURATION_BOUNDS.len())) {
                counter.add();
            }
            let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
            self.duration.add_many(nanos);
        }
    }

    /// Forms, statuses and how many there were, those that there were.
    pub fn answers(&self) -> impl Iterator<Item = (Form, u16, u64)> {
        Form::ALL.into_iter().zip(&self.answers).flat_map(|(form, answers)| {
            let all = STATUSES.into_iter().zip(answers);
            let counted = all.map(move |(status, counter)| (form, status, counter.get()));
            counted.filter(|(_, _, count)| *count > 0)
        })
    }

    /// How many reads of metrics took at most each of [`DURATION_BOUNDS`], and how many any time.
    pub fn durations(&self) -> ([u64; DURATION_BOUNDS.len()], u64) {
        let mut all = self.durations.iter().scan(0, |sum: &mut u64, counter| {
            *sum += counter.get();
            Some(*sum)
        });
        let bounded = std::array::from_fn(|_| all.next().unwrap_or_default());
        (bounded, all.next().unwrap_or_default())
    }

    /// How long all reads of metrics took together.
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.duration.get())
    }
}

/// What is asked about those who read, and whose the tokens of collectors are. `auth` counts it.
#[derive(Debug, Default)]
pub struct Authorization {
    /// What is remembered of whose tokens are.
    pub tokens: Lookups,
    /// What is remembered of what users may.
    pub decisions: Lookups,
    /// Questions whose a token is.
    pub token_reviews: Reviews,
    /// Questions what a user may.
    pub access_reviews: Reviews,
}

/// Looks into what is remembered.
#[derive(Debug, Default)]
pub struct Lookups {
    /// It was there.
    pub hits: Counter,
    /// It was not.
    pub misses: Counter,
}

impl Lookups {
    /// Counts a look.
    pub fn note(&self, hit: bool) {
        if hit { self.hits.add() } else { self.misses.add() }
    }
}

/// Questions to Kubernetes' API server.
#[derive(Debug, Default)]
pub struct Reviews {
    /// Attempts, of which a question may need several.
    pub asked: Counter,
    /// Attempts that were not answered.
    pub failed: Counter,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_counts_by_its_form_and_status_and_in_every_bound_that_it_kept() {
        let reads = Reads::default();
        let all = [
            (Form::Custom, 200, 50),
            (Form::Custom, 200, 100),
            (Form::External, 404, 5_000),
            (Form::Custom, 504, 2_000_000),
            (Form::Health, 200, 1),
            (Form::Other, 418, 1),
        ];
        for (form, status, micros) in all {
            let status = StatusCode::from_u16(status).unwrap();
            reads.note(form, status, Duration::from_micros(micros));
        }
        let counted: Vec<_> = reads.answers().collect();
        let want = [
            (Form::Custom, 200, 2),
            (Form::Custom, 504, 1),
            (Form::External, 404, 1),
            (Form::Health, 200, 1),
            (Form::Other, 0, 1),
        ];
        assert_eq!(counted, want);
        assert_eq!(reads.durations(), ([2, 2, 3, 3, 3], 4));
        assert_eq!(reads.duration(), Duration::from_micros(2_005_150));
    }

    #[test]
    fn a_stream_is_open_until_it_is_dropped() {
        let streams = Arc::new(Streams::default());
        let (one, other) = (streams.open(), streams.open());
        assert_eq!(streams.are_open(), 2);
        drop(one);
        assert_eq!((streams.are_open(), streams.opened.get()), (1, 2));
        drop(other);
        streams.refuse(Code::Unauthenticated);
        assert_eq!(streams.refused().collect::<Vec<_>>(), [(Code::Unauthenticated, 1)]);
    }
}
