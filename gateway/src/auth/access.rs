//! Whether a user may, as the API server says.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use k8s_openapi::api::authorization::v1::{SubjectAccessReview, SubjectAccessReviewSpec};
use kube::Api;
use moka::future::Cache;
use tokio::{sync::Semaphore, time::Instant};

use super::{
    digest::Digest,
    question::Question,
    recent::{Lasting, Recent},
    review::{self, Complaint, Unanswered},
    user::{Reader, UNAUTHENTICATED, User},
};
use crate::{kubernetes::Kubernetes, telemetry::Authorization};

/// How long it is remembered that somebody may, or may not; as in Kubernetes.
pub const DECISION_LASTS: Duration = Duration::from_secs(10);

/// Decisions that are remembered, as many as in Kubernetes; with a short reason each about 2 MiB.
pub const MAX_DECISIONS: u64 = 8192;

/// Questions about known users that are asked at once.
pub const REVIEWS: usize = 32;

/// Questions about strangers that are asked at once: anybody can make them, and they shall not
/// stand in the way of the others.
pub const REVIEWS_OF_STRANGERS: usize = 2;

/// Bytes of a reason that are kept.
const MAX_REASON_BYTES: usize = 1024;

/// Whether somebody may; if not, what the API server says about it, often nothing.
pub(super) type Decision = Lasting<Result<(), Arc<str>>>;

/// What users may.
#[derive(Debug)]
pub(super) struct Access {
    api: Api<SubjectAccessReview>,
    slots: Semaphore,
    slots_of_strangers: Semaphore,
    known: Cache<Digest, Decision>,
    lasts: Duration,
    complaint: Complaint,
    counters: Arc<Authorization>,
}

impl Access {
    pub(super) fn new(
        kubernetes: &Kubernetes,
        lasts: Duration,
        counters: &Arc<Authorization>,
    ) -> Self {
        Self {
            api: Api::all(kubernetes.client()),
            slots: Semaphore::new(REVIEWS),
            slots_of_strangers: Semaphore::new(REVIEWS_OF_STRANGERS),
            known: Cache::builder().max_capacity(MAX_DECISIONS).time_to_live(lasts).build(),
            lasts,
            complaint: Complaint::of("cannot ask what those who read may, so that nobody may"),
            counters: Arc::clone(counters),
        }
    }

    /// Whether somebody may, where that is remembered: on the connection, or by all.
    pub(super) fn remembered(
        &self,
        reader: &Reader,
        question: &Question<'_>,
        recent: &Recent,
        now: Instant,
    ) -> Option<Decision> {
        let known = recent.find(reader, question, now).or_else(|| {
            let known = self.known.get(&question.digest(reader)).now_or_never().flatten()?;
            recent.keep(reader, question, &known);
            Some(known)
        });
        self.counters.decisions.note(known.is_some());
        known
    }

    /// Whether somebody may. Asks once for all who ask at the same time.
    ///
    /// # Errors
    ///
    /// When the API server does not say. That is not remembered.
    pub(super) async fn decide(
        &self,
        reader: &Reader,
        question: &Question<'_>,
    ) -> Result<Decision, Unanswered> {
        let ask = Box::pin(self.ask(reader, question));
        let asked = self.known.try_get_with(question.digest(reader), ask).await;
        asked.map_err(|unanswered| (*unanswered).clone())
    }

    async fn ask(&self, user: &User, question: &Question<'_>) -> Result<Decision, Unanswered> {
        let (resource_attributes, non_resource_attributes) = question.attributes();
        let spec = SubjectAccessReviewSpec {
            user: Some(user.name.clone()),
            uid: (!user.uid.is_empty()).then(|| user.uid.clone()),
            groups: Some(user.groups.clone()),
            extra: (!user.extra.is_empty()).then(|| user.extra.clone()),
            resource_attributes,
            non_resource_attributes,
        };
        let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
        let slots =
            if user.is_in(UNAUTHENTICATED) { &self.slots_of_strangers } else { &self.slots };
        let asked = review::ask(&self.api, slots, &self.counters.access_reviews, &review).await;
        self.complaint.note(&asked);
        let status = asked?.status.unwrap_or_default();
        let until = Instant::now() + self.lasts;
        if status.allowed && status.denied != Some(true) {
            return Ok(Lasting { what: Ok(()), until });
        }
        let reason = status.reason.filter(|reason| reason.len() <= MAX_REASON_BYTES);
        Ok(Lasting { what: Err(reason.unwrap_or_default().into()), until })
    }
}
