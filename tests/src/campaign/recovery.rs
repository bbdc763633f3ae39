//! Random traces of the recovery machine, against a world of our own and a journal that holds what was written.
//!
//! Invariants, after every input: the machine's own audit; one operation of a failure at most, also in the journal; an
//! incident that closed has none. At the end of each trace, when the world is well: every operation has an end and no
//! incident is open. The same trace twice gives the same outcomes. And after a crash at any input, a machine that is
//! made of the journal comes to the same end.

mod world;

use super::Random;
use std::collections::BTreeMap;
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

/// Runs `count` random traces, and for `crashed` of them a crash after every input; panics at the first broken promise.
pub fn recovery(count: u32, crashed: u32, seed: u64) -> RecoveryReport {
    let mut random = Random::new(seed);
    let mut report = RecoveryReport::default();
    for number in 0..count {
        let trace = Trace::random(random.number());
        let first = trace.run();
        report.traces += 1;
        report.inputs += first.inputs;
        report.operations += first.operations;
        // In a debug build each costs a multiple.
        if number % 16 == 0 || !cfg!(debug_assertions) {
            assert_eq!(
                first.outcomes,
                trace.run().outcomes,
                "{trace:?}: not the same twice"
            );
        }
    }
    for _ in 0..crashed {
        let trace = Trace::steady(random.number());
        let whole = trace.run();
        for crash in 1..whole.inputs {
            let cut = trace.run_with_crash(crash);
            report.crashes += 1;
            same_end(&trace, crash, &whole.ends, &cut.ends);
        }
    }
    report
}

fn same_end(trace: &Trace, crash: u64, whole: &BTreeMap<String, End>, cut: &BTreeMap<String, End>) {
    assert_eq!(
        whole, cut,
        "{trace:?}: a crash after input {crash} changes the end"
    );
}
