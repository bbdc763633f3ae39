//! Health is of the own process: while the supervised child does not run, whoever answers in its place is a stranger.

use super::{CheckCounter, TargetHealth};
use crate::{
    health::{Observation, Outcome},
    spec::CheckKind,
};

impl TargetHealth {
    /// Whether a check passed that the child cannot have answered, because it does not run. Such a success says
    /// nothing about the target. Checks that look at the machine are exempt.
    pub fn is_from_stranger(&self, seen: &Observation) -> bool {
        let mut exits = self.checks.iter().filter(|check| check.is_exit());
        let is_down = exits.any(CheckCounter::last_failed);
        let kind = self.sampled(seen).and_then(|check| check.kind.as_ref());
        let passed = matches!(seen.outcome, Outcome::Healthy | Outcome::Degraded);
        is_down && passed && kind.is_some_and(CheckKind::asks_the_service)
    }

    /// The configured check that saw this.
    pub(super) fn sampled(&self, seen: &Observation) -> Option<&CheckCounter> {
        let mut checks = self.checks.iter();
        checks.find(|check| !check.is_exit() && check.name == seen.check)
    }
}
