//! A connection to a server, and the addresses of its name.

use super::{Seen, blocking::Turn, io_cause, words};
use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
    time::Duration,
};
use tokio::net::TcpStream;

pub(super) async fn resolve_and_connect(address: &str, turn: Turn, warn: Option<Duration>) -> Seen {
    match resolve(address, turn).await {
        Ok(addresses) => connect(address, &*addresses, warn).await,
        Err(seen) => seen,
    }
}

/// The addresses of a name and a port. The error is what is seen where there are none.
pub(super) async fn resolve(address: &str, turn: Turn) -> Result<Vec<SocketAddr>, Seen> {
    let name = address.to_owned();
    let resolve = move || -> io::Result<Vec<SocketAddr>> { Ok(name.to_socket_addrs()?.collect()) };
    let found = turn.run(resolve).await?;
    found.map_err(|error| Seen::failed(format!("{address}: {}", io_cause(&error))))
}

pub(super) async fn connect(
    address: &str,
    to: impl tokio::net::ToSocketAddrs,
    warn: Option<Duration>,
) -> Seen {
    let start = tokio::time::Instant::now();
    match TcpStream::connect(to).await {
        Ok(_) => words::connected(address, start.elapsed(), warn),
        Err(error) => Seen::failed(format!("{address}: {}", io_cause(&error))),
    }
}
