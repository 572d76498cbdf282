//! When the certificate that is served with ends: for those who watch it, and for the log in time.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use tokio::time::{Instant, interval};
use tokio_util::sync::CancellationToken;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::Pair;
use crate::clock::Clock;

/// How long before its end a certificate is warned of; in the last tenth of what it lasts, where that
/// is shorter. Whoever renews certificates has done so by then.
pub const WARN_BEFORE: Duration = Duration::from_secs(7 * 86_400);

/// The part of what a certificate lasts that is its last, as a divisor.
const LAST_PART: i64 = 10;

/// How often it is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);

/// Between two lines that say the same.
const TELL_INTERVAL: Duration = Duration::from_secs(86_400);

/// The end of the certificate that is served with. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Expiry(Arc<Mutex<Option<Validity>>>);

/// From when to when a certificate is valid, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Validity {
    not_before: i64,
    not_after: i64,
}

/// What is to be said of a certificate's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Nobody seems to renew it.
    Soon,
    /// Nobody trusts it any more.
    Over,
}

impl Expiry {
    /// In seconds since 1970; `None` where none is served with, or it does not say.
    pub fn not_after(&self) -> Option<i64> {
        self.validity().map(|validity| validity.not_after)
    }

    /// Notes that this is served with now. A chain ends when the first of its certificates does.
    pub fn note(&self, served: &Pair) {
        let chain = CertificateDer::pem_slice_iter(&served.cert).filter_map(Result::ok);
        let validities = chain.filter_map(|certificate| {
            let (_, parsed) = X509Certificate::from_der(&certificate).ok()?;
            let validity = parsed.validity();
            let [not_before, not_after] =
                [validity.not_before, validity.not_after].map(|time| time.timestamp());
            Some(Validity { not_before, not_after })
        });
        let first = validities.min_by_key(|validity| validity.not_after);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = first;
    }

    fn validity(&self) -> Option<Validity> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says in the log that the certificate ends, early enough to be renewed, and once a day until it
    /// is. Until `stop`.
    pub async fn tell(self, clock: Clock, stop: CancellationToken) {
        let mut tick = interval(LOOK_INTERVAL);
        let mut told: Option<(Ending, Instant)> = None;
        while stop.run_until_cancelled(tick.tick()).await.is_some() {
            let (now, validity) = (clock.now(), self.validity());
            let ending =
                validity.and_then(|validity| validity.ending(Timestamp::try_from(now.wall).ok()?));
            let is_news = match (told, ending) {
                (Some((said, at)), Some(ending)) => {
                    said != ending || now.instant.saturating_duration_since(at) >= TELL_INTERVAL
                }
                _ => true,
            };
            if is_news {
                told = ending.map(|ending| (ending, now.instant));
                if let (Some(validity), Some(ending)) = (validity, ending) {
                    validity.tell(ending);
                }
            }
        }
    }
}

impl Validity {
    fn ending(self, now: Timestamp) -> Option<Ending> {
        let left = self.not_after.saturating_sub(now.as_second());
        let last_part = self.not_after.saturating_sub(self.not_before) / LAST_PART;
        let warn_before = last_part.min(WARN_BEFORE.as_secs().try_into().unwrap_or(i64::MAX));
        match left {
            ..0 => Some(Ending::Over),
            _ if left < warn_before => Some(Ending::Soon),
            _ => None,
        }
    }

    fn tell(self, ending: Ending) {
        // A date that cannot be written is in no log either.
        let ends = Timestamp::from_second(self.not_after).unwrap_or(Timestamp::MAX);
        match ending {
            Ending::Soon => {
                tracing::warn!(%ends, "the certificate ends soon, and nobody has renewed it");
            }
            Ending::Over => tracing::error!(
                %ends,
                "the certificate has ended: neither kube-apiserver nor collectors trust this gateway"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    #[test]
    fn an_end_is_told_a_week_before_or_in_the_last_tenth() {
        let of = |lasts, left| {
            let validity = Validity { not_before: 0, not_after: lasts };
            validity.ending(Timestamp::from_second(lasts - left).unwrap())
        };
        assert_eq!(of(365 * DAY, 8 * DAY), None);
        assert_eq!(of(365 * DAY, 7 * DAY - 1), Some(Ending::Soon));
        assert_eq!(of(365 * DAY, 0), Some(Ending::Soon), "its last second");
        assert_eq!(of(365 * DAY, -1), Some(Ending::Over));
        // One that is renewed when a third is left, as is usual.
        assert_eq!(of(DAY, DAY / 3), None);
        assert_eq!(of(DAY, DAY / 11), Some(Ending::Soon));
    }
}
