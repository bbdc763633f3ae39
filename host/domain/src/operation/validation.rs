//! What the checks said that validated a recovery [seed 000].
//!
//! Invariant: they are those of the look that ended the last attempt whose handlers were done, and no others.

use crate::{
    health::{Observation, Outcome},
    name::CheckName,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// Of so many checks it is kept what they said; of those that did not pass first.
pub const MAX_VALIDATION_RESULTS: usize = 64;

/// So many characters are kept of what one said.
pub const MAX_VALIDATION_CHARS: usize = 1024;

/// What one check said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidationResult {
    /// Its name.
    pub check: CheckName,
    /// How it found the target. Healthy and degraded pass.
    pub outcome: Outcome,
    /// The same, for people, one line of at most [`MAX_VALIDATION_CHARS`] characters.
    pub message: String,
    /// When it looked.
    pub at: Timestamp,
}

impl ValidationResult {
    /// Those of one look: in its order, or, of more than [`MAX_VALIDATION_RESULTS`], what did not pass before the rest.
    pub fn of_look<'a>(seen: impl Iterator<Item = &'a Observation>) -> Vec<Self> {
        let mut results: Vec<Self> = seen.map(Self::of).collect();
        if results.len() > MAX_VALIDATION_RESULTS {
            results.sort_by_key(Self::passed);
            results.truncate(MAX_VALIDATION_RESULTS);
        }
        results
    }

    /// Whether nothing of it speaks against the recovery.
    pub fn passed(&self) -> bool {
        match self.outcome {
            Outcome::Healthy | Outcome::Degraded => true,
            Outcome::Failed | Outcome::Unknown => false,
        }
    }

    fn of(seen: &Observation) -> Self {
        let said = &seen.evidence;
        Self {
            check: seen.check.clone(),
            outcome: seen.outcome,
            message: said.message.chars().take(MAX_VALIDATION_CHARS).collect(),
            at: said.observed_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{health::Evidence, name::TargetName};

    fn seen(check: &str, outcome: Outcome, message: &str) -> Observation {
        Observation {
            target: TargetName::parse("api").unwrap(),
            check: CheckName::parse(check).unwrap(),
            outcome,
            evidence: Evidence {
                check: check.to_owned(),
                observed_at: Timestamp::from_millis(7),
                message: message.to_owned(),
                value: None,
                output: None,
                score: None,
            },
        }
    }

    #[test]
    fn a_look_is_kept_in_its_order_with_the_beginning_of_what_was_said() {
        let long = "ä".repeat(MAX_VALIDATION_CHARS + 1);
        let look = [
            seen("http", Outcome::Healthy, "200"),
            seen("tcp", Outcome::Failed, &long),
        ];
        let results = ValidationResult::of_look(look.iter());
        let said: Vec<_> = results
            .iter()
            .map(|one| {
                (
                    one.check.as_str(),
                    one.passed(),
                    one.message.chars().count(),
                )
            })
            .collect();
        assert_eq!(
            said,
            [("http", true, 3), ("tcp", false, MAX_VALIDATION_CHARS)]
        );
        assert_eq!(results[0].at, Timestamp::from_millis(7));
    }

    #[test]
    fn of_very_many_checks_those_that_did_not_pass_are_kept_first() {
        let name = |number: usize| format!("check-{number}");
        let mut look: Vec<Observation> = (0..MAX_VALIDATION_RESULTS)
            .map(|number| seen(&name(number), Outcome::Degraded, "slow"))
            .collect();
        assert_eq!(
            ValidationResult::of_look(look.iter())[0].check.as_str(),
            "check-0"
        );
        look.push(seen("last", Outcome::Unknown, "it could not look"));
        let results = ValidationResult::of_look(look.iter());
        assert_eq!(results.len(), MAX_VALIDATION_RESULTS);
        let kept: Vec<&str> = results.iter().map(|one| one.check.as_str()).collect();
        assert_eq!(kept[..2], ["last", "check-0"]);
    }
}
