//! What operators say for the record, without secrets: one that was pasted into a reason is in no event and no alert.
//!
//! Invariant: what a command asks for is not touched.

use crate::ports::{Active, Boxed, Decision, RecoverRequest, RecoveryControl, Refused, Secrets};
use mainstay_domain::{id::OperationId, name::TargetName, operation::Operation};
use std::sync::Arc;

/// Commands to the recovery engine, in whose words no secret is left.
pub struct OperatorWords {
    /// The engine.
    pub recovery: Arc<dyn RecoveryControl>,
    /// What is taken out of the words.
    pub secrets: Arc<dyn Secrets>,
}

impl OperatorWords {
    fn concealed(&self, words: &str) -> String {
        let concealed = self.secrets.conceal(words.as_bytes().to_vec());
        String::from_utf8_lossy(&concealed).into_owned()
    }
}

impl RecoveryControl for OperatorWords {
    fn recover(&self, request: RecoverRequest) -> Boxed<'_, Result<OperationId, Refused>> {
        self.recovery.recover(RecoverRequest {
            by: self.concealed(&request.by),
            ..request
        })
    }

    fn decide(&self, decision: Decision) -> Boxed<'_, Result<Operation, Refused>> {
        self.recovery.decide(Decision {
            by: self.concealed(&decision.by),
            reason: self.concealed(&decision.reason),
            ..decision
        })
    }

    fn pause(
        &self,
        target: Option<TargetName>,
        paused: bool,
        by: String,
    ) -> Boxed<'_, Result<(), Refused>> {
        self.recovery.pause(target, paused, self.concealed(&by))
    }

    fn is_paused(&self, target: Option<&TargetName>) -> bool {
        self.recovery.is_paused(target)
    }

    fn active(&self, target: &TargetName) -> Option<Active> {
        self.recovery.active(target)
    }
}
