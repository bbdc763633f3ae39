//! The runs that are due at one time, a few to a task: those of a task share its wake-ups, where a task for each would have
//! one of the program's threads woken for each.
//!
//! Invariant: no run waits for another of its round, and one that breaks off ends none.

use super::{
    Core,
    target::{CheckRun, MonitoredTarget},
};
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use std::{panic::AssertUnwindSafe, sync::Arc};

/// So many runs share a task. With more of them a round would keep other tasks of its thread waiting.
const MOST: usize = 32;

/// One run of one check.
pub(super) type Run = (Arc<MonitoredTarget>, Arc<CheckRun>);

/// The runs, as many together as one task has.
pub(super) fn rounds(runs: Vec<Run>) -> impl Iterator<Item = Vec<Run>> {
    let mut runs = runs.into_iter();
    std::iter::from_fn(move || {
        let round: Vec<Run> = runs.by_ref().take(MOST).collect();
        (!round.is_empty()).then_some(round)
    })
}

impl Core {
    /// Ends when the slowest of them has.
    pub(super) async fn run_round(&self, round: Vec<Run>) {
        let runs = FuturesUnordered::new();
        for (monitored, run) in round {
            runs.push(whole(self.run_scheduled(monitored, run)));
        }
        all_end(runs).await;
    }
}

/// One that breaks off has ended; the program's hook tells of it.
async fn whole(run: impl Future<Output = ()>) {
    let _ = AssertUnwindSafe(run).catch_unwind().await;
}

async fn all_end<F: Future<Output = ()>>(mut runs: FuturesUnordered<F>) {
    while runs.next().await.is_some() {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::{
        metrics::Numbers,
        testing::{specs, wait_until},
    };
    use mainstay_domain::pulse::Heard;
    use parking_lot::Mutex;
    use tokio::sync::Semaphore;

    #[tokio::test]
    async fn of_a_round_no_run_waits_for_another_and_one_that_breaks_off_ends_none() {
        let (gate, ended) = (
            Arc::new(Semaphore::new(0)),
            Arc::new(Mutex::new(Vec::new())),
        );
        let runs = FuturesUnordered::new();
        for number in 0..5 {
            let (gate, ended) = (Arc::clone(&gate), Arc::clone(&ended));
            runs.push(whole(async move {
                match number {
                    0 => gate.acquire().await.unwrap().forget(),
                    1 => panic!("as it was told"),
                    2 => tokio::task::yield_now().await,
                    _ => {}
                }
                ended.lock().push(number);
            }));
        }
        let round = tokio::spawn(all_end(runs));
        wait_until("the others end", || ended.lock().len() == 3).await;
        assert!(!round.is_finished(), "one is held");
        gate.add_permits(1);
        round.await.unwrap();
        assert_eq!(ended.lock().last(), Some(&0));
    }

    #[test]
    fn every_run_is_in_one_round_and_none_is_too_large() {
        let numbers = Numbers::new().unwrap();
        let spec = specs::target("web", vec![specs::check("tcp")]);
        let monitored = Arc::new(MonitoredTarget::new(&spec, &numbers, Heard::default()));
        let run = Arc::clone(&monitored.lock().checks[0]);
        for (count, expected) in [
            (0, vec![]),
            (1, vec![1]),
            (MOST, vec![MOST]),
            (2 * MOST + 1, vec![MOST, MOST, 1]),
        ] {
            let runs = vec![(Arc::clone(&monitored), Arc::clone(&run)); count];
            let found: Vec<usize> = rounds(runs).map(|round| round.len()).collect();
            assert_eq!(found, expected);
        }
    }
}
