//! How often things happen, as the gateways wish it.
//!
//! Wishes come from the gateways' acks ([`crate::uplink`]); the resulting [`Pace`] is read by the
//! sources (how often to prove a value) and by the streams (how often to send one). The strictest
//! wish of all gateways counts, and the wishes of a gateway that is gone are dropped.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use fluxgauge_proto::{limits, v1};
use tokio::sync::watch;

/// The least time between two proofs or two idle samples, whatever a gateway wishes: 20 per second
/// are a load that neither a broker nor a gateway notices.
pub const MIN_PERIOD: Duration = Duration::from_millis(50);

/// What all gateways together ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The longest time between two samples of a stream.
    pub interval: Duration,
    /// The age at which a gateway stops serving a value.
    pub max_age: Duration,
}

impl Pace {
    /// How often each source is proved.
    pub fn proof_period(self) -> Duration {
        (self.max_age / limits::PROOFS_PER_MAX_AGE).max(MIN_PERIOD)
    }

    /// How often a stream sends a sample although nothing changed: often enough to carry proofs.
    pub fn sample_period(self) -> Duration {
        self.interval.min(self.proof_period()).max(MIN_PERIOD)
    }

    /// This, and what a gateway wishes; its zeros are no wish.
    fn and(self, wishes: &v1::Wishes) -> Self {
        let stricter = |own: Duration, wish: u32| match wish {
            0 => own,
            wish => own.min(Duration::from_millis(wish.into())),
        };
        Self {
            interval: stricter(self.interval, wishes.interval_ms),
            max_age: stricter(self.max_age, wishes.max_age_ms),
        }
    }
}

/// The wishes of all gateways: one writer per stream, any number of readers.
#[derive(Clone, Debug)]
pub struct Wishes(Arc<watch::Sender<Book>>);

/// What a stream wishes for as long as it holds this.
#[derive(Debug)]
pub struct Wish {
    wishes: Wishes,
    gateway: SocketAddr,
}

/// Sees the [`Pace`].
#[derive(Clone, Debug)]
pub struct PaceReader(watch::Receiver<Book>);

#[derive(Debug)]
struct Book {
    /// How often to send where no gateway wishes anything.
    interval: Duration,
    /// Bounded by [`crate::uplink::MAX_GATEWAYS`].
    gateways: BTreeMap<SocketAddr, v1::Wishes>,
}

impl Wishes {
    /// No gateway wishes anything yet.
    pub fn new(interval: Duration) -> Self {
        let gateways = BTreeMap::new();
        Self(Arc::new(watch::Sender::new(Book { interval, gateways })))
    }

    /// For the sources and the streams.
    pub fn reader(&self) -> PaceReader {
        PaceReader(self.0.subscribe())
    }

    /// For the stream to one gateway.
    pub fn of(&self, gateway: SocketAddr) -> Wish {
        Wish { wishes: self.clone(), gateway }
    }
}

impl Wish {
    /// Replaces what this gateway wishes.
    pub fn set(&self, wishes: v1::Wishes) {
        self.wishes.0.send_if_modified(|book| {
            let before = book.pace();
            book.gateways.insert(self.gateway, wishes);
            book.pace() != before
        });
    }
}

impl Drop for Wish {
    fn drop(&mut self) {
        self.wishes.0.send_if_modified(|book| {
            let before = book.pace();
            book.gateways.remove(&self.gateway);
            book.pace() != before
        });
    }
}

impl PaceReader {
    /// What counts now.
    pub fn now(&self) -> Pace {
        self.0.borrow().pace()
    }

    /// Waits until it is another one.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            // Nobody is left who could wish anything.
            std::future::pending::<()>().await;
        }
    }
}

impl Book {
    /// The strictest of all. A wish for an interval may be longer than our own default; a wish for
    /// a max-age too.
    fn pace(&self) -> Pace {
        let unbounded = Pace { interval: Duration::MAX, max_age: Duration::MAX };
        let wished = self.gateways.values().fold(unbounded, Pace::and);
        let or = |wished, default| if wished == Duration::MAX { default } else { wished };
        Pace {
            interval: or(wished.interval, self.interval),
            max_age: or(wished.max_age, limits::DEFAULT_MAX_AGE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gateway(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 8443))
    }

    #[test]
    fn the_strictest_wish_counts_and_goes_with_its_gateway() {
        let wishes = Wishes::new(Duration::from_secs(5));
        let reader = wishes.reader();
        let default = Pace { interval: Duration::from_secs(5), max_age: limits::DEFAULT_MAX_AGE };
        assert_eq!(reader.now(), default);

        let (slow, fast) = (wishes.of(gateway(1)), wishes.of(gateway(2)));
        slow.set(v1::Wishes { interval_ms: 10_000, max_age_ms: 120_000 });
        assert_eq!(reader.now().max_age, Duration::from_secs(120));
        fast.set(v1::Wishes { interval_ms: 0, max_age_ms: 4_000 });
        assert_eq!(reader.now().interval, Duration::from_secs(10));
        assert_eq!(reader.now().max_age, Duration::from_secs(4));

        drop(fast);
        assert_eq!(reader.now().max_age, Duration::from_secs(120));
        drop(slow);
        assert_eq!(reader.now(), default);
    }

    #[test]
    fn four_proofs_and_as_many_samples_fit_into_a_max_age() {
        let (interval, max_age) = (Duration::from_secs(5), Duration::from_secs(8));
        let pace = Pace { interval, max_age };
        assert_eq!(pace.proof_period(), Duration::from_secs(2));
        assert_eq!(pace.sample_period(), Duration::from_secs(2));
        let hasty = Pace { interval, max_age: Duration::from_millis(1) };
        assert_eq!(hasty.sample_period(), MIN_PERIOD);
    }
}
