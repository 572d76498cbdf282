//! A broker's socket that lets nobody in.

use std::{path::Path, time::Duration};

use tokio::{io::AsyncWriteExt as _, net::UnixListener, time::timeout};

/// Longer than a collector pauses between its tries.
const DEADLINE: Duration = Duration::from_secs(20);

/// What a broker says to a user that it does not know: EPERM.
const REFUSED: u8 = 1;

/// Refuses so many clients at the socket of rank 0 in `rundir`, and then is gone.
pub(crate) async fn refuse(rundir: &Path, clients: usize) {
    let path = rundir.join("local-0");
    let socket = UnixListener::bind(&path).unwrap();
    for _ in 0..clients {
        let (mut client, _) = timeout(DEADLINE, socket.accept()).await.expect("a client").unwrap();
        client.write_all(&[REFUSED]).await.unwrap();
    }
    drop(socket);
    std::fs::remove_file(path).unwrap();
}
