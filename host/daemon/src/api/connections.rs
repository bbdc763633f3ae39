//! Serves connections, and says how many strangers may have one and for how long.
//!
//! Invariant: over TCP nobody has a connection, a place or memory for longer than [`HEAD_WITHIN`] without having shown the
//! token, and no more than [`MAX_STRANGERS`] at a time: who comes next takes the place of who has waited longest. So
//! idle connections keep no operator out.

use axum::{Router, extract::Request, serve::Listener};
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use parking_lot::Mutex;
use std::{collections::BTreeMap, pin::pin, sync::Arc, time::Duration};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// By then the head of a request is there, from the beginning of the connection or the end of the answer before on.
const HEAD_WITHIN: Duration = Duration::from_secs(10);

/// The head of a request, in bytes; hyper keeps no more of a connection in memory, either.
const MAX_HEAD: usize = 32 << 10;

/// TCP connections that have not shown the token yet.
const MAX_STRANGERS: usize = 128;

/// TCP connections that have shown it.
const MAX_KNOWN: usize = 256;

/// What every request of one connection carries in its extensions.
pub(super) trait Guest: Clone + Send + Sync + 'static {
    /// When this is cancelled, the connection is cut off; none: never.
    fn dismissed(&self) -> Option<CancellationToken>;
    /// Whether nothing of theirs is waited for at a stop.
    fn is_stranger(&self) -> bool;
}

/// Serves until `stop`, then waits for the requests that were begun. `meet` says who has come.
pub(super) async fn serve<L: Listener, G: Guest>(
    mut listener: L,
    app: Router,
    meet: impl Fn(&L::Io) -> G,
    stop: CancellationToken,
) {
    let connections = TaskTracker::new();
    loop {
        let stream = tokio::select! { biased;
            () = stop.cancelled() => break,
            (stream, _) = listener.accept() => stream,
        };
        let guest = meet(&stream);
        connections.spawn(converse(stream, app.clone(), guest, stop.clone()));
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// One connection, to its end.
async fn converse<S, G>(stream: S, app: Router, guest: G, stop: CancellationToken)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    G: Guest,
{
    let dismissed = guest.dismissed().unwrap_or_default();
    let visitor = guest.clone();
    let app = TowerToHyperService::new(app);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(guest.clone());
        app.call(request)
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = pin!(serving);
    let ended = tokio::select! { biased;
        () = dismissed.cancelled() => return,
        () = stop.cancelled() => {
            if visitor.is_stranger() {
                return;
            }
            serving.as_mut().graceful_shutdown();
            tokio::select! { biased;
                () = dismissed.cancelled() => return,
                ended = serving.as_mut() => ended,
            }
        }
        ended = serving.as_mut() => ended,
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection of the admin API ended");
    }
}

/// The TCP connections that there are.
#[derive(Default)]
pub(super) struct Connections(Mutex<Open>);

#[derive(Default)]
struct Open {
    next: u64,
    /// Those that have not shown the token, the oldest first.
    strangers: BTreeMap<u64, CancellationToken>,
    known: usize,
}

/// One TCP connection, which goes with the last of these.
#[derive(Clone)]
pub(super) struct Place(Arc<PlaceInner>);

struct PlaceInner {
    number: u64,
    dismissed: CancellationToken,
    connections: Arc<Connections>,
    is_known: Mutex<bool>,
}

impl Connections {
    /// A place for who has just come. Where there are too many strangers, the one that is there for longest goes.
    pub(super) fn admit(self: &Arc<Self>) -> Place {
        let dismissed = CancellationToken::new();
        let mut open = self.0.lock();
        let number = open.next;
        open.next += 1;
        open.strangers.insert(number, dismissed.clone());
        if open.strangers.len() > MAX_STRANGERS
            && let Some((_, oldest)) = open.strangers.pop_first()
        {
            oldest.cancel();
        }
        drop(open);
        Place(Arc::new(PlaceInner {
            number,
            dismissed,
            connections: Arc::clone(self),
            is_known: Mutex::new(false),
        }))
    }
}

impl Place {
    /// Is cancelled where somebody else has taken the place.
    pub(super) fn dismissed(&self) -> CancellationToken {
        self.0.dismissed.clone()
    }

    /// Whether the token was not shown yet.
    pub(super) fn is_strangers(&self) -> bool {
        !*self.0.is_known.lock()
    }

    /// The token was shown. False where as many as may be have shown it on other connections.
    pub(super) fn become_known(&self) -> bool {
        let mut is_known = self.0.is_known.lock();
        if *is_known {
            return true;
        }
        let mut open = self.0.connections.0.lock();
        if open.known >= MAX_KNOWN {
            return false;
        }
        open.strangers.remove(&self.0.number);
        open.known += 1;
        *is_known = true;
        true
    }
}

impl Drop for PlaceInner {
    fn drop(&mut self) {
        let mut open = self.connections.0.lock();
        if *self.is_known.get_mut() {
            open.known = open.known.saturating_sub(1);
        } else {
            open.strangers.remove(&self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_too_many_takes_the_place_of_the_oldest_and_of_nobody_who_is_known() {
        let connections = Arc::new(Connections::default());
        let known = connections.admit();
        assert!(known.become_known() && known.become_known());
        let strangers: Vec<Place> = (0..=MAX_STRANGERS).map(|_| connections.admit()).collect();
        let gone = strangers
            .iter()
            .map(|place| place.dismissed().is_cancelled());
        let gone: Vec<bool> = gone.collect();
        assert!(gone[0]);
        assert_eq!(gone.iter().filter(|gone| **gone).count(), 1);
        assert!(!known.dismissed().is_cancelled());
        drop(strangers);
        assert!(connections.0.lock().strangers.is_empty());
    }

    #[test]
    fn those_who_are_known_are_counted_until_they_have_gone() {
        let connections = Arc::new(Connections::default());
        let mut known: Vec<Place> = (0..MAX_KNOWN).map(|_| connections.admit()).collect();
        assert!(known.iter().all(Place::become_known));
        let late = connections.admit();
        assert!(!late.become_known());
        known.pop();
        assert!(late.become_known());
    }
}
