//! Random traces of the recovery machine, against a world of our own and a journal that holds what was written.
//!
//! Invariants, after every input: the machine's own audit; what it holds of each case is what was written of it; one
//! operation of a failure at most, also in the journal; an incident that closed has none. At the end of each trace, when
//! the world is well: every operation has an end and no incident is open. The same trace twice gives the same outcomes.
//! And after a crash at any input, a machine that is made of the journal comes to the same end.

mod world;

use super::Random;
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};
use world::{End, Trace};

/// What a campaign saw.
#[derive(Debug, Default, Clone, Copy)]
pub struct RecoveryReport {
    /// Traces that were run.
    pub traces: u64,
    /// Inputs that were applied in them.
    pub inputs: u64,
    /// Operations that ended.
    pub operations: u64,
    /// Crashes, each followed to its end.
    pub crashes: u64,
}

/// Runs `count` random traces, and for `crashed` of them a crash after every input, on every processor; panics at the
/// first broken promise. What is long says on stderr how far it is.
pub fn recovery(count: u32, crashed: u32, seed: u64) -> RecoveryReport {
    let mut random = Random::new(seed);
    let all = count.saturating_add(crashed);
    let seeds: Vec<u64> = (0..all).map(|_| random.number()).collect();
    let next = AtomicUsize::new(0);
    let tenth = (seeds.len() / 10).max(10_000);
    let work = || {
        let _ends_all = EndsAll(&next);
        let mut report = RecoveryReport::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(seed) = seeds.get(number) else {
                return report;
            };
            match number < count as usize {
                true => report.random(number, *seed),
                false => report.crashed(*seed),
            }
            if (number + 1).is_multiple_of(tenth) {
                eprintln!("{} of {} traces", number + 1, seeds.len());
            }
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let reports = workers.into_iter().map(|worker| match worker.join() {
            Ok(report) => report,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        reports.fold(RecoveryReport::default(), RecoveryReport::with)
    })
}

/// A broken promise in one thread leaves the others nothing to do.
struct EndsAll<'a>(&'a AtomicUsize);

impl Drop for EndsAll<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.store(usize::MAX / 2, Ordering::Relaxed);
        }
    }
}

impl RecoveryReport {
    fn with(self, other: Self) -> Self {
        Self {
            traces: self.traces + other.traces,
            inputs: self.inputs + other.inputs,
            operations: self.operations + other.operations,
            crashes: self.crashes + other.crashes,
        }
    }

    fn random(&mut self, number: usize, seed: u64) {
        let trace = Trace::random(seed);
        let first = trace.run();
        self.traces += 1;
        self.inputs += first.inputs;
        self.operations += first.operations;
        // In a debug build each costs a multiple.
        if number.is_multiple_of(16) || !cfg!(debug_assertions) {
            assert_eq!(
                first.outcomes,
                trace.run().outcomes,
                "{trace:?}: not the same twice"
            );
        }
    }

    fn crashed(&mut self, seed: u64) {
        let trace = Trace::steady(seed);
        let whole = trace.run();
        for crash in 1..whole.inputs {
            let cut = trace.run_with_crash(crash);
            self.crashes += 1;
            same_end(&trace, crash, &whole.ends, &cut.ends);
        }
    }
}

fn same_end(trace: &Trace, crash: u64, whole: &BTreeMap<String, End>, cut: &BTreeMap<String, End>) {
    assert_eq!(
        whole, cut,
        "{trace:?}: a crash after input {crash} changes the end"
    );
}
