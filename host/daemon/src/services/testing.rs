//! Stand-ins for the ports, for the tests of the services.

use crate::ports::{Boxed, Clock, Journal, JournalError};
use mainstay_domain::{
    event::{Event, EventKind},
    journal::Change,
    time::{Monotonic, Timestamp},
};
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::sync::broadcast;

/// How long anything may take in a test before it counts as broken.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Waits until the predicate holds; fails after [`DEADLINE`].
pub(crate) async fn wait_until(what: &str, predicate: impl Fn() -> bool) {
    let start = Instant::now();
    while !predicate() {
        assert!(
            start.elapsed() < DEADLINE,
            "not within the deadline: {what}"
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// The result of work that must end; fails after [`DEADLINE`].
pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, work)
        .await
        .expect("should end within the deadline")
}

/// A journal in memory: what was submitted is durable at once.
pub(crate) struct MemoryJournal {
    changes: Mutex<Vec<Change>>,
    events: broadcast::Sender<Arc<Event>>,
}

impl MemoryJournal {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            changes: Mutex::default(),
            events: broadcast::channel(1_024).0,
        })
    }

    /// Everything that was submitted, in order.
    pub(crate) fn changes(&self) -> Vec<Change> {
        self.changes.lock().unwrap().clone()
    }

    /// The events among it.
    pub(crate) fn events(&self) -> Vec<Event> {
        let changes = self.changes().into_iter();
        let events = changes.filter_map(|change| match change {
            Change::Event(event) => Some(event),
            _ => None,
        });
        events.collect()
    }

    /// Their kinds.
    pub(crate) fn kinds(&self) -> Vec<EventKind> {
        self.events().iter().map(|event| event.kind).collect()
    }
}

impl Journal for MemoryJournal {
    fn commit(
        &self,
        changes: Vec<Change>,
    ) -> Boxed<'static, Result<Vec<Arc<Event>>, JournalError>> {
        let mut written = Vec::new();
        let mut all = self.changes.lock().unwrap();
        for mut change in changes {
            if let Change::Event(event) = &mut change {
                event.seq = all.len() as u64 + 1;
                let event = Arc::new(event.clone());
                let _ = self.events.send(Arc::clone(&event));
                written.push(event);
            }
            all.push(change);
        }
        Box::pin(std::future::ready(Ok(written)))
    }

    fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.events.subscribe()
    }
}

/// A clock that stands still until it is moved.
pub(crate) struct ManualClock(Mutex<Duration>);

impl ManualClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Duration::ZERO)))
    }

    /// Both clocks go on by this much.
    pub(crate) fn advance(&self, length: Duration) {
        *self.0.lock().unwrap() += length;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000) + *self.0.lock().unwrap()
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic::from_start(*self.0.lock().unwrap())
    }
}
