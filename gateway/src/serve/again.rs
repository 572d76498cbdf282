//! A future that wakes itself is polled again where it is.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_util::task::AtomicWaker;

/// Polls in a row, after which other tasks have their turn.
const MOST: usize = 32;

/// A future with a waker of its own. An HTTP/2 connection wakes itself for each answer that is made while it
/// is polled; its task would go to the end of the queue then, and another thread would be woken to
/// take it from there, which costs more than the read.
pub(super) struct Again<'a, F> {
    future: Pin<&'a mut F>,
    own: Arc<Own>,
    waker: Waker,
}

/// What is woken: the poll that goes on, or else the task.
#[derive(Debug, Default)]
struct Own {
    polling: AtomicBool,
    /// While that is so.
    woken: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Own {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Whoever ends the poll looks after this, or has done so and the task is woken.
        self.woken.store(true, SeqCst);
        if !self.polling.load(SeqCst) {
            self.task.wake();
        }
    }
}

impl<'a, F> Again<'a, F> {
    pub(super) fn new(future: Pin<&'a mut F>) -> Self {
        let own = Arc::new(Own::default());
        Self { future, waker: Waker::from(Arc::clone(&own)), own }
    }
}

impl<F: Future> Future for Again<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Self { future, own, waker } = &mut *self;
        own.task.register(cx.waker());
        for _ in 0..MOST {
            own.woken.store(false, SeqCst);
            own.polling.store(true, SeqCst);
            let polled = future.as_mut().poll(&mut Context::from_waker(waker));
            own.polling.store(false, SeqCst);
            if polled.is_ready() || !own.woken.load(SeqCst) {
                return polled;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, pin::pin, sync::atomic::AtomicUsize};

    use futures_util::FutureExt as _;

    use super::*;

    /// Counts how often it is woken.
    #[derive(Debug, Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    #[test]
    fn one_that_wakes_itself_is_polled_again_and_its_task_is_not_woken() {
        let task = Arc::new(Woken::default());
        let mut polls = 0;
        let mut three = pin!(poll_fn(|cx| {
            polls += 1;
            cx.waker().wake_by_ref();
            if polls == 3 { Poll::Ready(()) } else { Poll::Pending }
        }));
        let waker = Waker::from(Arc::clone(&task));
        let done = Again::new(three.as_mut()).poll_unpin(&mut Context::from_waker(&waker));
        assert!(done.is_ready());
        assert_eq!((polls, task.0.load(SeqCst)), (3, 0));
    }

    #[test]
    fn one_that_never_stops_lets_others_have_their_turn_and_one_that_waits_is_woken() {
        let task = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&task));
        let mut polls = 0;
        let mut for_ever = pin!(poll_fn(|cx| {
            polls += 1;
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        }));
        let polled = Again::new(for_ever.as_mut()).poll_unpin(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        assert_eq!((polls, task.0.load(SeqCst)), (MOST, 1));

        let mut kept = None;
        let mut waits = pin!(poll_fn(|cx| {
            kept = Some(cx.waker().clone());
            Poll::<()>::Pending
        }));
        let mut again = Again::new(waits.as_mut());
        assert!(again.poll_unpin(&mut Context::from_waker(&waker)).is_pending());
        drop(again);
        assert_eq!(task.0.load(SeqCst), 1);
        kept.unwrap().wake();
        assert_eq!(task.0.load(SeqCst), 2);
    }
}
