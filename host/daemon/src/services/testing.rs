//! Stand-ins for the ports, for the tests of the services.

mod scripted_probe;
pub(crate) mod specs;

pub(crate) use scripted_probe::ScriptedProbe;

use super::shared::Shared;
use crate::ports::{
    Batch, Boxed, Clock, Commit, Committed, Journal, SettledStore, StoreError, StoreErrorKind,
};
use mainstay_domain::{
    event::{Event, EventData, EventKind},
    record::Change,
    settled_clock::SettledState,
    time::{Monotonic, Timestamp},
};
use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};
use tokio::sync::{broadcast, watch};

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

/// What services share, with an empty config that nobody changes.
pub(crate) fn shared(journal: Arc<dyn Journal>, clock: Arc<dyn Clock>) -> Shared {
    let (_, spec) = watch::channel(specs::spec(Vec::new()));
    Shared {
        journal,
        clock,
        spec,
    }
}

/// A journal in memory: what was submitted is durable at once.
pub(crate) struct MemoryJournal {
    changes: Mutex<Vec<Change>>,
    events: broadcast::Sender<Arc<Event>>,
    is_full: AtomicBool,
    is_held: AtomicBool,
    /// More changes are not taken at once.
    most: AtomicUsize,
}

impl MemoryJournal {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            changes: Mutex::default(),
            events: broadcast::channel(1_024).0,
            is_full: AtomicBool::new(false),
            is_held: AtomicBool::new(false),
            most: AtomicUsize::new(usize::MAX),
        })
    }

    /// From now on what is submitted is taken and said to be held, as on a full disk.
    pub(crate) fn hold(&self) {
        self.is_held.store(true, SeqCst);
    }

    /// From now on nothing is taken, or again.
    pub(crate) fn fill(&self, is_full: bool) {
        self.is_full.store(is_full, SeqCst);
    }

    /// From now on a batch of more changes is not taken.
    pub(crate) fn take_at_most(&self, changes: usize) {
        self.most.store(changes, SeqCst);
    }

    /// Everything that was submitted, in order.
    pub(crate) fn changes(&self) -> Vec<Change> {
        self.changes.lock().clone()
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
    fn commit(&self, batch: Batch) -> Commit {
        if self.is_full.load(SeqCst) || batch.changes.len() > self.most.load(SeqCst) {
            return Box::pin(std::future::ready(Err(StoreError::new(
                StoreErrorKind::Full,
                "the journal in memory cannot be written: it is full",
            ))));
        }
        let mut written = Vec::new();
        let mut all = self.changes.lock();
        for mut change in batch.changes {
            if let Change::Event(event) = &mut change {
                event.seq = all.len() as u64 + 1;
                // What a service says in its events is what their kinds say.
                let data = serde_json::to_value(&event.data).unwrap();
                assert_eq!(EventData::parse(event.kind, data), event.data, "{event:?}");
                let event = Arc::new(event.clone());
                let _ = self.events.send(Arc::clone(&event));
                written.push(event);
            }
            all.push(change);
        }
        let committed = match self.is_held.load(SeqCst) {
            true => Committed::Held,
            false => Committed::Durable(written),
        };
        Box::pin(std::future::ready(Ok(committed)))
    }

    fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.events.subscribe()
    }
}

/// A clock that stands still until it is moved.
pub(crate) struct ManualClock {
    lived: Mutex<Duration>,
    /// How far the wall clock was set ahead, and how far back.
    set: Mutex<(Duration, Duration)>,
    /// For how long nothing ran.
    held_up: Mutex<Duration>,
}

impl ManualClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            lived: Mutex::new(Duration::ZERO),
            set: Mutex::default(),
            held_up: Mutex::default(),
        })
    }

    /// All clocks go on by this much, and nothing ran meanwhile.
    pub(crate) fn hold_up(&self, length: Duration) {
        self.advance(length);
        *self.held_up.lock() += length;
    }

    /// The machine was suspended: only the clock that counts that goes on.
    pub(crate) fn suspend(&self, length: Duration) {
        *self.held_up.lock() += length;
    }

    /// Both clocks go on by this much.
    pub(crate) fn advance(&self, length: Duration) {
        *self.lived.lock() += length;
    }

    /// The wall clock alone is ahead of what it should be by this much; by nothing: it is right again.
    pub(crate) fn set_ahead(&self, length: Duration) {
        *self.set.lock() = (length, Duration::ZERO);
    }

    /// The wall clock alone is behind what it should be by this much.
    pub(crate) fn set_back(&self, length: Duration) {
        *self.set.lock() = (Duration::ZERO, length);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        let (ahead, behind) = *self.set.lock();
        Timestamp::from_millis(1_700_000_000_000) + *self.lived.lock() + ahead - behind
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic::from_start(*self.lived.lock())
    }

    /// Stands still while the others are moved by hand, for that is no gap.
    fn with_suspension(&self) -> Monotonic {
        Monotonic::from_start(*self.held_up.lock())
    }
}

/// What is believed of the wall clock, in memory.
#[derive(Default)]
pub(crate) struct MemorySettled(Mutex<Option<SettledState>>);

impl MemorySettled {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// What the next daemon finds.
    pub(crate) fn kept(&self) -> Option<SettledState> {
        self.0.lock().clone()
    }
}

impl SettledStore for MemorySettled {
    fn keep(&self, state: SettledState) -> Boxed<'_, Result<(), String>> {
        *self.0.lock() = Some(state);
        Box::pin(std::future::ready(Ok(())))
    }
}
