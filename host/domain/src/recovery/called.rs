//! A handler answered.

use super::{
    At, Attempt, AttemptProgress, Case, Failed, Handled, IllegalMove, NotHandled, Outcome, Recovery,
};
use crate::{call::RecoveryFailure, id::OperationId, operation::Operation, spec::StepSpec};

impl Recovery {
    pub(super) fn called(
        &mut self,
        id: &OperationId,
        handled: Handled,
        at: At,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        if self.dry_runs.contains_key(id) {
            return self.dry_run_called(id, handled, at, out);
        }
        let not_calling = || IllegalMove::NotCalling(id.clone());
        let key = self.operations.get(id).cloned().ok_or_else(not_calling)?;
        if !self.case(&key).is_some_and(Case::is_calling) {
            return Err(not_calling());
        }
        self.try_with(&key, out, |machine, case, out| {
            let Some(mut running) = case.take_running() else {
                return Ok(());
            };
            let Attempt::Calling { step, mut so_far } = std::mem::replace(
                &mut running.attempt,
                Attempt::Calling {
                    step: 0,
                    so_far: AttemptProgress::default(),
                },
            ) else {
                return Ok(());
            };
            running.work.effects = running.work.effects.max(handled.effects);
            if let Some(spec) = running.route.chain.get(step) {
                let is_hopeless = take(&mut running.work.operation, spec, handled, &mut so_far);
                if is_hopeless {
                    running.work.permanently_failed.insert(step);
                }
            }
            machine.next_step(case, running, Some(step), so_far, at, out)
        })
    }
}

/// Takes an answer up. Whether no attempt of this step will help.
pub(super) fn take(
    operation: &mut Operation,
    step: &StepSpec,
    handled: Handled,
    so_far: &mut AttemptProgress,
) -> bool {
    if let Some(by) = handled.by {
        operation.handler = Some(by.name);
        operation.handler_version = Some(by.version);
        operation.handler_digest = Some(by.digest);
    }
    let handler = &step.handler;
    let failed = match handled.result {
        Ok(report) => {
            operation.actions.extend(report.actions);
            let loss = report.data_loss.map(|loss| format!("data loss: {loss}"));
            operation.actions.extend(loss);
            // A step that always runs cleans up; it recovers nothing by itself.
            so_far.done |= !step.always;
            return false;
        }
        Err(NotHandled::Failed(RecoveryFailure::Permanent(why))) => {
            so_far
                .permanently_failed
                .get_or_insert(format!("{handler}: {why}"));
            return true;
        }
        Err(NotHandled::Failed(RecoveryFailure::Retryable(why))) => {
            Failed::Retryable(format!("{handler}: {why}"))
        }
        Err(NotHandled::Failed(RecoveryFailure::NeedsOperator(steps))) => {
            let why = format!("{handler} needs a person: {}", steps.join("; "));
            Failed::NeedsOperator(why, steps)
        }
        Err(NotHandled::Missing(why)) => Failed::Missing(handler.clone(), why),
    };
    so_far.failed.get_or_insert(failed);
    false
}
