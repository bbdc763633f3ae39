//! What one check of a target has seen.
//!
//! Invariant: no conclusion about the circuit is drawn here.

use super::recent::RecentLooks;
use crate::{
    health::{Health, Outcome},
    name::{CheckName, FailureType},
    phase::Multiplier,
    severity::Severity,
    spec::{CheckKind, CheckSpec, FailOf},
};
use std::time::Duration;

/// What one check has seen.
#[derive(Debug, Clone)]
pub(super) struct CheckCounter {
    pub(super) name: CheckName,
    /// Absent for the child's exit, which is reported and not sampled: its last outcome is its present state.
    pub(super) kind: Option<CheckKind>,
    /// How long a look may take; and of a heartbeat, how far apart two may be.
    limit: Duration,
    pub(super) failure: FailureType,
    pub(super) severity: Severity,
    fail_after: u32,
    /// In its place.
    fail_of: Option<FailOf>,
    pub(super) recover_after: u32,
    pub(super) last: Option<Outcome>,
    /// In a row.
    pub(super) failures: u32,
    recent: RecentLooks,
    /// In a row, since the trial began.
    pub(super) successes: u32,
    pub(super) state: FailureState,
    /// The target was started, and this has not passed since: a failure of it is none yet. What was raised before still
    /// holds meanwhile, so this is no state of the failure.
    pub(super) starting: bool,
    /// It could not look for long, so what it saw last says nothing of the present.
    pub(super) is_unseen: bool,
    /// People were told that it fails or warns, by an earlier daemon or in the config before, and not yet that it does not.
    pub(super) is_told: bool,
}

/// Where the failure of one check stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailureState {
    /// It does not hold.
    Clear,
    /// It holds; that the check passes proves nothing.
    Raised,
    /// It holds, and the check's successes count: the target was tried again since.
    OnTrial,
}

impl FailureState {
    pub(super) fn holds(self) -> bool {
        self != Self::Clear
    }

    /// The target is tried again.
    fn tried(self) -> Self {
        match self {
            Self::Clear => Self::Clear,
            Self::Raised | Self::OnTrial => Self::OnTrial,
        }
    }
}

impl CheckCounter {
    fn for_exit(name: CheckName, failure: &FailureType, severity: Severity) -> Self {
        Self {
            name,
            kind: None,
            limit: Duration::ZERO,
            failure: failure.clone(),
            severity,
            fail_after: 1,
            fail_of: None,
            recover_after: 1,
            last: None,
            failures: 0,
            recent: RecentLooks::default(),
            successes: 0,
            state: FailureState::Clear,
            starting: false,
            is_unseen: false,
            is_told: false,
        }
    }

    pub(super) fn is_exit(&self) -> bool {
        self.kind.is_none()
    }

    /// It holds, and its successes count.
    pub(super) fn is_tried(&self) -> bool {
        self.state == FailureState::OnTrial
    }

    /// From here on its successes count; a process that runs has proven it already.
    pub(super) fn begin_trial(&mut self) {
        let runs = self.is_exit() && self.last.is_some() && !self.last_failed();
        self.state = self.state.tried();
        self.successes = if runs { self.recover_after } else { 0 };
    }

    /// What it counted before was of the process before. Where its failure is raised, it still is.
    pub(super) fn begin_start(&mut self, has_period: bool) {
        self.failures = 0;
        self.recent = RecentLooks::default();
        self.successes = 0;
        self.starting = has_period;
    }

    /// It failed once more.
    pub(super) fn count_failure(&mut self) {
        self.failures = self.failures.saturating_add(1);
        self.recent.add(true);
    }

    /// It passed.
    pub(super) fn count_success(&mut self) {
        self.failures = 0;
        self.recent.add(false);
    }

    /// Whether it has failed as often as it may in the phase of this threshold multiplier [seed 001]. An end of the process is
    /// certain at once in each.
    pub(super) fn has_failed_enough(&self, multiplier: Multiplier) -> bool {
        let least = |failures| match self.is_exit() {
            true => failures,
            false => multiplier.threshold(failures),
        };
        match self.fail_of {
            None => self.failures >= least(self.fail_after),
            Some(FailOf { failures, of }) => self.recent.reach(FailOf {
                failures: least(failures).min(of),
                of,
            }),
        }
    }

    /// Its failure is over: what it saw until now is no part of the next.
    pub(super) fn clear(&mut self) {
        self.state = FailureState::Clear;
        self.recent = RecentLooks::default();
    }

    /// It has seen nothing yet.
    pub(super) fn forget(&mut self) {
        self.clear();
        self.last = None;
        self.failures = 0;
        self.successes = 0;
        self.starting = false;
        self.is_unseen = false;
    }

