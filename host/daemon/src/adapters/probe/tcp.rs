//! Whether a connection opens.
//!
//! A server on this machine has answered by the time at which the system call that asks it returns: then nothing is waited
//! for, and neither the poller nor a timer of the runtime is told of the socket.

use super::{Seen, words};
use mainstay_domain::health::Outcome;
use rustix::{
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, connect as ask, socket_with},
};
use std::{io, net::SocketAddr, os::fd::OwnedFd, time::Duration};
use tokio::net::TcpStream;

/// One address after the other.
pub(super) async fn connect(address: &str, to: &[SocketAddr], warn: Option<Duration>) -> Seen {
    let start = tokio::time::Instant::now();
    match first(address, to, reach).await {
        Ok(()) => words::connected(address, start.elapsed(), warn),
        Err(seen) => seen,
    }
}

/// One address after the other. The error is what is seen where no connection opens.
pub(super) async fn open(address: &str, to: &[SocketAddr]) -> Result<TcpStream, Seen> {
    first(address, to, TcpStream::connect).await
}

/// What the first address gives that gives something. That one cannot be tried says nothing where another one refuses.
async fn first<T, F: Future<Output = io::Result<T>>>(
    address: &str,
    to: &[SocketAddr],
    connect: impl Fn(SocketAddr) -> F,
) -> Result<T, Seen> {
    let mut seen: Option<Seen> = None;
    for one in to {
        match connect(*one).await {
            Ok(opened) => return Ok(opened),
            Err(error) => {
                let next = Seen::of_error(address, &error);
                let is_told = |seen: &Seen| seen.outcome == Some(Outcome::Failed);
                seen = Some(match seen {
                    Some(before) if is_told(&before) && !is_told(&next) => before,
                    _ => next,
                });
            }
        }
    }
    Err(seen.unwrap_or_else(|| Seen::failed(format!("{address} has no address"))))
}

/// Opens a connection and closes it.
async fn reach(to: SocketAddr) -> io::Result<()> {
    let Some(asked) = begin(to)? else {
        return Ok(());
    };
    let stream = TcpStream::from_std(asked.into())?;
    stream.writable().await?;
    match stream.take_error()? {
        None => Ok(()),
        Some(error) => Err(error),
    }
}

/// Asks for a connection. None where it has opened already, and was closed again; else what is to be waited for.
fn begin(to: SocketAddr) -> io::Result<Option<OwnedFd>> {
    let family = match to {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    match ask(&socket, &to) {
        Ok(()) => return Ok(None),
        Err(Errno::INPROGRESS | Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    // Asked again, the system says what has become of it.
    match ask(&socket, &to) {
        Ok(()) | Err(Errno::ISCONN) => Ok(None),
        Err(Errno::ALREADY | Errno::INPROGRESS | Errno::INTR) => Ok(Some(socket)),
        Err(error) => Err(error.into()),
    }
}

/// As [`open`], where somebody else could not connect for want of a port and says so of one address alone: what the others
/// say counts, for one that refuses is an answer.
pub(super) async fn judge_without_port(seen: Seen, what: &str, to: &[SocketAddr]) -> Seen {
    match open(what, to).await {
        Err(told) if told.outcome == Some(Outcome::Failed) && !to.is_empty() => told,
        Ok(_) | Err(_) => seen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{bind, getsockname, listen};
    use std::net::TcpListener;

    fn local(socket: &OwnedFd) -> SocketAddr {
        getsockname(socket).unwrap().try_into().unwrap()
    }

    #[tokio::test]
    async fn a_server_of_this_machine_has_answered_when_it_was_asked_and_nothing_waits() {
        for host in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(host) else {
                continue; // Not every machine has IPv6.
            };
            let to = listener.local_addr().unwrap();
            assert!(begin(to).unwrap().is_none(), "{to}");
            reach(to).await.unwrap();
            drop(listener);
            let error = begin(to).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused, "{to}");
        }
    }

    #[tokio::test]
    async fn one_that_does_not_answer_at_once_is_waited_for() {
        let flags = SocketFlags::CLOEXEC;
        let full = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
        bind(&full, &"127.0.0.1:0".parse::<SocketAddr>().unwrap()).unwrap();
        listen(&full, 0).unwrap();
        let to = local(&full);
        // Its queue is full after a few, and then it is silent.
        let mut held = Vec::new();
        let asked = loop {
            let asked = socket_with(
                AddressFamily::INET,
                SocketType::STREAM,
                SocketFlags::NONBLOCK | SocketFlags::CLOEXEC,
                None,
            );
            let asked = asked.unwrap();
            let _ = ask(&asked, &to);
            held.push(asked);
            if let Some(asked) = begin(to).unwrap() {
                break asked;
            }
            assert!(held.len() < 64, "its queue is never full");
        };
        drop(asked);
        let waits = tokio::time::timeout(Duration::from_millis(20), reach(to));
        assert!(waits.await.is_err(), "it is silent");
    }
}
