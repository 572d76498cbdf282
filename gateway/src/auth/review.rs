//! Reviews: questions about users that the API server answers.
//!
//! Each is a bounded number at a time, and tried again while the API server has a bad moment. Who
//! waits for it has a deadline, and drops it then.

use std::{
    fmt::Debug,
    future::Future,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::TryFutureExt as _;
use kube::{Api, Resource, api::PostParams};
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;
use tokio::{sync::Semaphore, time::sleep};

use crate::{
    kubernetes::{Refused, reason},
    telemetry::Reviews,
};

/// The pause before the second attempt; each later one is 1.5 times as long, and each a fifth
/// longer or shorter. With the deadline of a read there is time for three attempts.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Why the API server did not answer. The text is for logs: it may name addresses.
#[derive(Clone, Debug, Error)]
#[error("the Kubernetes API server did not answer: {0}")]
pub struct Unanswered(String);

/// What is said of reviews of one kind that are not answered: a line, until one is.
#[derive(Debug)]
pub(super) struct Complaint {
    what: &'static str,
    refused: Mutex<Refused>,
}

impl Complaint {
    /// One that says what does not work.
    pub(super) fn of(what: &'static str) -> Self {
        Self { what, refused: Mutex::default() }
    }

    /// Says why there was no answer, or notes that there was.
    pub(super) fn note<T>(&self, asked: &Result<T, Unanswered>) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        match asked {
            Ok(_) => refused.over(),
            Err(Unanswered(why)) => refused.say(self.what, why),
        }
    }
}

/// Asks the API server, when there is a slot.
///
/// # Errors
///
/// When it does not answer, or not what was asked.
pub(super) async fn ask<K>(
    api: &Api<K>,
    slots: &Semaphore,
    counters: &Reviews,
    review: &K,
) -> Result<K, Unanswered>
where
    K: Resource + Clone + Serialize + DeserializeOwned + Debug,
{
    let parameters = PostParams::default();
    let attempt = || {
        counters.asked.add();
        api.create(&parameters, review).inspect_err(|_| counters.failed.add())
    };
    let answer = patiently(slots, attempt).await;
    answer.map_err(|error| Unanswered(reason(&error)))
}

/// Attempts a request, when there is a slot, until the API server has no bad moment.
///
/// # Errors
///
/// What the API server says of the request itself.
pub(super) async fn patiently<T, F>(
    slots: &Semaphore,
    attempt: impl Fn() -> F,
) -> Result<T, kube::Error>
where
    F: Future<Output = Result<T, kube::Error>>,
{
    // The semaphore is never closed; were it, one request too many is no harm.
    let _slot = slots.acquire().await.ok();
    let mut pause = FIRST_PAUSE;
    loop {
        match attempt().await {
            Err(error) if is_of_the_moment(&error) => {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "a question to the API server is tried again"
                );
                sleep(pause.mul_f64(0.8 + 0.4 * fastrand::f64())).await;
                pause = pause.mul_f64(1.5);
            }
            answer => return answer,
        }
    }
}

/// Whether the same question may be answered in a moment. The client itself waits as long as the
/// API server tells it to.
fn is_of_the_moment(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => matches!(status.code, 429 | 500 | 503 | 504),
        kube::Error::Service(_) | kube::Error::HyperError(_) => true,
        _ => false,
    }
}
