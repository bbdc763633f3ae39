//! What the daemon is doing now: the object that `status --json` prints.
//!
//! Invariant: an answer reflects all events published before the request and is at most [`MAX_AGE`] old. Building is
//! limited to a third of one core: after a build of `t`, the answer is reused for `2 t`. With some hundred targets
//! `t` is well below 1 ms.
//! Invariant: an answer reflects every command that was acknowledged before the question, whatever a build costs: who
//! acknowledges one calls [`StatusCache::renew_next`] before.
//! Invariant: only the rows of targets that have changed are gathered and written as JSON again. Who changes what a row
//! shows notes it in [`ChangedTargets`].

mod changed;
mod rows;
mod sources;

pub use changed::ChangedTargets;
pub use sources::StatusSources;

use crate::ports::Journal;
use mainstay_domain::{event::Event, time::Monotonic};
use parking_lot::Mutex;
use rows::Rows;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::broadcast::Receiver;

/// Counters that no event tells of are at most this old.
pub const MAX_AGE: Duration = Duration::from_millis(100);

/// Answers `status` from memory.
pub struct StatusCache {
    sources: StatusSources,
    cached: Mutex<Cached>,
    /// A command has been done since the last build began.
    is_due: AtomicBool,
}

struct Cached {
    json: Arc<[u8]>,
    rows: Rows,
    /// What stands around the rows in `json`.
    around: (Vec<u8>, Vec<u8>),
    built: Monotonic,
    cost: Duration,
    news: Receiver<Arc<Event>>,
}

impl StatusCache {
    /// A cache that builds its first answer now.
    pub fn new(sources: StatusSources, journal: &dyn Journal) -> Self {
        let mut cached = Cached {
            json: Arc::from([]),
            rows: Rows::default(),
            around: Default::default(),
            built: Monotonic::default(),
            cost: Duration::ZERO,
            news: journal.subscribe(),
        };
        cached.build(&sources);
        Self {
            sources,
            cached: Mutex::new(cached),
            is_due: AtomicBool::new(false),
        }
    }

    /// The status as JSON.
    pub fn json(&self) -> Arc<[u8]> {
        let mut cached = self.cached.lock();
        let age = self.sources.clock.monotonic().since(cached.built);
        let stale = !cached.news.is_empty() || age >= MAX_AGE;
        // Under the lock, so that who comes meanwhile waits for this build. What is done during it asks for another.
        let is_due = self.is_due.swap(false, Ordering::AcqRel);
        if is_due || (stale && age >= cached.cost * 2) {
            cached.build(&self.sources);
        }
        cached.json.clone()
    }

    /// The next answer is gathered anew: something was done, and who asked for it is about to be told.
    pub fn renew_next(&self) {
        self.is_due.store(true, Ordering::Release);
    }

    /// How many rows of targets were gathered since this was built.
    pub fn gathered_rows(&self) -> u64 {
        let cached = self.cached.lock();
        cached.rows.gathered()
    }
}

impl Cached {
    fn build(&mut self, sources: &StatusSources) {
        let start = sources.clock.monotonic();
        // Before it is gathered, so that an event in between makes the next question gather again.
        self.news = self.news.resubscribe();
        if let Err(error) = self.renew(sources) {
            tracing::error!(%error, "cannot write the status as JSON");
            // The rows may be newer than the answer, so the next one is put together whatever has changed.
            self.around = Default::default();
        }
        self.built = sources.clock.monotonic();
        self.cost = self.built.since(start);
    }

    fn renew(&mut self, sources: &StatusSources) -> serde_json::Result<()> {
        let facts = sources.host.facts();
        let rows_changed = self.rows.renew(sources, &facts.targets)?;
        let around = sources.around(facts).json()?;
        // Where nothing has changed, the answer of before is given.
        if rows_changed || around != self.around {
            self.json = self.rows.between(&around.0, &around.1).into();
            self.around = around;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
