//! What the checks of a target say of one of its failures, after a run of them.

use super::LookResult;
use crate::{
    health::{Observation, Outcome},
    name::FailureType,
    spec::{CheckSpec, TargetSpec},
};

impl LookResult {
    /// What the checks that see this failure saw: another failure of the target is not this operation's. One that no check
    /// sees is judged by all of them.
    pub fn of(
        target: Option<&TargetSpec>,
        failure: &FailureType,
        seen: &[Observation],
    ) -> LookResult {
        let is_own = |one: &&Observation| {
            target.is_some_and(|target| target.is_seen_by(failure, &one.check))
        };
        let checks = target.map(|target| target.checks.as_slice());
        let checks = checks.unwrap_or_default();
        let mut own_checks = checks.iter().filter(|check| check.failure == *failure);
        let has_own = own_checks.clone().next().is_some() || seen.iter().any(|one| is_own(&one));
        let is_seen_as = |outcome: Outcome| {
            let mut judged = seen.iter().filter(|one| !has_own || is_own(one));
            judged.any(|one| one.outcome == outcome)
        };
        if is_seen_as(Outcome::Failed) {
            return LookResult::Failing;
        }
        // A look for which it is too soon gives no observation.
        let has_seen = |check: &CheckSpec| seen.iter().any(|one| one.check == check.name);
        if !own_checks.all(has_seen) {
            return LookResult::NotYet;
        }
        match is_seen_as(Outcome::Unknown) {
            true => LookResult::Unseen,
            false => LookResult::Healthy,
        }
    }
}
