//! Between the connection, which never waits, and a reader, which may be slow.
//!
//! Keeps the newest items and, apart from them, the end: a terminal error is never lost.

use std::{
    collections::VecDeque,
    task::{Context, Poll, Waker},
};

#[derive(Debug)]
pub(super) struct Mailbox<T> {
    queue: VecDeque<T>,
    /// Bound of `queue`; the oldest gives way.
    keep: usize,
    /// What comes after the queue, once nothing more goes into it: an error, or just the end.
    end: Option<Option<T>>,
    skipped: u64,
    reader: Option<Waker>,
}

impl<T> Mailbox<T> {
    pub(super) const fn new(keep: usize) -> Self {
        Self { queue: VecDeque::new(), keep, end: None, skipped: 0, reader: None }
    }

    pub(super) fn push(&mut self, item: T) {
        if self.end.is_some() {
            return;
        }
        if self.queue.len() >= self.keep {
            self.skipped += 1;
            self.queue.pop_front();
        }
        self.queue.push_back(item);
        self.wake();
    }

    /// Nothing comes after `last`. The first end wins.
    pub(super) fn finish(&mut self, last: Option<T>) {
        if self.end.is_none() {
            self.end = Some(last);
            self.wake();
        }
    }

    pub(super) fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Option<T>> {
        if let Some(item) = self.queue.pop_front() {
            return Poll::Ready(Some(item));
        }
        if let Some(last) = &mut self.end {
            return Poll::Ready(last.take());
        }
        self.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Items that gave way before they were read.
    pub(super) const fn skipped(&self) -> u64 {
        self.skipped
    }

    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::Mailbox;

    fn read(mailbox: &mut Mailbox<u32>) -> Poll<Option<u32>> {
        mailbox.poll_next(&Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_slow_reader_finds_the_newest_item_and_then_the_end() {
        let mut mailbox = Mailbox::new(1);
        (1..=3).for_each(|item| mailbox.push(item));
        mailbox.finish(Some(99));
        mailbox.push(4);
        mailbox.finish(None);
        assert_eq!(mailbox.skipped(), 2);
        assert_eq!(read(&mut mailbox), Poll::Ready(Some(3)));
        assert_eq!(read(&mut mailbox), Poll::Ready(Some(99)));
        assert_eq!(read(&mut mailbox), Poll::Ready(None));
        assert_eq!(read(&mut mailbox), Poll::Ready(None));
    }

    #[test]
    fn a_larger_mailbox_keeps_the_order() {
        let mut mailbox = Mailbox::new(2);
        assert_eq!(read(&mut mailbox), Poll::Pending);
        (1..=3).for_each(|item| mailbox.push(item));
        assert_eq!(read(&mut mailbox), Poll::Ready(Some(2)));
        assert_eq!(read(&mut mailbox), Poll::Ready(Some(3)));
        assert_eq!(read(&mut mailbox), Poll::Pending);
    }
}
