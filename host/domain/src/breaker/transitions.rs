//! What one observation, or a trial, does to the circuit.

use super::{
    By, CheckCounter, CircuitState, HealthChange, TargetHealth,
    counter::{self, FailureState},
};
use crate::{
    health::{Observation, Outcome},
    time::Monotonic,
};

impl TargetHealth {
    pub(super) fn failed(
        &mut self,
        seen: &Observation,
        by: By,
        now: Monotonic,
        changes: &mut Vec<HealthChange>,
    ) {
        let half_open = self.circuit == CircuitState::HalfOpen;
        let any_raised = self.failing().next().is_some();
        let Some(failure) = self.find(seen, by).map(|check| check.failure.clone()) else {
            return;
        };
        let held = self.severity_of(&failure);
        let already_holds = held.is_some();
        let multiplier = self.multiplier;
        let Some(check) = self.find(seen, by) else {
            return;
        };
        // A process that ends is news each time; that it still does not run is none.
        let has_ended = check.is_exit() && !check.last_failed();
        check.last = Some(Outcome::Failed);
        check.count_failure();
        check.successes = 0;
        check.starting = false;
        check.is_unseen = false;
        // By what is told of it from here on.
        check.is_told = false;
        changes.push(HealthChange::CheckFailed {
            check: check.name.clone(),
            in_a_row: check.failures,
        });
        // In a trial, a failure that was raised returns at the first failing run; any other still needs
        // as many as ever. An open circuit always has a reason.
        let recurs = half_open && (already_holds || !any_raised);
        let counts = recurs || check.has_failed_enough(multiplier);
        let (severity, name) = (check.severity, check.name.clone());
        if counts {
            check.state = FailureState::Raised;
        }
        if half_open || (counts && self.circuit == CircuitState::Closed) {
            self.circuit = CircuitState::Open;
            self.opened_at = now;
            changes.push(HealthChange::CircuitOpened);
        }
        let is_worse = held.is_some_and(|held| severity > held);
        if counts && (half_open || has_ended || !already_holds || is_worse) {
            changes.push(HealthChange::FailureRaised {
                check: name,
                failure,
                severity,
                evidence: seen.evidence.clone(),
            });
        }
    }

    pub(super) fn passed(
        &mut self,
        seen: &Observation,
        by: By,
        now: Monotonic,
        changes: &mut Vec<HealthChange>,
    ) {
        let may_try = self.acted || self.circuit == CircuitState::HalfOpen;
        let Some(check) = self.find(seen, by) else {
            return;
        };
        let (warned, warns) = (Some(Outcome::Degraded), seen.outcome == Outcome::Degraded);
        if check.last == Some(Outcome::Failed) || (check.is_told && !warns) {
            changes.push(HealthChange::CheckRecovered {
                check: check.name.clone(),
            });
        } else if check.last == warned && !warns {
            changes.push(HealthChange::CheckUndegraded {
                check: check.name.clone(),
            });
        }
        check.is_told = false;
        if warns && check.last != warned {
            changes.push(HealthChange::CheckDegraded {
                check: check.name.clone(),
            });
        }
        // That it runs is told each time that somebody looks: only the first of them is a beginning.
        let begins_to_run =
            check.is_exit() && check.last.is_none_or(|last| last == Outcome::Failed);
        check.last = Some(seen.outcome);
        check.count_success();
        check.starting = false;
        check.is_unseen = false;
        let begins = check.state == FailureState::Raised && may_try;
        if begins {
            check.begin_trial();
        }
        check.successes = check.successes.saturating_add(1);
        if begins_to_run {
            self.begin_moment(now);
        }
        if begins {
            self.half_open(changes);
        }
    }

    /// Starts a trial: every check has to pass afresh.
    pub(super) fn try_again(&mut self, changes: &mut Vec<HealthChange>) {
        for check in &mut self.checks {
            check.begin_trial();
        }
        self.half_open(changes);
        self.settle(changes);
    }

    /// Draws the conclusions from what the checks have seen. In the first moment of a process there is none to draw.
    pub(super) fn settle(&mut self, changes: &mut Vec<HealthChange>) {
        let has_settled = self.settles_at.is_none();
        let mut cleared = Vec::new();
        for check in self.checks.iter_mut().filter(|check| check.is_tried()) {
            if has_settled && check.successes >= check.recover_after {
                check.clear();
                cleared.push(check.failure.clone());
            }
        }
        for failure in cleared {
            if !self.is_failing(&failure) {
                changes.push(HealthChange::FailureCleared { failure });
            }
        }
        if self.circuit == CircuitState::Open && self.failing().next().is_none() {
            self.half_open(changes);
        }
        if has_settled
            && self.circuit == CircuitState::HalfOpen
            && self.checks.iter().all(CheckCounter::allows_closing)
        {
            self.close(changes);
        }
        if self.checks.iter().all(|check| !check.starting) {
            self.start_ends = None;
        }
        let health = counter::health_of(&self.checks, !has_settled);
        if health != self.health {
            let from = std::mem::replace(&mut self.health, health);
            changes.push(HealthChange::HealthChanged { from, to: health });
        }
    }

    pub(super) fn half_open(&mut self, changes: &mut Vec<HealthChange>) {
        if self.circuit != CircuitState::HalfOpen {
            self.circuit = CircuitState::HalfOpen;
            changes.push(HealthChange::CircuitHalfOpened);
        }
    }

    pub(super) fn close(&mut self, changes: &mut Vec<HealthChange>) {
        self.acted = false;
        if self.circuit != CircuitState::Closed {
            self.circuit = CircuitState::Closed;
            changes.push(HealthChange::CircuitClosed);
        }
    }

    pub(super) fn find(&mut self, seen: &Observation, by: By) -> Option<&mut CheckCounter> {
        self.checks.iter_mut().find(|check| match by {
            By::Check => !check.is_exit() && check.name == seen.check,
            By::Exit => check.is_exit(),
        })
    }
}
