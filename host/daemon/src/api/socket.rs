//! Where the API listens.
//!
//! Invariant: the Unix socket is never, not even for a moment, open to anybody but its owner and those with whom the config
//! shares it.
//! Invariant: the owner of the state directory serves it, and nobody else; a socket that is there before, and at which nobody
//! listens, is a dead daemon's and is replaced. No other file is ever removed: at the end only the very one that was made.
//! Invariant: a socket that is removed while the daemon lives is made again; no restart is needed to be reached.
//! Invariant: where the daemon has no descriptor left, one is kept for who comes to the socket.

use super::{
    bind_error::{BindError, MAX_SOCKET_PATH},
    sharing::Sharing,
};
use axum::serve::Listener;
use mainstay_runtime::lack;
use mainstay_store::StateDirectory;
use parking_lot::Mutex;
use std::{
    fs::{File, Metadata},
    io,
    net::SocketAddr,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{TcpListener, UnixListener, UnixSocket, UnixStream},
    time::{Interval, MissedTickBehavior, interval, sleep, timeout},
};

/// The socket's name in the state directory.
pub const SOCKET_NAME: &str = "mainstay.sock";

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// How often it is looked whether the socket is still there.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Who does not take a connection by then is a daemon that lives and is held up.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// Between two tries where the system gives no connection.
const TRY_AGAIN: Duration = Duration::from_millis(100);

/// The socket's file, which goes with this value; before that nobody else owns the state directory.
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and number of the file that was made.
    made: Mutex<Option<(u64, u64)>>,
    sharing: Sharing,
    _directory: Arc<StateDirectory>,
}

impl SocketFile {
    /// Makes the file, and listens.
    fn listen(&self) -> io::Result<UnixListener> {
        let listener = listen_for_owner(&self.path)?;
        *self.made.lock() = Some(identity(&self.path.symlink_metadata()?));
        self.sharing.open_socket(&self.path)?;
        Ok(listener)
    }

    /// What is at the path; none where nothing is.
    fn found(&self) -> io::Result<Option<Metadata>> {
        match self.path.symlink_metadata() {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The number of a socket's file is used for no other while the socket is open.
    fn is_ours(&self, found: &Metadata) -> bool {
        found.file_type().is_socket() && *self.made.lock() == Some(identity(found))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Ok(Some(found)) = self.found()
            && self.is_ours(&found)
        {
            // Where it cannot be removed, the next daemon replaces it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn identity(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

/// The socket, and what keeps it reachable.
pub(super) struct UnixDoor {
    listener: UnixListener,
    file: Arc<SocketFile>,
    look: Interval,
    /// Whether it was told why nobody can reach it.
    is_told: bool,
    /// A descriptor that is let go of for a connection where there is no other.
    spare: Option<File>,
}

impl UnixDoor {
    fn new(listener: UnixListener, file: Arc<SocketFile>) -> Self {
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            listener,
            file,
            look,
            is_told: false,
            spare: spare(),
        }
    }

    /// The file, which is to outlive this.
    pub(super) fn file(&self) -> Arc<SocketFile> {
        Arc::clone(&self.file)
    }

    /// Makes the socket again where its file is gone. Another file in its place is somebody's, and stays.
    fn look_after(&mut self) {
        let why = match self.file.found() {
            Ok(Some(found)) if self.file.is_ours(&found) => {
                self.is_told = false;
                return;
            }
            Ok(Some(_)) => "another file is in its place; move that away".to_owned(),
            Ok(None) => match self.file.listen() {
                Ok(listener) => {
                    self.listener = listener;
                    self.is_told = false;
                    tracing::warn!(path = %self.file.path.display(), "the socket of the admin API was removed; it is made again");
                    return;
                }
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        if !std::mem::replace(&mut self.is_told, true) {
            tracing::error!(path = %self.file.path.display(), why, "nobody reaches the admin API by its socket");
        }
    }

    /// Lets go of the spare descriptor where that may help, and waits a little where nothing does.
    async fn make_do(&mut self, error: io::Error) {
        if lack::is_own(&error) && self.spare.take().is_some() {
            return;
        }
        tracing::warn!(%error, "a connection to the admin API's socket is not taken yet");
        sleep(TRY_AGAIN).await;
    }
}

fn spare() -> Option<File> {
    File::open("/dev/null").ok()
}

impl Listener for UnixDoor {
    type Io = UnixStream;
    type Addr = tokio::net::unix::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                _ = self.look.tick() => {
                    self.look_after();
                    continue;
                }
            };
            match accepted {
                Ok(accepted) => {
                    self.spare = self.spare.take().or_else(spare);
                    return accepted;
                }
                Err(error) => self.make_do(error).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// Replaces what a dead daemon left, and listens.
pub(super) async fn bind_unix(
    directory: Arc<StateDirectory>,
    sharing: Sharing,
) -> Result<UnixDoor, BindError> {
    let socket = directory.path().join(SOCKET_NAME);
    let length = socket.as_os_str().len();
    if length > MAX_SOCKET_PATH {
        return Err(BindError::TooLong { socket, length });
    }
    let failed = |source| BindError::Unix {
        socket: socket.clone(),
        source,
    };
    let shared = directory.path().to_owned();
    sharing
        .open_directory(&shared)
        .map_err(|source| BindError::Sharing {
            directory: shared,
            source,
        })?;
    let file = Arc::new(SocketFile {
        path: socket.clone(),
        made: Mutex::new(None),
        sharing,
        _directory: directory,
    });
    match file.found().map_err(failed)? {
        Some(found) if !found.file_type().is_socket() => {
            return Err(BindError::NotASocket { socket });
        }
        Some(_) if is_served(&socket).await => return Err(BindError::InUse { socket }),
        Some(_) => std::fs::remove_file(&socket).map_err(failed)?,
        None => {}
    }
    let listener = file.listen().map_err(failed)?;
    Ok(UnixDoor::new(listener, file))
}

/// Whether somebody listens there. Who takes no more connections now does too.
async fn is_served(socket: &Path) -> bool {
    match timeout(ANSWERS_WITHIN, UnixStream::connect(socket)).await {
        Ok(Ok(_)) | Err(_) => true,
        Ok(Err(error)) => error.kind() == io::ErrorKind::WouldBlock,
    }
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
