//! A connection to a socket in the file system.

use super::{Seen, blocking::Turn, io_cause, words};
use std::{io, os::unix::fs::FileTypeExt, path::Path, time::Duration};
use tokio::net::UnixStream;

/// How often a server is asked again whose queue is full.
const AGAIN: Duration = Duration::from_millis(10);

/// Looks for the socket on a thread, for a file system that does not answer must not hold up the daemon; then connects.
pub(super) async fn look(path: &Path, warn: Option<Duration>, turn: Turn) -> Seen {
    let shown = path.display().to_string();
    let found = path.to_owned();
    let is_socket = move || Ok(std::fs::metadata(found)?.file_type().is_socket());
    let is_socket: io::Result<bool> = match turn.run(is_socket).await {
        Ok(is_socket) => is_socket,
        Err(seen) => return seen,
    };
    match is_socket {
        Ok(true) => {}
        Ok(false) => return Seen::failed(format!("{shown}: it is no socket")),
        Err(error) => return Seen::failed(format!("{shown}: {}", io_cause(&error))),
    }
    let start = tokio::time::Instant::now();
    loop {
        match UnixStream::connect(path).await {
            Ok(_) => return words::connected(&shown, start.elapsed(), warn),
            // Its queue is full: who blocks waits here too, until the check's timeout.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                tokio::time::sleep(AGAIN).await;
            }
            Err(error) => return Seen::failed(format!("{shown}: {}", io_cause(&error))),
        }
    }
}
