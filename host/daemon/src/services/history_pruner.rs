//! Keeps the journal from growing without end: what is older than `host.keep_history` is forgotten.
//!
//! Invariant: how old something is, is judged by the wall clock and by the time lived: a wall clock that was wrong for a
//! while forgets nothing. What is believed of it is written down here, for the next daemon.

use super::{settled::Settled, shared::Shared};
use mainstay_domain::record::Change;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How often it is looked for what is too old.
const EVERY: Duration = Duration::from_secs(60);

/// How long the stop waits until what is believed is written down: a disk that does not answer must not hold it up.
const LAST_WORD: Duration = Duration::from_secs(1);

/// The service.
pub struct HistoryPruner {
    /// The journal is what is kept small.
    pub shared: Shared,
    /// The wall clock as far as it can be believed.
    pub settled: Arc<Settled>,
}

impl HistoryPruner {
    /// Runs until it is stopped. A change of the config counts at the next look.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            let shared = &self.shared;
            let now = self.settled.now();
            tokio::select! { biased;
                () = stop.cancelled() => return,
                () = self.settled.keep() => {}
            }
            let before = now - shared.spec.borrow().host.keep_history;
            if let Err(error) = shared
                .journal
                .commit(vec![Change::Forget(before)].into())
                .await
            {
                tracing::warn!(%error, "what is too old stays in the journal for now");
            }
            tokio::select! { biased;
                () = stop.cancelled() => break,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
        self.settled.now();
        let _ = tokio::time::timeout(LAST_WORD, self.settled.keep()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Clock;
    use crate::services::testing::{
        ManualClock, MemoryJournal, MemorySettled, shared, wait_until, within,
    };
    use mainstay_domain::time::Timestamp;

    /// What was to be forgotten, in order.
    fn forgotten(journal: &MemoryJournal) -> Vec<Timestamp> {
        let before = |change| match change {
            Change::Forget(before) => Some(before),
            _ => None,
        };
        journal.changes().into_iter().filter_map(before).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_wall_clock_that_jumps_by_a_year_forgets_nothing_more() {
        let (journal, clock) = (MemoryJournal::new(), ManualClock::new());
        let year = Duration::from_secs(365 * 86_400);
        let pruner = HistoryPruner {
            shared: shared(journal.clone(), clock.clone()),
            settled: Arc::new(Settled::new(
                clock.clone(),
                None,
                None,
                MemorySettled::new(),
            )),
        };
        let stop = CancellationToken::new();
        let running = tokio::spawn(pruner.run(stop.clone()));
        wait_until("the first look", || forgotten(&journal).len() == 1).await;
        clock.set_ahead(year);
        wait_until("looks after it", || forgotten(&journal).len() > 3).await;
        let looks = forgotten(&journal);
        assert!(looks.iter().all(|before| *before == looks[0]), "{looks:?}");
        stop.cancel();
        running.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_daemon_that_starts_under_a_wall_clock_that_jumped_forgets_nothing_more() {
        let (clock, store) = (ManualClock::new(), MemorySettled::new());
        let mut looks = Vec::new();
        for _ in 0..3 {
            let journal = MemoryJournal::new();
            // The newest event of the daemon before is of the wrong clock.
            let (stored, last_lived) = (store.kept(), Some(clock.now()));
            let settled = Settled::new(clock.clone(), stored, last_lived, store.clone());
            let pruner = HistoryPruner {
                shared: shared(journal.clone(), clock.clone()),
                settled: Arc::new(settled),
            };
            let stop = CancellationToken::new();
            let running = tokio::spawn(pruner.run(stop.clone()));
            wait_until("a look", || !forgotten(&journal).is_empty()).await;
            clock.set_ahead(Duration::from_secs(91 * 86_400));
            stop.cancel();
            within(running).await.unwrap();
            looks.extend(forgotten(&journal));
        }
        assert!(looks.iter().all(|before| *before == looks[0]), "{looks:?}");
    }
}
