//! Whether a connection opens.

use super::{Seen, words};
use mainstay_domain::health::Outcome;
use std::{net::SocketAddr, time::Duration};
use tokio::net::TcpStream;

/// One address after the other.
pub(super) async fn connect(address: &str, to: &[SocketAddr], warn: Option<Duration>) -> Seen {
    let start = tokio::time::Instant::now();
    match open(address, to).await {
        Ok(_) => words::connected(address, start.elapsed(), warn),
        Err(seen) => seen,
    }
}

/// One address after the other. The error is what is seen where no connection opens: that one cannot be tried says
/// nothing where another one refuses.
pub(super) async fn open(address: &str, to: &[SocketAddr]) -> Result<TcpStream, Seen> {
    let mut seen: Option<Seen> = None;
    for one in to {
        match TcpStream::connect(one).await {
            Ok(stream) => return Ok(stream),
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

/// As [`open`], where somebody else could not connect for want of a port and says so of one address alone: what the others
/// say counts, for one that refuses is an answer.
pub(super) async fn judge_without_port(seen: Seen, what: &str, to: &[SocketAddr]) -> Seen {
    match open(what, to).await {
        Err(told) if told.outcome == Some(Outcome::Failed) && !to.is_empty() => told,
        Ok(_) | Err(_) => seen,
    }
}
