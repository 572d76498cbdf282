//! Answers that are ready at once, without a task for each.

use std::task::{Context, Waker};

use hyper::rt::Executor;

/// Looks at a future once and makes a task only of one that has to wait. hyper has a future for each
/// HTTP/2 request; nearly every read of the API is over at the first look, and a task would cost more
/// than the read: it may wake another thread, and then wakes the connection to have its answer sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct AtOnce;

impl<F> Executor<F> for AtOnce
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        let mut future = Box::pin(future);
        // Nobody is woken: a task looks again at once.
        if future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            tokio::spawn(future);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    };

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn what_is_ready_is_over_at_once_and_what_waits_becomes_a_task() {
        let (over, wake) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
        let is_over = || over.load(Relaxed);
        let end = |waits: bool| {
            let (over, wake) = (Arc::clone(&over), Arc::clone(&wake));
            async move {
                if waits {
                    wake.notified().await;
                }
                over.store(true, Relaxed);
            }
        };
        AtOnce.execute(end(false));
        assert!(is_over());
        over.store(false, Relaxed);
        AtOnce.execute(end(true));
        assert!(!is_over());
        wake.notify_one();
        while !is_over() {
            tokio::task::yield_now().await;
        }
    }
}
