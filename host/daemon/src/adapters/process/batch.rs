//! Work that is done once for all who wait for it.
//!
//! Invariant: a request is handled by a run that starts after it came, and answered when that run ends. So any number
//! of simultaneous requests cost at most two runs.

use parking_lot::Mutex;

/// What waits for the next run.
pub(super) struct Batch<T> {
    waiting: Mutex<Vec<T>>,
    turn: tokio::sync::Mutex<()>,
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Self {
            waiting: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }
}

impl<T> Batch<T> {
    /// Hands something in, and resolves when it was worked on. May be dropped: it is worked on with the next all the
    /// same.
    pub(super) async fn join<F: Future<Output = ()>>(
        &self,
        item: T,
        work: impl FnOnce(Vec<T>) -> F,
    ) {
        self.waiting.lock().push(item);
        let _turn = self.turn.lock().await;
        let items = {
            let mut waiting = self.waiting.lock();
            std::mem::take(&mut *waiting)
        };
        // Else the run of another, which held the turn, had it.
        if !items.is_empty() {
            work(items).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    };
    use tokio::task::{JoinSet, yield_now};

    #[tokio::test]
    async fn a_thousand_who_come_at_once_cost_two_runs_and_each_is_worked_on() {
        let batch = Arc::new(Batch::default());
        let (runs, done) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(Mutex::new(Vec::new())),
        );
        let mut all = JoinSet::new();
        for number in 0..1_000 {
            let (batch, runs, done) = (Arc::clone(&batch), Arc::clone(&runs), Arc::clone(&done));
            all.spawn(async move {
                let worked_on = Arc::clone(&done);
                let work = |items: Vec<usize>| async move {
                    runs.fetch_add(1, SeqCst);
                    // The others come meanwhile.
                    yield_now().await;
                    worked_on.lock().extend(items);
                };
                batch.join(number, work).await;
                assert!(done.lock().contains(&number));
            });
        }
        while let Some(ended) = all.join_next().await {
            ended.unwrap();
        }
        assert!(runs.load(SeqCst) <= 2, "{runs:?}");
        assert_eq!(done.lock().len(), 1_000);
    }
}
