//! Keeps the journal from growing without end: what is older than `host.keep_history` is forgotten.
//!
//! Invariant: how old something is, is judged by the wall clock and by the time lived: a wall clock that was wrong for a
//! while forgets nothing.

use super::shared::Shared;
use mainstay_domain::{record::Change, settled_clock::SettledClock, time::Timestamp};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often it is looked for what is too old.
const EVERY: Duration = Duration::from_secs(60);

/// The service.
pub struct HistoryPruner {
    /// The journal is what is kept small.
    pub shared: Shared,
    /// When the daemon before was alive last; none where there was none.
    pub last_lived: Option<Timestamp>,
}

impl HistoryPruner {
    /// Runs until it is stopped. A change of the config counts at the next look.
    pub async fn run(self, stop: CancellationToken) {
        let mut settled = SettledClock::new(self.last_lived);
        loop {
            let shared = &self.shared;
            let now = settled.look(shared.clock.now(), shared.clock.monotonic());
            let before = now - shared.spec.borrow().host.keep_history;
            if let Err(error) = shared
                .journal
                .commit(vec![Change::Forget(before)].into())
                .await
            {
                tracing::warn!(%error, "what is too old stays in the journal for now");
            }
            tokio::select! { biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::testing::{ManualClock, MemoryJournal, shared, wait_until};

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
            last_lived: None,
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
}
