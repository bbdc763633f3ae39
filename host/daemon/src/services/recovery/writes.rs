//! What the machine writes, on its way into the journal's queue.
//!
//! Invariant: writes are submitted in order, each after the one before was accepted; none is dropped.

use crate::ports::{Batch, Journal};
use futures_util::FutureExt;
use mainstay_domain::record::Change;
use std::{collections::VecDeque, sync::Arc};

/// Writes that the journal's queue has not taken.
pub(super) struct Writes {
    journal: Arc<dyn Journal>,
    waiting: VecDeque<Vec<Change>>,
    /// The first of these was refused before.
    is_refused: bool,
}

impl Writes {
    pub(super) fn new(journal: Arc<dyn Journal>) -> Self {
        Self {
            journal,
            waiting: VecDeque::new(),
            is_refused: false,
        }
    }

    /// Queues changes, and submits what the journal accepts.
    pub(super) fn push(&mut self, changes: Vec<Change>) {
        if !changes.is_empty() {
            self.waiting.push_back(changes);
        }
        self.flush();
    }

    /// Submits what waits; whether the journal accepted all of it.
    pub(super) fn flush(&mut self) -> bool {
        while let Some(changes) = self.waiting.front() {
            // What has to be durable is waited for by [`Writes::durable`].
            let batch = Batch::soon(changes.clone());
            let commit = match self.is_refused {
                true => self.journal.commit_again(batch),
                false => self.journal.commit(batch),
            };
            // What is refused is refused in the call.
            self.is_refused = matches!(
                commit.now_or_never(),
                Some(Err(error)) if error.is_retryable()
            );
            if self.is_refused {
                return false;
            }
            self.waiting.pop_front();
        }
        true
    }

    /// Ends when whatever was pushed before is durable, or held because the disk is full.
    pub(super) fn durable(&self) -> impl Future<Output = ()> + Send + use<> {
        self.journal.written().map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::{Commit, Committed, StoreError, StoreErrorKind};
    use mainstay_domain::event::Event;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
    use tokio::sync::broadcast;

    /// Counts what is submitted for the first time, and what again.
    #[derive(Default)]
    struct Counting {
        is_full: AtomicBool,
        first: AtomicU32,
        again: AtomicU32,
    }

    impl Counting {
        fn answer(&self) -> Commit {
            let answer = match self.is_full.load(SeqCst) {
                true => Err(StoreError::new(
                    StoreErrorKind::Full,
                    "the journal in memory takes no more",
                )),
                false => Ok(Committed::Held),
            };
            Box::pin(std::future::ready(answer))
        }

        fn counted(&self) -> (u32, u32) {
            (self.first.load(SeqCst), self.again.load(SeqCst))
        }
    }

    impl Journal for Counting {
        fn commit(&self, _: Batch) -> Commit {
            self.first.fetch_add(1, SeqCst);
            self.answer()
        }
        fn commit_again(&self, _: Batch) -> Commit {
            self.again.fetch_add(1, SeqCst);
            self.answer()
        }
        fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
            broadcast::channel(1).1
        }
    }

    #[test]
    fn what_was_refused_is_submitted_again_as_such_and_what_is_behind_it_for_the_first_time() {
        let journal = Arc::new(Counting::default());
        let mut writes = Writes::new(journal.clone());
        journal.is_full.store(true, SeqCst);
        writes.push(vec![Change::Paused(None, true)]);
        assert_eq!(journal.counted(), (1, 0));
        writes.push(vec![Change::Paused(None, false)]);
        assert_eq!(journal.counted(), (1, 1));
        journal.is_full.store(false, SeqCst);
        assert!(writes.flush());
        assert_eq!(journal.counted(), (2, 2));
    }
}
