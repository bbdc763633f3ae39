//! What the host asks a detector, and what it sees.

use crate::{
    health::Outcome,
    name::{CheckName, FailureType, TargetName},
    time::Timestamp,
};
use std::time::Duration;

/// The most bytes that a detector keeps from look to look.
pub const MAX_MEMORY: usize = 4_096;
/// The longest message, bytes; what is longer is cut.
const MAX_MESSAGE: usize = 2_000;
/// Below this, what is said to be failed counts as degraded.
const SURE: f64 = 0.5;

/// One look of a detector.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeRequest {
    /// What is looked at.
    pub target: TargetName,
    /// For which check.
    pub check: CheckName,
    /// Parameters of the check as the operator wrote them, secrets by name; a JSON object.
    pub params: serde_json::Value,
    /// The moment of the look.
    pub now: Timestamp,
    /// How long it may take.
    pub timeout: Duration,
    /// What the last look left.
    pub memory: Vec<u8>,
}

/// How a target is, as a detector says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// It works.
    Healthy,
    /// It works, but not as it should.
    Degraded,
    /// It does not work.
    Failed,
}

/// What a detector saw.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// How the target is.
    pub condition: Condition,
    /// For people.
    pub message: String,
    /// The measured value, in the detector's own unit.
    pub value: Option<f64>,
    /// A failure type that says more than the check's, as the detector names it.
    pub failure: Option<String>,
    /// How sure it is, from 0 to 1; absent is 1.
    pub confidence: Option<f64>,
    /// For the next look.
    pub memory: Vec<u8>,
}

impl Seen {
    /// What an answer counts as, or why it is none: a message that is too long is cut, and what is failed without being
    /// sure of it is degraded.
    ///
    /// # Errors
    /// It is no answer of the contract; the host then could not look.
    pub fn judged(mut self, handles: &[FailureType]) -> Result<(Self, Outcome), String> {
        let found = self.memory.len();
        if found > MAX_MEMORY {
            return Err(format!(
                "it keeps {found} bytes for its next look, and at most {MAX_MEMORY} are allowed"
            ));
        }
        let sure = self.confidence.unwrap_or(1.0);
        if !(0.0..=1.0).contains(&sure) {
            return Err(format!(
                "it gives a confidence of {sure}: 0.0 to 1.0 is allowed"
            ));
        }
        if let Some(failure) = &self.failure
            && !handles.iter().any(|handled| handled.as_str() == failure)
        {
            return Err(format!(
                "it tells of the failure type `{}`, which it does not say that it handles",
                crate::text::excerpt(failure)
            ));
        }
        if self.message.len() > MAX_MESSAGE {
            self.message
                .truncate(self.message.floor_char_boundary(MAX_MESSAGE));
            self.message.push('…');
        }
        self.value = self.value.filter(|value| value.is_finite());
        let outcome = match self.condition {
            Condition::Healthy => Outcome::Healthy,
            Condition::Failed if sure >= SURE => Outcome::Failed,
            Condition::Degraded | Condition::Failed => Outcome::Degraded,
        };
        Ok((self, outcome))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(condition: Condition) -> Seen {
        Seen {
            condition,
            message: "slow".to_owned(),
            value: Some(7.0),
            failure: None,
            confidence: None,
            memory: Vec::new(),
        }
    }

    fn outcome(condition: Condition, confidence: Option<f64>) -> Outcome {
        let seen = Seen {
            confidence,
            ..seen(condition)
        };
        seen.judged(&[]).unwrap().1
    }

    #[test]
    fn what_is_failed_without_being_sure_of_it_is_degraded() {
        assert_eq!(outcome(Condition::Failed, None), Outcome::Failed);
        assert_eq!(outcome(Condition::Failed, Some(0.5)), Outcome::Failed);
        assert_eq!(outcome(Condition::Failed, Some(0.49)), Outcome::Degraded);
        assert_eq!(outcome(Condition::Degraded, Some(1.0)), Outcome::Degraded);
        assert_eq!(outcome(Condition::Healthy, Some(0.0)), Outcome::Healthy);
    }

    #[test]
    fn what_the_contract_does_not_know_is_no_answer() {
        let handled = [FailureType::parse("latency-trend").unwrap()];
        let failed = || seen(Condition::Failed);
        for wrong in [
            Seen {
                memory: vec![0; MAX_MEMORY + 1],
                ..failed()
            },
            Seen {
                confidence: Some(1.1),
                ..failed()
            },
            Seen {
                confidence: Some(f64::NAN),
                ..failed()
            },
            Seen {
                failure: Some("of-somebody-else".to_owned()),
                ..failed()
            },
        ] {
            assert!(wrong.clone().judged(&handled).is_err(), "{wrong:?}");
        }
        let whole = Seen {
            memory: vec![0; MAX_MEMORY],
            failure: Some("latency-trend".to_owned()),
            ..failed()
        };
        assert!(whole.judged(&handled).is_ok());
    }

    #[test]
    fn a_message_has_a_length_and_a_value_is_a_number() {
        let long = Seen {
            message: "ä".repeat(MAX_MESSAGE),
            value: Some(f64::NAN),
            ..seen(Condition::Degraded)
        };
        let (seen, _) = long.judged(&[]).unwrap();
        assert_eq!(seen.message.chars().count(), MAX_MESSAGE / 2 + 1);
        assert_eq!(seen.value, None);
    }
}
