//! Tells systemd (or whoever set `NOTIFY_SOCKET`) how the daemon does: `sd_notify(3)`.
//!
//! Invariant: nothing of the daemon waits for the service manager for longer than [`TAKEN_WITHIN`]. The socket is made once, so
//! that a daemon without descriptors can tell that it lives.

use crate::ports::ServiceManager;
use rustix::time::{ClockId, clock_gettime};
use std::{
    env, io,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    time::Duration,
};

/// A service manager that takes nothing by then is told the next time.
const TAKEN_WITHIN: Duration = Duration::from_millis(100);

/// Who is told; nobody where no socket is named.
pub(super) struct Notifier {
    socket: Option<(UnixDatagram, SocketAddr)>,
}

impl Notifier {
    /// The one that the environment names.
    pub(super) fn of_environment() -> Self {
        let path = env::var("NOTIFY_SOCKET").ok();
        let socket = path.and_then(|path| match open(&path) {
            Ok(socket) => Some(socket),
            Err(error) => {
                tracing::warn!(%error, path, "cannot notify the service manager");
                None
            }
        });
        Self { socket }
    }

    /// How often it wants a sign of life; none where it wants none.
    pub(super) fn watchdog(&self) -> Option<Duration> {
        self.socket.as_ref()?;
        let [longest, pid] = ["WATCHDOG_USEC", "WATCHDOG_PID"].map(|name| env::var(name).ok());
        period_of(longest.as_deref(), pid.as_deref(), std::process::id())
    }

    /// Whether anybody is told.
    pub(super) fn is_there(&self) -> bool {
        self.socket.is_some()
    }

    /// A sign of life.
    pub(super) fn alive(&self) {
        self.send("WATCHDOG=1");
    }

    /// It was asked to stop, or has to.
    pub(super) fn stopping(&self, why: &str) {
        self.send(&format!(
            "STOPPING=1\nSTATUS=stopping: {}",
            in_one_line(why)
        ));
    }

    fn send(&self, state: &str) {
        let Some((socket, address)) = &self.socket else {
            return;
        };
        if let Err(error) = socket.send_to_addr(state.as_bytes(), address) {
            tracing::warn!(%error, state, "cannot notify the service manager");
        }
    }
}

impl ServiceManager for Notifier {
    fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    fn ready(&self) {
        self.send("READY=1");
    }

    fn status(&self, line: &str) {
        self.send(&format!("STATUS={}", in_one_line(line)));
    }
}

fn open(path: &str) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match path.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(path)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(TAKEN_WITHIN))?;
    Ok((socket, address))
}

/// A line of its own is another assignment.
fn in_one_line(text: &str) -> String {
    text.replace('\n', "; ")
}

/// Half of what the manager waits for, where it waits for this process.
fn period_of(longest: Option<&str>, pid: Option<&str>, own: u32) -> Option<Duration> {
    if pid.is_some_and(|pid| pid.parse() != Ok(own)) {
        return None;
    }
    match longest?.parse() {
        Ok(0) | Err(_) => None,
        Ok(micros) => Some(Duration::from_micros(micros) / 2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_of_life_come_twice_as_often_as_they_are_waited_for_from_the_process_that_is_named() {
        let second = Duration::from_secs(1);
        for (longest, pid, expected) in [
            (Some("2000000"), None, Some(second)),
            (Some("2000000"), Some("7"), Some(second)),
            (Some("2000000"), Some("8"), None),
            (Some("2000000"), Some("x"), None),
            (Some("0"), None, None),
            (Some("soon"), None, None),
            (None, Some("7"), None),
        ] {
            assert_eq!(period_of(longest, pid, 7), expected, "{longest:?} {pid:?}");
        }
    }
}
