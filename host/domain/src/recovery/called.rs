//! A handler answered.

use super::{
    Attempt, AttemptProgress, Case, Failed, Handled, IllegalMove, InputTime, NotHandled, Outcome,
    Recovery, deeds::planned, words,
};
use crate::{
    call::RecoveryFailure,
    call_record::CallEnd,
    doubt::Doubt,
    id::OperationId,
    operation::Operation,
    record::Change,
    replay::Halt,
    spec::{OnFailure, StepSpec},
};

impl Recovery {
    pub(super) fn called(
        &mut self,
        id: &OperationId,
        handled: Handled,
        at: InputTime,
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
            running.work.awaits = None;
            let Attempt::Calling { step, mut progress } =
                std::mem::replace(&mut running.attempt, Attempt::first_call())
            else {
                return Ok(());
            };
            // Of what is cancelled only what always runs is still called, whatever halted the call.
            let goes_on = running.cancelled.is_none();
            if let Err(NotHandled::Halted(Halt::InDoubt(doubt))) = &handled.result
                && goes_on
            {
                running.work.effects = running.work.effects.max(handled.effects);
                return machine.doubted(case, running, Doubt::clone(doubt), at, out);
            }
            if let Err(NotHandled::Halted(Halt::Suspended { until, left })) = &handled.result
                && goes_on
            {
                let sleep = (*until, *left);
                return machine.suspended(case, running, sleep, handled.effects, at, out);
            }
            if let Err(NotHandled::Halted(Halt::Awaits(awaited))) = &handled.result
                && goes_on
            {
                return machine.awaits(case, running, awaited, handled.effects, at, out);
            }
            if let Err(NotHandled::Halted(Halt::Diverged(divergence))) = &handled.result {
                let operation = &running.work.operation;
                out.writes
                    .push(words::diverged(operation, divergence, at.now));
            }
            let open = running.work.open_call.take();
            if handled.effects > running.work.effects || open.is_some() {
                running.work.effects = running.work.effects.max(handled.effects);
                // What it did is in the journal, and so is its record.
                let end = CallEnd {
                    at: at.now,
                    outcome: handled.outcome(),
                };
                let call = open.map_or(running.work.calls, |open| open.call);
                out.writes.push(Change::CallEnded(id.clone(), call, end));
            }
            if let Some(spec) = running.route.chain.get(step) {
                let is_permanent =
                    record_answer(&mut running.work.operation, spec, handled, &mut progress);
                if is_permanent {
                    running.work.permanently_failed.insert(step);
                }
            }
            machine.next_step(case, running, Some(step), progress, at, out)
        })
    }
}

/// Records an answer. Returns whether the step failed permanently.
pub(super) fn record_answer(
    operation: &mut Operation,
    step: &StepSpec,
    handled: Handled,
    progress: &mut AttemptProgress,
) -> bool {
    if let Some(by) = handled.by {
        operation.handler = Some(by.name);
        operation.handler_version = Some(by.version);
        operation.handler_digest = Some(by.digest);
    }
    let handler = &step.handler;
    let reported = matches!(&handled.result, Ok(report) if !report.actions.is_empty());
    // What always runs cleans up, and a dry run changes nothing.
    if (handled.acted || reported) && !step.always && !operation.dry_run {
        operation.acted_by = Some(handler.clone());
    }
    let failed = match handled.result {
        Ok(report) => {
            match operation.dry_run {
                true => {
                    let reported = report.actions.iter();
                    let actions = reported.map(|action| planned(action));
                    operation.actions.extend(actions);
                }
                false => operation.actions.extend(report.actions),
            }
            let loss = report.data_loss.map(|loss| format!("data loss: {loss}"));
            operation.actions.extend(loss);
            // A step that always runs cleans up; it recovers nothing by itself.
            progress.done |= !step.always;
            return false;
        }
        Err(NotHandled::Failed(RecoveryFailure::Permanent(why))) => {
            progress
                .permanently_failed
                .get_or_insert(format!("{handler}: {why}"));
            progress.stopped |= step.on_failure == Some(OnFailure::Stop);
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
        Err(NotHandled::Halted(halt)) => {
            // Whatever the step says of its failures: what nobody knows lets nothing behind it go on.
            let halted = Failed::NeedsOperator(halt.to_string(), halt.steps());
            progress.failed.get_or_insert(halted);
            return false;
        }
    };
    let place = match step.on_failure {
        Some(OnFailure::Continue) => &mut progress.passed_over,
        Some(OnFailure::Stop) | None => &mut progress.failed,
    };
    place.get_or_insert(failed);
    false
}
