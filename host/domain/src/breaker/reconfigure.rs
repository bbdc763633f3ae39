//! Another config for what is watched.
//!
//! Invariant: a failure is only cleared where a check sees it and passes. Where none sees it any more that is said, for it
//! may hold still.

use super::{By, CheckCounter, HealthChange, TargetHealth, counter};
use crate::{
    health::Observation,
    name::FailureType,
    severity::Severity,
    spec::{BreakerSpec, CheckSpec},
    time::Monotonic,
};

impl TargetHealth {
    /// Takes up another config. A check that judges as before keeps its counts. One that keeps its name and its failure
    /// only has seen nothing yet: a failure that it raised holds until it passes afresh. The failure of one that is gone
    /// is handed to new checks that see it, and holds until these pass, for it may be the same check under another name;
    /// where there is none it ends, for nothing can see it any more. `process` is what is known of the supervised
    /// child: where its exit is called otherwise now, nobody would tell of it again.
    pub fn reconfigure(
        &mut self,
        checks: &[CheckSpec],
        exit: Option<(&FailureType, Severity)>,
        breaker: BreakerSpec,
        process: Option<&Observation>,
        now: Monotonic,
    ) -> Vec<HealthChange> {
        let mut changes = Vec::new();
        let mut failing_before: Vec<FailureType> = Vec::new();
        for failure in self.failing() {
            if !failing_before.contains(failure) {
                failing_before.push(failure.clone());
            }
        }
        let before = std::mem::replace(&mut self.checks, counter::counters(checks, exit));
        let starts = self.start_ends.is_some_and(|end| now < end);
        for check in &mut self.checks {
            check.starting = starts && !check.is_exit();
            if let Some(old) = before.iter().find(|old| old.is_same(check)) {
                check.keep_what_holds_of(old);
            }
        }
        counter::hand_over(&before, &mut self.checks);
        self.open_for = breaker.open_for;
        self.pass_moment(now);
        if exit.is_none() {
            self.settles_at = None;
        }
        // Before anything is cleared, so that the circuit of a child that is still down does not close in between.
        let is_unknown_exit = |check: &CheckCounter| check.is_exit() && check.last.is_none();
        if let Some(seen) = process.filter(|_| self.checks.iter().any(is_unknown_exit)) {
            self.count(seen, By::Exit, now, &mut changes);
            let reopened = changes.contains(&HealthChange::CircuitOpened);
            changes.retain(|change| match change {
                HealthChange::FailureRaised { failure, .. } => {
                    reopened || !failing_before.contains(failure)
                }
                _ => true,
            });
        }
        for failure in failing_before {
            if self.is_failing(&failure) {
                continue;
            }
            let is_seen = self.checks.iter().any(|check| check.failure == failure);
            changes.push(match is_seen {
                true => HealthChange::FailureCleared { failure },
                false => HealthChange::FailureUnseen { failure },
            });
        }
        if !changes.is_empty() && self.failing().next().is_none() {
            self.close(&mut changes);
        }
        self.settle(&mut changes);
        changes
    }
}
