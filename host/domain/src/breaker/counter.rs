//! What one check of a target has seen.
//!
//! Invariant: no conclusion about the circuit is drawn here.

use crate::{
    health::{Health, Outcome},
    name::{CheckName, FailureType},
    severity::Severity,
    spec::{CheckKind, CheckSpec},
};

/// What one check has seen.
#[derive(Debug, Clone)]
pub(super) struct CheckCounter {
    pub(super) name: CheckName,
    /// Absent for the supervised child's exit. That one is told, not sampled: its last outcome is how it is now.
    pub(super) kind: Option<CheckKind>,
    pub(super) failure: FailureType,
    pub(super) severity: Severity,
    pub(super) fail_after: u32,
    pub(super) recover_after: u32,
    pub(super) last: Option<Outcome>,
    pub(super) failures: u32,
    /// In a row, since the trial began.
    pub(super) successes: u32,
    /// Its failure holds.
    pub(super) raised: bool,
    /// Its successes count: the target was tried again since the failure was raised.
    pub(super) on_trial: bool,
}

impl CheckCounter {
    fn told(name: CheckName, failure: &FailureType, severity: Severity) -> Self {
        Self {
            name,
            kind: None,
            failure: failure.clone(),
            severity,
            fail_after: 1,
            recover_after: 1,
            last: None,
            failures: 0,
            successes: 0,
            raised: false,
            on_trial: false,
        }
    }

    pub(super) fn is_told(&self) -> bool {
        self.kind.is_none()
    }

    /// From here on its successes count; a process that runs has proven it already.
    pub(super) fn begin_trial(&mut self) {
        let runs = self.is_told() && self.last.is_some() && !self.last_failed();
        self.on_trial = true;
        self.successes = if runs { self.recover_after } else { 0 };
    }

    fn last_failed(&self) -> bool {
        self.last == Some(Outcome::Failed)
    }

    /// Whether it does not keep a half-open circuit from closing.
    pub(super) fn is_proven(&self) -> bool {
        let told = self.is_told() && !self.last_failed();
        !self.raised && (told || self.successes >= self.recover_after)
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.name == other.name && self.kind == other.kind && self.failure == other.failure
    }

    pub(super) fn keep_counts_of(&mut self, old: &Self) {
        self.last = old.last;
        self.failures = old.failures;
        self.successes = old.successes;
        self.raised = old.raised;
        self.on_trial = old.on_trial;
    }
}

/// One for each check, and one for the child's exit.
pub(super) fn counters(
    checks: &[CheckSpec],
    exit: Option<(&FailureType, Severity)>,
) -> Vec<CheckCounter> {
    let sampled = checks.iter().map(|check| CheckCounter {
        fail_after: check.fail_after,
        recover_after: check.recover_after,
        kind: Some(check.kind.clone()),
        ..CheckCounter::told(check.name.clone(), &check.failure, check.severity)
    });
    let told =
        exit.map(|(failure, severity)| CheckCounter::told(CheckName::process(), failure, severity));
    sampled.chain(told).collect()
}

/// How the target is, by its checks.
pub(super) fn health_of(checks: &[CheckCounter]) -> Health {
    if checks.iter().any(|c| c.raised) {
        return Health::Failed;
    }
    let seen = checks.iter().filter_map(|c| c.last);
    seen.fold(Health::Unknown, |health, outcome| match outcome {
        Outcome::Healthy => health.max(Health::Healthy),
        Outcome::Degraded | Outcome::Failed => Health::Degraded,
    })
}
