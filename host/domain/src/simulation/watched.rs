//! A target of the simulated world: what its checks would see, and what the real breaker made of what they saw.

use crate::{
    breaker::{CircuitState, HealthChange, TargetHealth},
    health::{Evidence, Health, Observation, Outcome},
    name::{CheckName, FailureType},
    recovery::InputTime,
    spec::{CheckSpec, TargetSpec},
    time::Monotonic,
};
use std::collections::BTreeSet;

/// What a check sees whenever it looks.
#[derive(Debug, Clone)]
struct Seeing {
    outcome: Outcome,
    message: String,
}

impl Default for Seeing {
    fn default() -> Self {
        Self {
            outcome: Outcome::Healthy,
            message: "passes".to_owned(),
        }
    }
}

/// One target.
#[derive(Debug)]
pub(super) struct Watched<'a> {
    pub(super) spec: &'a TargetSpec,
    pub(super) health: TargetHealth,
    /// Its supervised process runs; always so of a foreign service.
    pub(super) runs: bool,
    /// By check.
    sees: Vec<Seeing>,
    /// When each check is run next, by check; none while nothing could change.
    pub(super) next_runs: Vec<Option<Monotonic>>,
    pub(super) reported: BTreeSet<FailureType>,
    /// When the health is to be told the time.
    pub(super) tick_at: Option<Monotonic>,
}

impl<'a> Watched<'a> {
    pub(super) fn new(spec: &'a TargetSpec) -> Self {
        let exit = spec.process.as_ref();
        let exit = exit.map(|process| (&process.exit_failure, process.exit_severity));
        Self {
            spec,
            health: TargetHealth::new(&spec.checks, exit, spec.breaker),
            runs: true,
            sees: vec![Seeing::default(); spec.checks.len()],
            next_runs: vec![None; spec.checks.len()],
            reported: BTreeSet::new(),
            tick_at: None,
        }
    }

    /// It runs and every check has passed once: the day begins with a host that is well.
    pub(super) fn settle_down(&mut self, at: InputTime) {
        if self.spec.process.is_some() {
            let seen = self.process_seen(None, at);
            self.health.observe_exit(&seen, at.monotonic);
        }
        for check in 0..self.spec.checks.len() {
            self.run_check(check, at);
        }
    }

    pub(super) fn place_of(&self, check: &CheckName) -> Option<usize> {
        let mut checks = self.spec.checks.iter();
        checks.position(|known| known.name == *check)
    }

    /// From now on the check sees this.
    pub(super) fn is_told(&mut self, check: usize, outcome: Outcome, message: &str) {
        if let Some(sees) = self.sees.get_mut(check) {
            *sees = Seeing {
                outcome,
                message: message.to_owned(),
            };
        }
    }

    /// One run of a check: what it saw, and what that changed. None where it has nothing to say: it measures a process that
    /// does not run, or a stranger answered.
    pub(super) fn run_check(
        &mut self,
        check: usize,
        at: InputTime,
    ) -> Option<(Observation, Vec<HealthChange>)> {
        let spec = self.spec.checks.get(check)?;
        if !self.runs && spec.kind.measures_child() {
            return None;
        }
        let seen = self.look(spec, self.sees.get(check)?, at);
        if self.health.is_from_stranger(&seen) {
            return None;
        }
        let changes = self.health.observe(&seen, at.monotonic);
        Some((seen, changes))
    }

    fn look(&self, check: &CheckSpec, sees: &Seeing, at: InputTime) -> Observation {
        let passes = matches!(sees.outcome, Outcome::Healthy | Outcome::Degraded);
        let is_down = !self.runs && passes && check.kind.asks_the_service();
        let (outcome, message) = match is_down {
            true => (Outcome::Failed, "the process does not run"),
            false => (sees.outcome, sees.message.as_str()),
        };
        self.observation(&check.name, outcome, message, at)
    }

    /// The supervised process as an observation: down, for a reason, or as it is.
    pub(super) fn process_seen(&self, down: Option<&str>, at: InputTime) -> Observation {
        let (outcome, message) = match (down, self.runs) {
            (None, true) => (Outcome::Healthy, "the process runs"),
            (down, _) => (Outcome::Failed, down.unwrap_or("the process does not run")),
        };
        self.observation(&CheckName::process(), outcome, message, at)
    }

    fn observation(
        &self,
        check: &CheckName,
        outcome: Outcome,
        message: &str,
        at: InputTime,
    ) -> Observation {
        Observation {
            target: self.spec.name.clone(),
            check: check.clone(),
            outcome,
            evidence: Evidence {
                check: check.to_string(),
                observed_at: at.now,
                message: message.to_owned(),
                value: None,
                output: None,
                score: None,
            },
        }
    }

    /// A handler has ended this failure: its checks pass.
    pub(super) fn heal(&mut self, failure: &FailureType) {
        for (check, sees) in self.spec.checks.iter().zip(&mut self.sees) {
            if check.failure == *failure {
                *sees = Seeing::default();
            }
        }
    }

    /// Whether a run of its checks can change something: else they are left out, for a day has very many.
    pub(super) fn is_restless(&self) -> bool {
        let is_well = matches!(self.health.health(), Health::Healthy | Health::Unknown);
        !self.runs
            || !is_well
            || self.health.circuit() != CircuitState::Closed
            || self
                .sees
                .iter()
                .any(|sees| sees.outcome != Outcome::Healthy)
    }

    pub(super) fn is_failing(&self, failure: &FailureType) -> bool {
        self.health.is_failing(failure) || self.reported.contains(failure)
    }

    /// Whether it has a supervised process that should run and does not.
    pub(super) fn is_down(&self) -> bool {
        self.spec.process.is_some() && !self.runs
    }
}
