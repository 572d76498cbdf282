//! Whether a connection is in use, found out without a timer for each request.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use http::Version;
use tokio::time::sleep;

use super::{FIRST_REQUEST_TIMEOUT, IDLE_TIMEOUT};

/// What has come on a connection since somebody looked. Each request leaves its mark, which costs a
/// read one store; a look is taken now and then.
#[derive(Debug, Default)]
pub(super) struct Activity(AtomicU8);

/// Nothing has come.
const NOTHING: u8 = 0;
/// A request of HTTP/1.1 or older.
const HTTP1: u8 = 1;
/// A request of HTTP/2.
const HTTP2: u8 = 2;

/// No request came for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// There never was one.
    FromTheStart,
    /// There were some before.
    AfterRequests,
}

impl Activity {
    /// Notes that a request came.
    pub(super) fn note(&self, version: Version) {
        let seen = if version == Version::HTTP_2 { HTTP2 } else { HTTP1 };
        self.0.store(seen, Relaxed);
    }

    /// Waits until no request has come for too long. An HTTP/2 connection that was used may be silent: it
    /// has long streams, and hyper asks its client whether it lives, or it soon ends by its age.
    pub(super) async fn silence(&self) -> Silence {
        sleep(FIRST_REQUEST_TIMEOUT).await;
        let mut silence = Silence::FromTheStart;
        loop {
            match self.0.swap(NOTHING, Relaxed) {
                NOTHING => return silence,
                HTTP2 => return std::future::pending().await,
                _ => silence = Silence::AfterRequests,
            }
            sleep(IDLE_TIMEOUT).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Duration, Instant, timeout};

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[tokio::test(start_paused = true)]
    async fn silence_is_two_looks_without_a_request_between_them() {
        let (activity, began) = (Activity::default(), Instant::now());
        assert_eq!(activity.silence().await, Silence::FromTheStart);
        assert_eq!(began.elapsed().as_secs(), FIRST_REQUEST_TIMEOUT.as_secs());

        let (activity, began) = (Activity::default(), Instant::now());
        let requests = async {
            for _ in 0..5 {
                activity.note(Version::HTTP_11);
                sleep(IDLE_TIMEOUT).await;
            }
            began.elapsed()
        };
        let (silence, last) = tokio::join!(activity.silence(), requests);
        assert_eq!(silence, Silence::AfterRequests);
        let silent = began.elapsed() - (last - IDLE_TIMEOUT);
        assert!((IDLE_TIMEOUT..=IDLE_TIMEOUT * 2).contains(&silent), "{silent:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn http2_may_be_silent_once_it_has_been_used() {
        let activity = Activity::default();
        activity.note(Version::HTTP_2);
        assert!(timeout(DAY, activity.silence()).await.is_err());
    }
}
