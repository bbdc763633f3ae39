//! Serves connections, and says how many may have one at a time and for how long.
//!
//! Invariant: each listener has places of its own, so that no number of connections over TCP keeps anybody from the Unix
//! socket. All of them together have a small part of the descriptors that the daemon may have: the rest is for processes,
//! checks, the journal and reloads.
//! Invariant: nobody has a connection, a place or memory for longer than [`HEAD_WITHIN`] without having sent a request, which
//! over TCP shows the token, and only some at a time: who comes next takes the place of who has waited longest. So
//! idle connections keep no operator out.
//! Invariant: who takes nothing of an answer is cut off after [`TAKEN_WITHIN`], at a stop after [`TAKEN_AT_STOP`]; and a request
//! that has not come whole is not waited for at a stop.

use super::pace::{Pace, Paced};
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
use rustix::process::{Resource, getrlimit};
use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// By then the head of a request is there, from the beginning of the connection or the end of the answer before on.
const HEAD_WITHIN: Duration = Duration::from_secs(10);

/// By then a client takes something of its answer; one that is stopped by a person at a terminal has some minutes.
const TAKEN_WITHIN: Duration = Duration::from_secs(300);

/// The same, once the daemon is asked to stop.
const TAKEN_AT_STOP: Duration = Duration::from_secs(2);

/// The head of a request, in bytes; hyper keeps no more of a connection in memory, either.
const MAX_HEAD: usize = 32 << 10;

/// How many connections one listener has at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    /// That have sent no request yet, or over TCP have not shown the token.
    strangers: usize,
    /// That have.
    known: usize,
}

impl Bounds {
    /// Where descriptors are many.
    const MOST: Self = Self {
        strangers: 128,
        known: 256,
    };

    /// For as many descriptors as this process may have.
    pub(super) fn of_this_process() -> Self {
        Self::within(getrlimit(Resource::Nofile).current)
    }

    /// Two listeners have three eighths of the descriptors at most; none: there is no limit.
    fn within(descriptors: Option<u64>) -> Self {
        let part = |of: u64| {
            let part = descriptors.map(|descriptors| (descriptors / of).max(4));
            part.map_or(usize::MAX, |part| {
                usize::try_from(part).unwrap_or(usize::MAX)
            })
        };
        Self {
            strangers: Self::MOST.strangers.min(part(16)),
            known: Self::MOST.known.min(part(8)),
        }
    }
}

/// What every request of one connection carries in its extensions.
pub(super) trait Guest: Clone + Send + Sync + 'static {
    /// Its place, which goes with the connection.
    fn place(&self) -> &Place;
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
    let dismissed = guest.place().dismissed();
    let visitor = guest.clone();
    let has_asked = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&has_asked);
    let pace = Pace::default();
    let app = TowerToHyperService::new(app);
    let service = service_fn(move |mut request: Request<Incoming>| {
        asked.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(guest.clone());
        app.call(request)
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(Paced::new(stream, pace.clone())), service);
    let mut serving = pin!(serving);
    let ended = tokio::select! { biased;
        () = dismissed.cancelled() => return,
        () = stop.cancelled() => {
            // Hyper would wait for the end of the first head, half of which may be there.
            if visitor.place().is_strangers() || !has_asked.load(Ordering::Relaxed) {
                return;
            }
            serving.as_mut().graceful_shutdown();
            tokio::select! { biased;
                () = dismissed.cancelled() => return,
                ended = serving.as_mut() => ended,
                () = pace.stands_still(TAKEN_AT_STOP) => return,
            }
        }
        ended = serving.as_mut() => ended,
        () = pace.stands_still(TAKEN_WITHIN) => return,
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection of the admin API ended");
    }
}

/// The connections that one listener has.
pub(super) struct Connections {
    bounds: Bounds,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    next: u64,
    /// Those that have sent no request, or shown no token, the oldest first.
    strangers: BTreeMap<u64, CancellationToken>,
    known: usize,
}

/// One connection, which goes with the last of these.
#[derive(Clone)]
pub(super) struct Place(Arc<PlaceInner>);

struct PlaceInner {
    number: u64,
    dismissed: CancellationToken,
    connections: Arc<Connections>,
    is_known: Mutex<bool>,
}

impl Connections {
    /// Nobody's yet.
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            open: Mutex::default(),
        }
    }

    /// A place for who has just come. Where there are too many strangers, the one that is there for longest goes.
    pub(super) fn admit(self: &Arc<Self>) -> Place {
        let dismissed = CancellationToken::new();
        let mut open = self.open.lock();
        let number = open.next;
        open.next += 1;
        open.strangers.insert(number, dismissed.clone());
        if open.strangers.len() > self.bounds.strangers
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

    /// Whether no request was sent yet, or no token shown.
    pub(super) fn is_strangers(&self) -> bool {
        !*self.0.is_known.lock()
    }

    /// A request was sent, or the token shown. False where as many as may be have done so on other connections.
    pub(super) fn become_known(&self) -> bool {
        let mut is_known = self.0.is_known.lock();
        if *is_known {
            return true;
        }
        let connections = &self.0.connections;
        let mut open = connections.open.lock();
        if open.known >= connections.bounds.known {
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
        let mut open = self.connections.open.lock();
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
        let connections = Arc::new(Connections::new(Bounds::MOST));
        let known = connections.admit();
        assert!(known.become_known() && known.become_known());
        let strangers: Vec<Place> = (0..=Bounds::MOST.strangers)
            .map(|_| connections.admit())
            .collect();
        let gone = strangers
            .iter()
            .map(|place| place.dismissed().is_cancelled());
        let gone: Vec<bool> = gone.collect();
        assert!(gone[0]);
        assert_eq!(gone.iter().filter(|gone| **gone).count(), 1);
        assert!(!known.dismissed().is_cancelled());
        drop(strangers);
        assert!(connections.open.lock().strangers.is_empty());
    }

    #[test]
    fn those_who_are_known_are_counted_until_they_have_gone() {
        let connections = Arc::new(Connections::new(Bounds::MOST));
        let mut known: Vec<Place> = (0..Bounds::MOST.known)
            .map(|_| connections.admit())
            .collect();
        assert!(known.iter().all(Place::become_known));
        let late = connections.admit();
        assert!(!late.become_known());
        known.pop();
        assert!(late.become_known());
    }

    #[test]
    fn all_connections_have_a_small_part_of_the_descriptors() {
        assert_eq!(Bounds::within(None), Bounds::MOST);
        assert_eq!(Bounds::within(Some(1 << 20)), Bounds::MOST);
        for descriptors in [64, 256, 1_024, 4_096] {
            let Bounds { strangers, known } = Bounds::within(Some(descriptors));
            let of_both = 2 * (strangers + known) as u64;
            assert!(of_both <= descriptors / 8 * 3, "{of_both} of {descriptors}");
        }
        let few = Bounds::within(Some(8));
        assert_eq!((few.strangers, few.known), (4, 4), "some have to come in");
    }
}
