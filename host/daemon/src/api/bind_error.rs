//! Why the API cannot listen.

use std::{io, net::SocketAddr, path::PathBuf};

/// The longest path that the kernel takes for a socket, in bytes; see unix(7).
pub(super) const MAX_SOCKET_PATH: usize = 107;

/// Why the API cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The path is in use for something else.
    #[error("{socket} is not a socket; move it away, or set another host.state_dir")]
    NotASocket {
        /// What is there.
        socket: PathBuf,
    },
    /// Somebody listens there.
    #[error(
        "somebody listens on {socket}, though no other daemon has this state directory; end that program, or set another \
         host.state_dir"
    )]
    InUse {
        /// The socket.
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
    /// It cannot be shared.
    #[error(
        "cannot share {directory} with whom host.api.group and host.api.viewers name: that needs a daemon that runs as root or \
         is in the group itself, and for viewers a file system with access control lists"
    )]
    Sharing {
        /// The state directory.
        directory: PathBuf,
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
