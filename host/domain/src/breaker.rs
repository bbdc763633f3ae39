//! The circuit breaker of a target [seed 002]: closed, open, half-open; and the target's health with it.
//!
//! A check whose failures in a row reach its `fail_after`, or among its last looks its `fail_of`, raises its failure and
//! opens the circuit. The circuit goes
//! half-open after `open_for`, or when a handler has acted; then fresh successes close it and any failure opens it.
//! Exceptions for a target that starts are in `start`; for a process that runs only for a moment, in `moment`; for one that
//! is not the supervised child, in `stranger`; for a check that could not look, in `sight`.
//!
//! Invariant: a failure is raised when it begins, when it reopens a half-open circuit, when a check of a higher severity than
//! those that raised it begins to see it, and at each exit of the child; not at each failing run.
//! Invariant: an open circuit has at least one failure that is raised; a closed one has none.
//! Invariant: what could not be seen counts as nothing: it is neither a failure nor a success, and ends no row of them.
//! Invariant: a failure of another type neither delays nor hides the end of this one: each clears by its own checks.

use crate::{
    health::{Evidence, Health, Observation, Outcome},
    name::{CheckName, FailureType},
    phase::Multiplier,
    severity::Severity,
    spec::{BreakerSpec, CheckSpec},
    time::Monotonic,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

mod counter;
mod moment;
mod recent;
mod reconfigure;
mod sight;
mod start;
mod stranger;
#[cfg(test)]
mod tests;
mod transitions;

use counter::{CheckCounter, FailureState};
pub use moment::MOMENT;

/// Where a target's circuit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum CircuitState {
    /// Healthy enough.
    #[default]
    Closed,
    /// Failing.
    Open,
    /// Tried again: successes close it, any failure opens it.
    HalfOpen,
}

/// What an observation, the time or a handler changed; in the order in which it happened.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the fields are what their types say")]
pub enum HealthChange {
    /// A check failed; so many times in a row now.
    CheckFailed { check: CheckName, in_a_row: u32 },
    /// A check that failed passes again, or one that was told to fail or to warn does neither.
    CheckRecovered { check: CheckName },
    /// A check passes and warns, which it did not before.
    CheckDegraded { check: CheckName },
    /// A check that warned passes, and does not warn any more.
    CheckUndegraded { check: CheckName },
    /// The target is better or worse.
    HealthChanged { from: Health, to: Health },
    /// The circuit opened, or opened again.
    CircuitOpened,
    /// The target is tried again.
    CircuitHalfOpened,
    /// The target is healthy again.
    CircuitClosed,
    /// A failure began to hold, or came back during a trial.
    FailureRaised {
        check: CheckName,
        failure: FailureType,
        severity: Severity,
        evidence: Evidence,
    },
    /// Every check that raised this failure passes again.
    FailureCleared { failure: FailureType },
    /// By another config no check sees this failure any more. Whether it is over nobody knows.
    FailureUnseen { failure: FailureType },
    /// The start period is over, and this check has not passed in it: what it sees counts from now on, so it is looked
    /// at now.
    CheckLate { check: CheckName },
}

/// Where an observation comes from.
#[derive(Debug, Clone, Copy)]
enum By {
    /// A configured check.
    Check,
    /// The supervised child's life.
    Exit,
}

/// Health and circuit of one target, over its checks.
#[derive(Debug, Clone)]
pub struct TargetHealth {
    checks: Vec<CheckCounter>,
    open_for: Duration,
    circuit: CircuitState,
    opened_at: Monotonic,
    /// A handler has acted since the circuit was last closed, so a success need not wait for `open_for`.
    acted: bool,
    /// When the start period ends; only while a check has not passed since the start.
    start_ends: Option<Monotonic>,
    /// When the supervised process will have run for a moment; one that is over may stay here where nothing waits for it.
    settles_at: Option<Monotonic>,
    health: Health,
    multiplier: Multiplier,
}

impl TargetHealth {
    /// A target that nothing is known of. `exit` is what the exit of the supervised child is called, and how bad it is;
    /// one failure raises it and one success clears it, whatever checks are configured: see
    /// [`TargetHealth::observe_exit`].
    pub fn new(
        checks: &[CheckSpec],
        exit: Option<(&FailureType, Severity)>,
        breaker: BreakerSpec,
    ) -> Self {
        Self {
            checks: counter::counters(checks, exit),
            open_for: breaker.open_for,
            circuit: CircuitState::Closed,
            opened_at: Monotonic::default(),
            acted: false,
            start_ends: None,
            settles_at: None,
            health: Health::Unknown,
            multiplier: Multiplier::default(),
        }
    }

    /// That of the phase of the host, which says how many failures are enough from now on.
    pub fn set_multiplier(&mut self, multiplier: Multiplier) {
        self.multiplier = multiplier;
    }

