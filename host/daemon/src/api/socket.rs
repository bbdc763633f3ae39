//! Where the API listens.
//!
//! Invariant: the Unix socket is never, not even for a moment, open to anybody but its owner.
//! Invariant: the owner of the state directory serves it, and nobody else; a socket that is there before is a dead
//! daemon's and is replaced.

use mainstay_store::StateDirectory;
use std::{
    io,
    net::SocketAddr,
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::net::{TcpListener, UnixListener, UnixSocket};

/// The socket's name in the state directory.
pub const SOCKET_NAME: &str = "mainstay.sock";

/// The longest path that the kernel takes for a socket, in bytes; see unix(7).
const MAX_SOCKET_PATH: usize = 107;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// The socket's file, which goes with this value; before that nobody else owns the state directory.
pub(super) struct SocketFile {
    path: PathBuf,
    _directory: Arc<StateDirectory>,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Where it cannot be removed, the next daemon replaces it.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Why the API cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The path is in use for something else.
    #[error("{socket} is not a socket; move it away, or set another host.state_dir")]
    NotASocket {
        /// What is there.
        socket: PathBuf,
    },
    /// The kernel does not take such a path.
    #[error(
        "the socket path {socket} has {length} bytes, and {MAX_SOCKET_PATH} are allowed; set a shorter host.state_dir"
    )]
    TooLong {
        /// The path.
        socket: PathBuf,
        /// Its length.
        length: usize,
    },
    /// The socket cannot be made.
    #[error("cannot listen on {socket}: is host.state_dir there, and writable for this user?")]
    Unix {
        /// The path.
        socket: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The address cannot be had.
    #[error("cannot listen on {listen}, the address of host.api.listen")]
    Tcp {
        /// The address.
        listen: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// Replaces what a dead daemon left, and listens.
pub(super) fn bind_unix(
    directory: Arc<StateDirectory>,
) -> Result<(UnixListener, SocketFile), BindError> {
    let socket = &directory.path().join(SOCKET_NAME);
    let length = socket.as_os_str().len();
    if length > MAX_SOCKET_PATH {
        let socket = socket.to_owned();
        return Err(BindError::TooLong { socket, length });
    }
    let failed = |source| BindError::Unix {
        socket: socket.to_owned(),
        source,
    };
    match std::fs::symlink_metadata(socket) {
        Ok(found) if !found.file_type().is_socket() => {
            let socket = socket.to_owned();
            return Err(BindError::NotASocket { socket });
        }
        Ok(_) => std::fs::remove_file(socket).map_err(failed)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let listener = listen_for_owner(socket).map_err(failed)?;
    let file = SocketFile {
        path: socket.to_owned(),
        _directory: directory,
    };
    Ok((listener, file))
}

/// Linux gives the socket file the mode of the unbound socket, less the umask.
fn listen_for_owner(path: &Path) -> io::Result<UnixListener> {
    let socket = UnixSocket::new_stream()?;
    rustix::fs::fchmod(&socket, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR)?;
    socket.bind(path)?;
    socket.listen(BACKLOG)
}

/// Listens on TCP.
pub(super) async fn bind_tcp(listen: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(listen)
        .await
        .map_err(|source| BindError::Tcp { listen, source })
}
