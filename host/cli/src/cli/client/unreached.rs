//! What is said of a daemon that cannot be reached, or says nothing.

use crate::cli::failure::WithHelp;
use std::{error::Error, io, path::Path, time::Duration};

/// What the system said where no connection was made.
pub(super) fn unconnected(error: &reqwest::Error) -> Option<&io::Error> {
    let mut cause = error.source().filter(|_| error.is_connect());
    while let Some(found) = cause {
        if let Some(found) = found.downcast_ref() {
            return Some(found);
        }
        cause = found.source();
    }
    None
}

/// Why there is no connection, and what to do about it.
pub(super) fn no_answer(socket: &Path, error: &io::Error) -> WithHelp {
    let socket = socket.display();
    let (error, help) = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => (
            format!("the daemon is not running: nobody listens on {socket}"),
            "start it with `mainstay run`, or name another socket with --socket or another config with --config",
        ),
        io::ErrorKind::PermissionDenied => (
            format!("the daemon's socket {socket} is not open to this user"),
            "use it as the user that the daemon runs as, or as one of those with whom host.api.group and host.api.viewers \
             share it",
        ),
        io::ErrorKind::WouldBlock => (
            format!("the daemon takes no more connections on {socket}: too many wait already"),
            STUCK,
        ),
        _ => (
            format!("cannot connect to {socket}: {error}"),
            "name the daemon's socket with --socket",
        ),
    };
    WithHelp {
        error,
        help: Some(help.to_owned()),
    }
}

const STUCK: &str = "it is stopped, stuck or very busy: look at its log and its process, and start it again where it \
                     is stuck; --timeout 1m waits longer";

/// There is a daemon, and it says nothing.
pub(super) fn silent(socket: &Path, patience: Duration) -> WithHelp {
    let socket = socket.display();
    WithHelp {
        error: format!(
            "the daemon has not answered within {patience:?}: somebody listens on {socket} and says nothing"
        ),
        help: Some(format!("{STUCK}; a command that was sent may yet be done")),
    }
}