    /// Takes up a failure that held when the host ended: it holds until its checks pass afresh, and comes back at once
    /// where one of them fails. What no check raises any more is ignored.
    pub fn resume(&mut self, failure: &FailureType) {
        for check in self.checks.iter_mut().filter(|c| c.failure == *failure) {
            check.state = FailureState::OnTrial;
            self.circuit = CircuitState::HalfOpen;
        }
        self.health = counter::health_of(&self.checks, self.settles_at.is_some());
    }

    /// An earlier daemon told that this check fails or warns, and not that it does not any more.
    pub fn resume_told(&mut self, check: &CheckName) {
        for one in self.checks.iter_mut().filter(|one| one.name == *check) {
            one.is_told = true;
        }
    }

    /// Applies what one check saw. An observation of another check is ignored.
    pub fn observe(&mut self, seen: &Observation, now: Monotonic) -> Vec<HealthChange> {
        self.record_observation(seen, By::Check, now)
    }

    /// Applies that the supervised child runs, or has ended. It is told apart from a configured check of the same name,
    /// for an end is certain at once, and such a check has its own failure and its own `fail_after`.
    pub fn observe_exit(&mut self, seen: &Observation, now: Monotonic) -> Vec<HealthChange> {
        self.record_observation(seen, By::Exit, now)
    }

    fn record_observation(
        &mut self,
        seen: &Observation,
        by: By,
        now: Monotonic,
    ) -> Vec<HealthChange> {
        let mut changes = Vec::new();
        self.count(seen, by, now, &mut changes);
        self.settle(&mut changes);
        changes
    }

    fn count(
        &mut self,
        seen: &Observation,
        by: By,
        now: Monotonic,
        changes: &mut Vec<HealthChange>,
    ) {
        self.pass_moment(now);
        if matches!(by, By::Check)
            && (self.is_from_stranger(seen) || self.is_excused_by_start(seen, now))
        {
            return;
        }
        match seen.outcome {
            Outcome::Failed => self.failed(seen, by, now, changes),
            // A warning is no failure: it counts as a success, and health shows it.
            Outcome::Healthy | Outcome::Degraded => self.passed(seen, by, now, changes),
            Outcome::Unknown => {}
        }
    }

    /// Ends a start period and a moment that are over, and half-opens a circuit that was open for long enough; see
    /// [`TargetHealth::next_tick`].
    pub fn tick(&mut self, now: Monotonic) -> Vec<HealthChange> {
        let mut changes = Vec::new();
        let is_due = |due: Option<Monotonic>| due.is_some_and(|due| due <= now);
        if is_due(self.settles_at) {
            self.settles_at = None;
            self.settle(&mut changes);
        }
        if is_due(self.start_ends) {
            self.end_start(&mut changes);
        }
        if is_due(self.half_opens_at()) {
            self.try_again(&mut changes);
        }
        changes
    }

    /// When [`TargetHealth::tick`] has something to do: only while the target starts, is tried again, or the circuit is
    /// open.
    pub fn next_tick(&self) -> Option<Monotonic> {
        let all = [self.start_ends, self.awaits_moment(), self.half_opens_at()];
        all.into_iter().flatten().min()
    }

    fn half_opens_at(&self) -> Option<Monotonic> {
        (self.circuit == CircuitState::Open).then(|| self.opened_at + self.open_for)
    }

    /// A handler has acted: the circuit goes half-open whatever it was, and fresh successes are needed to close it. A
    /// target that needs longer to come up reopens it once, and the first success after that half-opens it again.
    pub fn handler_acted(&mut self) -> Vec<HealthChange> {
        let mut changes = Vec::new();
        self.acted = true;
        self.try_again(&mut changes);
        changes
    }

    /// Where the circuit stands.
    pub fn circuit(&self) -> CircuitState {
        self.circuit
    }

    /// How the target is.
    pub fn health(&self) -> Health {
        self.health
    }

    /// Whether this failure holds.
    pub fn is_failing(&self, failure: &FailureType) -> bool {
        self.failing().any(|f| f == failure)
    }

    /// How bad the worst of the checks that raised a failure says that it is; none where it does not hold.
    fn severity_of(&self, failure: &FailureType) -> Option<Severity> {
        let raised = self.checks.iter().filter(|check| check.state.holds());
        let of_it = raised.filter(|check| check.failure == *failure);
        of_it.map(|check| check.severity).max()
    }

    /// The failures that hold, in the order of the checks; twice where two checks raise the same.
    pub fn failing(&self) -> impl Iterator<Item = &FailureType> {
        let holding = self.checks.iter().filter(|c| c.state.holds());
        holding.map(|c| &c.failure)
    }
}
