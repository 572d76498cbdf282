//! The socket of one rank: bound, deaf or gone, and the connections that came through it.

use std::{io, path::PathBuf};

use tokio::{
    net::{UnixListener, UnixStream},
    sync::watch,
};
use tokio_util::task::TaskTracker;

use crate::{connection, world::Shared};

/// Steers the keeper of a socket.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    rank: u32,
    path: PathBuf,
    mode: watch::Sender<Mode>,
    /// Each change ends the connections that there are.
    hangups: watch::Sender<u64>,
    /// The generation whose socket is bound.
    bound: watch::Sender<u64>,
}

/// What the keeper is to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mode {
    /// There is a socket.
    open: bool,
    /// Its connections are accepted, else they wait in the backlog.
    pub(crate) accept: bool,
    /// Counts the brokers that had this rank: each has a socket of its own.
    generation: u64,
}

impl Door {
    pub(crate) fn new(path: PathBuf, rank: u32) -> Self {
        let mode = Mode { open: true, accept: true, generation: 0 };
        Self {
            rank,
            path,
            mode: watch::Sender::new(mode),
            hangups: watch::Sender::new(0),
            bound: watch::Sender::new(0),
        }
    }

    pub(crate) const fn rank(&self) -> u32 {
        self.rank
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut Mode)) {
        self.mode.send_modify(change);
    }

    /// Puts a new socket there, where there is none.
    pub(crate) fn open(&self) {
        self.set(|mode| {
            if !mode.open {
                mode.open = true;
                mode.generation += 1;
            }
        });
    }

    /// Takes the socket away and ends the connections.
    pub(crate) fn close(&self) {
        self.set(|mode| mode.open = false);
        self.remove();
        self.hang_up();
    }

    /// Ends the connections.
    pub(crate) fn hang_up(&self) {
        self.hangups.send_modify(|count| *count += 1);
    }

    /// Waits until the socket that was last asked for is there.
    pub(crate) async fn bound(&self) {
        let wanted = self.mode.borrow().generation;
        // An error would mean that there is no sender, but this door is one.
        drop(self.bound.subscribe().wait_for(|bound| *bound >= wanted).await);
    }

    pub(crate) fn bind(&self) -> io::Result<UnixListener> {
        // The socket of a process that was killed is still there.
        self.remove();
        UnixListener::bind(&self.path)
    }

    /// Keeps the socket as the mode says, for ever.
    pub(crate) async fn keep(
        self,
        mut listener: Option<UnixListener>,
        shared: Shared,
        tasks: TaskTracker,
    ) {
        let mut modes = self.mode.subscribe();
        let mut bound = 0;
        loop {
            let mode = *modes.borrow_and_update();
            let stale = !mode.open || mode.generation != bound;
            if stale && listener.take().is_some() {
                // Whoever closed the door has done so, unless it was being opened on another thread.
                self.remove();
            }
            if mode.open && listener.is_none() {
                match self.bind() {
                    Ok(fresh) => listener = Some(fresh),
                    Err(error) => {
                        tracing::error!(%error, path = %self.path.display(), "cannot bind");
                    }
                }
                bound = mode.generation;
                self.bound.send_replace(bound);
            }
            tokio::select! {
                accepted = accept(listener.as_ref().filter(|_| mode.accept)) => {
                    if let Ok(socket) = accepted {
                        self.serve(socket, &shared, &tasks);
                    }
                }
                _ = modes.changed() => {}
            }
        }
    }

    fn serve(&self, socket: UnixStream, shared: &Shared, tasks: &TaskTracker) {
        let mut hangups = self.hangups.subscribe();
        let connection = connection::serve(socket, self.rank, shared.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = connection => {}
                _ = hangups.changed() => {}
            }
        });
    }

    fn remove(&self) {
        if let Err(error) = std::fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %self.path.display(), "cannot remove the socket");
        }
    }
}

async fn accept(listener: Option<&UnixListener>) -> io::Result<UnixStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(socket, _)| socket),
        None => std::future::pending().await,
    }
}
