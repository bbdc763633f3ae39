//! Tells systemd (or whoever set `NOTIFY_SOCKET`) that the daemon is ready, or stops: `sd_notify(3)`.

use std::os::{
    linux::net::SocketAddrExt,
    unix::net::{SocketAddr, UnixDatagram},
};

/// It serves now.
pub(super) fn ready() {
    send("READY=1");
}

/// It was asked to stop.
pub(super) fn stopping() {
    send("STOPPING=1");
}

fn send(state: &str) {
    let Ok(path) = std::env::var("NOTIFY_SOCKET") else {
        return;
    };
    let address = match path.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&path),
    };
    let sent = address
        .and_then(|address| UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address));
    if let Err(error) = sent {
        tracing::warn!(%error, path, "cannot notify the service manager");
    }
}
