//! What the checks of a target say of one of its failures, after a run of them.

use super::LookResult;
use crate::{
    health::{Observation, Outcome},
    name::FailureType,
    operation::ValidationResult,
    spec::{CheckSpec, TargetSpec},
};

/// What one run of the checks saw, as one failure of the target is judged by it: another failure of the target is not this
/// one's. One that no check sees is judged by all of them.
#[derive(Debug, Clone)]
pub struct Judged<'a> {
    /// What was seen by the checks that it is judged by.
    seen: Vec<&'a Observation>,
    /// A check of this failure has seen nothing: it is too soon for it.
    is_too_soon: bool,
}

impl<'a> Judged<'a> {
    /// What was seen, of this failure.
    pub fn by(target: Option<&TargetSpec>, failure: &FailureType, seen: &'a [Observation]) -> Self {
        let is_own =
            |one: &Observation| target.is_some_and(|target| target.is_seen_by(failure, &one.check));
        let checks = target.map(|target| target.checks.as_slice());
        let checks = checks.unwrap_or_default();
        let mut own_checks = checks.iter().filter(|check| check.failure == *failure);
        let has_own = own_checks.clone().next().is_some() || seen.iter().any(is_own);
        let has_seen = |check: &CheckSpec| seen.iter().any(|one| one.check == check.name);
        Self {
            // A look for which it is too soon gives no observation.
            is_too_soon: !own_checks.all(has_seen),
            seen: seen.iter().filter(|one| !has_own || is_own(one)).collect(),
        }
    }

    /// What that comes to.
    pub fn result(&self) -> LookResult {
        if self.is_seen_as(Outcome::Failed) {
            return LookResult::Failing;
        }
        if self.is_too_soon {
            return LookResult::NotYet;
        }
        match self.is_seen_as(Outcome::Unknown) {
            true => LookResult::Unseen,
            false => LookResult::Healthy,
        }
    }

    /// What each check said, for the record.
    pub fn said(&self) -> Vec<ValidationResult> {
        ValidationResult::of_look(self.seen.iter().copied())
    }

    fn is_seen_as(&self, outcome: Outcome) -> bool {
        self.seen.iter().any(|one| one.outcome == outcome)
    }
}
