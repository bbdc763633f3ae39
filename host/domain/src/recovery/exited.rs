//! The supervised process of a target ended by itself.

use super::{Attempt, IllegalMove, InputTime, Outcome, Recovery, Stage};
use crate::{
    health::Evidence,
    name::{FailureType, TargetName},
};

impl Recovery {
    /// A validation of this target has its answer, where it asks the process: nothing more can be seen of one that is gone.
    pub(super) fn exited(
        &mut self,
        target: &TargetName,
        evidence: &Evidence,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        let process = self.settings.target(target);
        let process = process.and_then(|target| target.process.as_ref());
        let exit_failure = process.map(|process| process.exit_failure.clone());
        let is_exit_failure = |failure: &FailureType| exit_failure.as_ref() == Some(failure);
        for key in self.keys_of(target) {
            let is_seen_anyway = self.is_seen_without_process(&key);
            self.try_with(&key, out, |machine, case, out| {
                if is_exit_failure(&key.failure) {
                    // Checks that passed while it ran say nothing now.
                    case.cleared_during_operation = false;
                    case.is_unseen = false;
                    case.stopped = None;
                    case.see();
                }
                let is_validating = matches!(&case.stage, Stage::Running(running) if matches!(running.attempt, Attempt::Validating(_)));
                if !is_validating || is_seen_anyway {
                    return Ok(());
                }
                let Some(mut running) = case.take_running() else {
                    return Ok(());
                };
                if evidence.output.is_some() {
                    running
                        .work
                        .operation
                        .output
                        .clone_from(&evidence.output);
                }
                let why = format!(
                    "the process ended after the handler was done: {}",
                    evidence.message
                );
                machine.attempt_failed(case, running, why, at, out)
            })?;
        }
        Ok(())
    }
}
