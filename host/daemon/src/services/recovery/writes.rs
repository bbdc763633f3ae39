//! What the machine writes, on its way into the journal's queue.
//!
//! Invariant: writes are given to the queue in their order, each once it took the one before; none is dropped.

use crate::ports::{Journal, JournalErrorKind};
use futures_util::FutureExt;
use mainstay_domain::journal::Change;
use std::{collections::VecDeque, sync::Arc};

/// Writes that the journal's queue has not taken.
pub(super) struct Writes {
    journal: Arc<dyn Journal>,
    waiting: VecDeque<Vec<Change>>,
}

impl Writes {
    pub(super) fn new(journal: Arc<dyn Journal>) -> Self {
        Self {
            journal,
            waiting: VecDeque::new(),
        }
    }

    /// Puts changes behind those that wait, and gives the queue what it takes.
    pub(super) fn push(&mut self, changes: Vec<Change>) {
        if !changes.is_empty() {
            self.waiting.push_back(changes);
        }
        self.give();
    }

    /// Gives the queue what waits; whether it took all of it.
    pub(super) fn give(&mut self) -> bool {
        while let Some(changes) = self.waiting.front() {
            let commit = self.journal.commit(changes.clone());
            // What is refused is refused in the call.
            if let Some(Err(error)) = commit.now_or_never()
                && error.kind == JournalErrorKind::Full
            {
                return false;
            }
            self.waiting.pop_front();
        }
        true
    }

    /// Ends when whatever was pushed before is durable, or held because the disk is full.
    pub(super) fn durable(&self) -> impl Future<Output = ()> + Send + use<> {
        // Nothing to write: it waits for all that was written before.
        self.journal.commit(Vec::new()).map(drop)
    }
}
