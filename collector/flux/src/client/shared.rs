//! What clients, streams and the connection share: one state behind one lock, held for moments and
//! never across an await.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use bytes::{Bytes, BytesMut};

use super::mailbox::Mailbox;
use crate::rpc::{Call, Delivery, Disconnect, Event, RpcError, Session};

pub(super) type Responses = Mailbox<Result<Bytes, RpcError>>;
pub(super) type Events = Mailbox<Result<Event, RpcError>>;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) session: Session,
    /// Encoded and not written yet; bounded by [`crate::rpc::MAX_UNSENT`] and one request.
    pub(super) unsent: BytesMut,
    /// By matchtag; bounded by [`crate::rpc::MAX_OUTSTANDING`] and by the handles that users keep.
    pub(super) responses: HashMap<u32, Responses>,
    /// By subscription; bounded by [`crate::rpc::MAX_SUBSCRIPTIONS`].
    pub(super) events: HashMap<u64, Events>,
    /// The connection's task.
    pub(super) driver: Option<Waker>,
    pub(super) ended: Option<Disconnect>,
    /// Users of the connection: it ends with the last one.
    pub(super) handles: usize,
}

impl State {
    /// Starts an RPC whose newest `keep` responses wait for their reader.
    pub(super) fn start(&mut self, call: Call<'_>, keep: usize) -> Result<u32, RpcError> {
        if let Some(ended) = &self.ended {
            return Err(RpcError::Disconnected(ended.clone()));
        }
        let matchtag = self.session.start(call, &mut self.unsent)?;
        self.responses.insert(matchtag, Mailbox::new(keep));
        self.wake_driver();
        Ok(matchtag)
    }

    pub(super) fn abandon(&mut self, matchtag: u32) {
        self.responses.remove(&matchtag);
        self.session.abandon(matchtag);
    }

    pub(super) fn deliver(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Response { matchtag, result, last } => {
                let Some(mailbox) = self.responses.get_mut(&matchtag) else {
                    return;
                };
                match result {
                    Ok(payload) => {
                        mailbox.push(Ok(payload));
                        if last {
                            mailbox.finish(None);
                        }
                    }
                    Err(error) if last => mailbox.finish(Some(Err(error))),
                    Err(error) => mailbox.push(Err(error)),
                }
            }
            Delivery::End { matchtag } => {
                if let Some(mailbox) = self.responses.get_mut(&matchtag) {
                    mailbox.finish(None);
                }
            }
            Delivery::Event { event, subscriptions } => {
                for subscription in subscriptions {
                    if let Some(mailbox) = self.events.get_mut(&subscription) {
                        mailbox.push(Ok(event.clone()));
                    }
                }
            }
        }
    }

    /// Tells everybody. The first reason stays.
    pub(super) fn end(&mut self, why: &Disconnect) {
        if self.ended.is_none() {
            self.ended = Some(why.clone());
        }
        let error = || RpcError::Disconnected(why.clone());
        for mailbox in self.responses.values_mut() {
            mailbox.finish(Some(Err(error())));
        }
        for mailbox in self.events.values_mut() {
            mailbox.finish(Some(Err(error())));
        }
        self.driver = None;
        self.session = Session::new();
        self.unsent = BytesMut::new();
    }

    pub(super) fn wake_driver(&self) {
        if let Some(driver) = &self.driver {
            driver.wake_by_ref();
        }
    }
}

/// One user's share of the state; counted.
#[derive(Debug)]
pub(super) struct Handle(Arc<Mutex<State>>);

impl Handle {
    pub(super) fn first() -> Self {
        Self(Arc::new(Mutex::new(State { handles: 1, ..State::default() })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }

    /// For the driver, which is no user.
    pub(super) fn uncounted(&self) -> Arc<Mutex<State>> {
        Arc::clone(&self.0)
    }
}

impl Clone for Handle {
    fn clone(&self) -> Self {
        self.lock().handles += 1;
        Self(Arc::clone(&self.0))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut state = self.lock();
        state.handles -= 1;
        if state.handles == 0 {
            state.wake_driver();
        }
    }
}

/// No code that can panic runs under the lock, so that a poisoned state is a whole one.
pub(super) fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
