//! Moves bytes between the socket and the session.

use std::{
    fmt,
    future::Future,
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use bytes::Buf;
use tokio::{
    io::{AsyncReadExt, AsyncWrite},
    net::UnixStream,
};

use super::shared::{State, lock};
use crate::{rpc::Disconnect, wire::Decoder};

/// Reads in a row, before others have their turn: what a broker has to say at once, as the backlog of a
/// journal, is taken in at most so many pieces before anybody looks at it.
const READS: usize = 8;

/// Drives the socket until it ends, and says why. Nothing moves unless this is polled: spawn it.
///
/// It ends by itself with the last [`Client`](super::Client), stream and subscription. It always
/// reads, however slow its users are: a broker keeps what a client does not read, without a bound.
#[must_use = "nothing is sent or received unless this future is polled"]
pub struct Connection {
    socket: UnixStream,
    decoder: Decoder,
    state: Arc<Mutex<State>>,
}

impl Connection {
    pub(super) const fn new(
        socket: UnixStream,
        decoder: Decoder,
        state: Arc<Mutex<State>>,
    ) -> Self {
        Self { socket, decoder, state }
    }

    fn drive(&mut self, cx: &mut Context<'_>) -> Result<(), Disconnect> {
        {
            let mut state = lock(&self.state);
            state.driver = Some(cx.waker().clone());
            if state.handles == 0 {
                return Err(Disconnect::Released);
            }
        }
        self.write(cx).map_err(|error| Disconnect::Io(Arc::new(error)))?;
        self.read(cx)
    }

    /// Writes until there is nothing left or the socket is full.
    fn write(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let mut state = lock(&self.state);
        while !state.unsent.is_empty() {
            match Pin::new(&mut self.socket).poll_write(cx, &state.unsent) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(written)) => state.unsent.advance(written),
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Ok(()),
            }
        }
        Ok(())
    }

    /// Reads until there is nothing left, or others are to have their turn.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<(), Disconnect> {
        for _ in 0..READS {
            // The decoder owns the bytes: a read that is given up loses none.
            match pin!(self.socket.read_buf(self.decoder.fill())).poll(cx) {
                Poll::Ready(Ok(0)) => return Err(Disconnect::Closed),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Err(Disconnect::Closed);
                }
                Poll::Ready(Err(error)) => return Err(Disconnect::Io(Arc::new(error))),
                Poll::Pending => return Ok(()),
            }
            while let Some(frame) = self.decoder.next().map_err(Disconnect::Protocol)? {
                let mut state = lock(&self.state);
                if let Some(delivery) = state.session.handle(frame) {
                    state.deliver(delivery);
                }
            }
        }
        cx.waker().wake_by_ref();
        Ok(())
    }
}

impl Future for Connection {
    type Output = Disconnect;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Disconnect> {
        match self.drive(cx) {
            Ok(()) => Poll::Pending,
            Err(why) => {
                lock(&self.state).end(&why);
                Poll::Ready(why)
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        lock(&self.state).end(&Disconnect::Stopped);
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("socket", &self.socket).finish_non_exhaustive()
    }
}
