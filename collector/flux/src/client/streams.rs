//! The reading ends: responses of a streaming RPC, and events.

use std::{
    future::poll_fn,
    task::{Context, Poll},
};

use bytes::Bytes;

use super::shared::Handle;
use crate::{
    message::NODEID_ANY,
    rpc::{Call, Event, RpcError},
};

/// The responses to one RPC. Dropping it abandons the RPC.
///
/// The service is not told by that: most streams of Flux can only be stopped by closing the
/// connection. Those that can be cancelled end some time after [`cancel`](Self::cancel).
#[derive(Debug)]
pub struct Responses {
    pub(super) handle: Handle,
    pub(super) matchtag: u32,
}

impl Responses {
    /// The next response; `None` at the normal end of the stream. A response without payload is
    /// empty. After [`RpcError::TooLarge`] a stream goes on, after every other error it is over.
    ///
    /// Can be dropped and called again: nothing is lost.
    pub async fn next(&mut self) -> Option<Result<Bytes, RpcError>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`next`](Self::next), for use in futures written by hand.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, RpcError>>> {
        match self.handle.lock().responses.get_mut(&self.matchtag) {
            Some(mailbox) => mailbox.poll_next(cx),
            None => Poll::Ready(None),
        }
    }

    /// Asks the service to end the stream, with `<topic>-cancel`; read on until it has. Only some
    /// services know it, the journals among them.
    pub fn cancel(&mut self) -> Result<(), RpcError> {
        let mut state = self.handle.lock();
        let state = &mut *state;
        state.session.cancel(self.matchtag, &mut state.unsent)?;
        state.wake_driver();
        Ok(())
    }

    /// Responses that gave way to newer ones because nobody read them in time.
    pub fn skipped(&self) -> u64 {
        self.handle.lock().responses.get(&self.matchtag).map_or(0, |mailbox| mailbox.skipped())
    }
}

impl Drop for Responses {
    fn drop(&mut self) {
        self.handle.lock().abandon(self.matchtag);
    }
}

/// The events of one subscription. Dropping it unsubscribes.
#[derive(Debug)]
pub struct Events {
    pub(super) handle: Handle,
    pub(super) subscription: u64,
}

impl Events {
    /// The next event; an error is the last item.
    ///
    /// Can be dropped and called again: nothing is lost.
    pub async fn next(&mut self) -> Option<Result<Event, RpcError>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`next`](Self::next), for use in futures written by hand.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Event, RpcError>>> {
        match self.handle.lock().events.get_mut(&self.subscription) {
            Some(mailbox) => mailbox.poll_next(cx),
            None => Poll::Ready(None),
        }
    }

    /// Events that gave way to newer ones because nobody read them in time.
    pub fn skipped(&self) -> u64 {
        self.handle.lock().events.get(&self.subscription).map_or(0, |mailbox| mailbox.skipped())
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let mut state = self.handle.lock();
        state.events.remove(&self.subscription);
        let Some(prefix) = state.session.unsubscribe(self.subscription) else {
            return;
        };
        let payload = serde_json::json!({ "topic": prefix }).to_string();
        let call = Call {
            topic: "event.unsubscribe",
            nodeid: NODEID_ANY,
            payload: Some(payload.into()),
            streaming: false,
        };
        // Where this fails the events still come, and are dropped here.
        if let Ok(matchtag) = state.start(call, 1) {
            state.abandon(matchtag);
        }
    }
}
