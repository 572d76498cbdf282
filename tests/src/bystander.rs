//! Somebody else: a collector whose values stay readable, whatever is done to its gateway meanwhile.

use std::cell::Cell;

use crate::FakeCollector;

/// What it reports.
pub const METRIC: &str = "node_up_count";

/// A collector, and one who reads what it reports.
pub struct Bystander<R> {
    collector: FakeCollector,
    read: R,
    value: f64,
}

impl<R: AsyncFn() -> Result<f64, String>> Bystander<R> {
    /// One of an open stream; `read` reads [`METRIC`] of it.
    pub fn new(collector: FakeCollector, read: R) -> Self {
        Self { collector, read, value: 0.0 }
    }

    /// Reports another value, and reads it.
    ///
    /// # Panics
    ///
    /// When it is refused, or when something else is read.
    pub async fn look(&mut self) {
        self.value += 1.0;
        let reported = self.collector.report(&[(METRIC, self.value)]).await;
        reported.expect("somebody else reports all along");
        assert_eq!((self.read)().await, Ok(self.value), "what was just reported is read");
    }

    /// Does this, and looks again and again until it is done, and once after.
    pub async fn beside<T>(&mut self, attack: impl Future<Output = T>) -> T {
        let is_done = Cell::new(false);
        let attack = async {
            let done = attack.await;
            is_done.set(true);
            done
        };
        let looks = async {
            while !is_done.get() {
                self.look().await;
            }
        };
        let (done, ()) = tokio::join!(attack, looks);
        self.look().await;
        done
    }
}
