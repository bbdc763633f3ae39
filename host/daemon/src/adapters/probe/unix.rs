//! A connection to a socket in the file system.

use super::{Seen, blocking::Turn, words};
use std::{io, os::unix::fs::FileTypeExt, path::Path, time::Duration};
use tokio::net::UnixStream;

/// How often a server is asked again whose queue is full.
const AGAIN: Duration = Duration::from_millis(10);

/// Connects, and closes the connection. `listener` is then the process that listens, where the system tells.
pub(super) async fn look(
    path: &Path,
    warn: Option<Duration>,
    turn: Turn,
    listener: &mut Option<u32>,
) -> Seen {
    match open(path, turn).await {
        Ok((stream, after)) => {
            *listener = listener_of(&stream);
            words::connected(&path.display().to_string(), after, warn)
        }
        Err(seen) => seen,
    }
}

/// The process that listens at the other end, where the system tells.
pub(super) fn listener_of(stream: &UnixStream) -> Option<u32> {
    let peer = stream.peer_cred().ok().and_then(|peer| peer.pid());
    peer.and_then(|pid| u32::try_from(pid).ok())
}

/// Looks for the socket on a thread, for a file system that does not answer must not hold up the daemon; then connects.
/// Gives the connection, and how long that took. The error is what is seen where none opens.
pub(super) async fn open(path: &Path, turn: Turn) -> Result<(UnixStream, Duration), Seen> {
    let shown = path.display().to_string();
    let found = path.to_owned();
    let is_socket = move || -> io::Result<bool> {
        let metadata = std::fs::metadata(found)?;
        Ok(metadata.file_type().is_socket())
    };
    match turn.run(is_socket).await? {
        Ok(true) => {}
        Ok(false) => return Err(Seen::failed(format!("{shown}: it is no socket"))),
        Err(error) => return Err(Seen::of_error(&shown, &error)),
    }
    let start = tokio::time::Instant::now();
    loop {
        match UnixStream::connect(path).await {
            Ok(stream) => return Ok((stream, start.elapsed())),
            // Its queue is full: who blocks waits here too, until the check's timeout.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                tokio::time::sleep(AGAIN).await;
            }
            Err(error) => return Err(Seen::of_error(&shown, &error)),
        }
    }
}
