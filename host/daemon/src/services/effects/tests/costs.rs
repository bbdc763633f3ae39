//! What the record of a call costs: no commit, and so no fsync, beside those of its effects.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// Counts what is committed: what is committed at once is durable with one fsync.
struct Counting {
    journal: Arc<MemoryJournal>,
    commits: AtomicUsize,
}

impl Journal for Counting {
    fn commit(&self, batch: Batch) -> Commit {
        self.commits.fetch_add(1, SeqCst);
        self.journal.commit(batch)
    }

    fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.journal.subscribe()
    }
}

/// How many commits these effects take in one call.
async fn commits(record: Option<CallRecord>, effects: &[Effect]) -> usize {
    let mut bench = bench();
    bench.call.purpose = recovers(false, 2);
    bench.call.record = record.map(Arc::new);
    bench.world.gate.add_permits(effects.len());
    let counting = Arc::new(Counting {
        journal: bench.journal.clone(),
        commits: AtomicUsize::new(0),
    });
    let mut session = bench.session_over(counting.clone());
    for effect in effects {
        within(session.perform(effect.clone())).await.unwrap();
    }
    counting.commits.load(SeqCst)
}

#[tokio::test]
async fn the_record_of_a_call_costs_no_commit_whatever_its_first_effect_is() {
    let rows: [&[Effect]; 5] = [
        &[restart()],
        &[Effect::ClockNow],
        &[request(HttpMethod::Get), restart()],
        &[request(HttpMethod::Post), Effect::ClockNow],
        &[restart(), restart(), Effect::ClockNow, restart()],
    ];
    for effects in rows {
        let without = commits(None, effects).await;
        let with = commits(Some(record()), effects).await;
        assert_eq!(with, without, "{effects:?}");
        // An intent and a result for what acts, a result for what reads.
        let acting = effects.iter().filter(|effect| !effect.only_reads());
        assert_eq!(with, effects.len() + acting.count(), "{effects:?}");
    }
}

#[tokio::test]
async fn a_call_that_is_made_again_writes_nothing_of_what_it_is_fed() {
    let mut bench = bench();
    bench.call.purpose = recovers(false, 2);
    bench.call.record = Some(Arc::new(record()));
    let mut session = bench.session();
    for effect in [restart(), Effect::ClockNow] {
        within(session.perform(effect)).await.unwrap();
    }
    let next = replayed(&bench);
    let counting = Arc::new(Counting {
        journal: next.journal.clone(),
        commits: AtomicUsize::new(0),
    });
    let mut session = next.session_over(counting.clone());
    for effect in [restart(), Effect::ClockNow] {
        within(session.perform(effect)).await.unwrap();
    }
    assert_eq!(counting.commits.load(SeqCst), 0);
}