    pub(super) fn last_failed(&self) -> bool {
        self.last == Some(Outcome::Failed)
    }

    /// Whether it does not keep a half-open circuit from closing.
    pub(super) fn allows_closing(&self) -> bool {
        let exit_passed = self.is_exit() && !self.last_failed();
        !self.state.holds() && (exit_passed || self.successes >= self.recover_after)
    }

    /// Whether this is the other one in another config.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.name == other.name
            && self.failure == other.failure
            && self.is_exit() == other.is_exit()
    }

    /// Whether what the other one saw is what this one would have seen and counted.
    fn judges_as(&self, other: &Self) -> bool {
        let all = |check: &Self| {
            let failures = (check.fail_after, check.fail_of);
            (check.limit, failures, check.recover_after)
        };
        self.kind == other.kind && all(self) == all(other)
    }

    /// Takes over the counts of the same check in the config before. Where it judges otherwise now it has seen nothing
    /// yet: what was raised is on trial, so that its first looks decide.
    pub(super) fn keep_what_holds_of(&mut self, old: &Self) {
        if !self.judges_as(old) {
            self.state = old.state.tried();
            let is_bad = matches!(old.last, Some(Outcome::Failed | Outcome::Degraded));
            self.is_told = old.is_told || is_bad;
            return;
        }
        self.is_told = old.is_told;
        self.state = old.state;
        self.last = old.last;
        self.failures = old.failures;
        self.recent = old.recent;
        self.successes = old.successes;
        self.starting = old.starting;
        self.is_unseen = old.is_unseen;
    }
}

/// One for each check, and one for the child's exit.
pub(super) fn counters(
    checks: &[CheckSpec],
    exit: Option<(&FailureType, Severity)>,
) -> Vec<CheckCounter> {
    let sampled = checks.iter().map(|check| CheckCounter {
        fail_after: check.fail_after,
        fail_of: check.fail_of,
        recover_after: check.recover_after,
        kind: Some(check.kind.clone()),
        limit: match check.kind {
            CheckKind::Heartbeat => check.every,
            _ => check.timeout,
        },
        ..CheckCounter::for_exit(check.name.clone(), &check.failure, check.severity)
    });
    let exit_counter = exit
        .map(|(failure, severity)| CheckCounter::for_exit(CheckName::process(), failure, severity));
    sampled.chain(exit_counter).collect()
}

/// New checks take over what checks that are gone had raised, where they see the same failure.
pub(super) fn hand_over(before: &[CheckCounter], checks: &mut [CheckCounter]) {
    let is_gone = |old: &&CheckCounter| !checks.iter().any(|new| old.is_same(new));
    let raised = before.iter().filter(|old| old.state.holds());
    let orphaned: Vec<FailureType> = raised
        .filter(is_gone)
        .map(|old| old.failure.clone())
        .collect();
    for check in checks.iter_mut().filter(|check| !check.is_exit()) {
        let is_new = !before.iter().any(|old| old.is_same(check));
        if is_new && orphaned.contains(&check.failure) {
            check.state = FailureState::OnTrial;
        }
    }
}

/// How the target is, by its checks. While its process `is_settling`, one that is tried again starts.
pub(super) fn health_of(checks: &[CheckCounter], is_settling: bool) -> Health {
    let is_tried = is_settling && checks.iter().any(CheckCounter::is_tried);
    let starts = is_tried || checks.iter().any(|c| c.starting);
    // While it starts, what was raised before is not known to be so still.
    let is_seen = |c: &CheckCounter| !c.starting && c.last_failed();
    let holds = |c: &CheckCounter| c.state.holds() && (!starts || is_seen(c));
    if checks.iter().any(holds) {
        return Health::Failed;
    }
    if starts {
        return Health::Starting;
    }
    let seen = checks.iter().filter_map(|c| c.last);
    let health = seen.fold(Health::Unknown, |health, outcome| match outcome {
        Outcome::Healthy => health.max(Health::Healthy),
        Outcome::Degraded | Outcome::Failed => Health::Degraded,
        Outcome::Unknown => health,
    });
    match health {
        Health::Healthy if checks.iter().any(|c| c.is_unseen) => Health::Unknown,
        health => health,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_is_of_a_failure_that_holds() {
        use FailureState::{Clear, OnTrial, Raised};
        let table = [
            (Clear, false, Clear),
            (Raised, true, OnTrial),
            (OnTrial, true, OnTrial),
        ];
        for (state, holds, tried) in table {
            assert_eq!(state.holds(), holds, "{state:?}");
            assert_eq!(state.tried(), tried, "{state:?}");
        }
    }
}
