//! The checks of an operation's target were run.

use super::{
    Attempt, Case, CaseKey, IllegalMove, InputTime, Look, LookResult, Outcome, Polling, Recovery,
    Running, Stage,
};
use crate::{id::OperationId, operation::OperationEvent, time::Monotonic};
use std::time::Duration;

/// What is said of an attempt whose handlers were done while the checks did not pass.
const STILL_FAILS: &str = "the handler was done, but the checks still fail";
/// What is said of one after which nobody could see whether they pass.
const NOT_SEEN: &str =
    "the handler was done, but the checks could not look, so nobody knows whether it helped";
/// What is said of one whose process was started anew again and again, whoever did that.
const NOT_SETTLED: &str =
    "the handler was done, but its process was started anew before it had run for a moment";
/// What is said of one whose process did not run when it was done, and that nobody else was to start.
const NOT_RUNNING: &str = "the handler was done, but the process does not run";
/// What an operation says that has done nothing, because it could not see whether there is something to do.
pub(super) const CANNOT_LOOK: &str = "its checks cannot look, so nothing is done";
/// So long it gives way to others before it tries to look again.
const BETWEEN_TRIES: Duration = Duration::from_secs(10);

impl Recovery {
    pub(super) fn looked(
        &mut self,
        id: &OperationId,
        look: Look,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        // During shutdown nothing is started; but a recovery may still be reported.
        if self.stopping && (look.seen != LookResult::Healthy || look.is_present) {
            return Ok(());
        }
        let Some(key) = self.operations.get(id).cloned() else {
            return Ok(());
        };
        let awaited = |case: &Case| match &case.stage {
            Stage::Running(running) => match &running.attempt {
                Attempt::Looking(looks) | Attempt::Validating(looks) => {
                    looks.next.is_none() && looks.number == look.number
                }
                Attempt::Calling { .. } | Attempt::Pausing { .. } => false,
            },
            _ => false,
        };
        if !self.case(&key).is_some_and(awaited) {
            return Ok(());
        }
        self.try_with(&key, out, |machine, case, out| {
            case.is_present = look.is_present;
            // A failure that is present again was not cleared.
            case.cleared_during_operation &= !look.is_present;
            let Some(running) = case.take_running() else {
                return Ok(());
            };
            machine.apply_look(case, running, look, at, out)
        })
    }

    fn apply_look(
        &mut self,
        case: &mut Case,
        mut running: Running,
        look: Look,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        let is_over = look.seen == LookResult::Healthy && !look.is_present;
        let settles = look.seen == LookResult::Settling;
        let hold = running.route.workflow.hold();
        let again = |looks: &mut Polling| match settles {
            true => looks.settle(at.monotonic),
            false => looks.again(at.monotonic),
        };
        if matches!(running.attempt, Attempt::Validating(_)) {
            // Its handlers are done, and nobody waits for them: others begin meanwhile.
            let operation = &running.work.operation;
            let waits = settles || (is_over && !hold.is_zero());
            self.queue.lend(&operation.target, &operation.id, waits);
        }
        if let Attempt::Validating(looks) = &mut running.attempt {
            if is_over && looks.hold(at.monotonic, hold) {
                case.stage = Stage::Running(Box::new(running));
                return Ok(());
            }
            if !is_over {
                looks.release();
            }
        }
        match &mut running.attempt {
            // The call that the daemon's end cut off is the likeliest cause.
            Attempt::Looking(_) if is_over && running.work.operation.cut_off => {
                let operation = &mut running.work.operation;
                let stood = operation.chain.as_ref().map(|place| &place.handler);
                let first = running.route.chain.first().map(|step| &step.handler);
                let cause = operation.acted_by.take().or(stood.or(first).cloned());
                operation.acted_by = cause;
                operation.validation_results = look.results;
                self.step(&mut running.work, OperationEvent::HandlerFinished, at, out)?;
                self.succeeded(case, running, at, out)
            }
            Attempt::Looking(_) if is_over => self.healthy_without(case, running.work, at, out),
            Attempt::Looking(looks) => {
                // What passes once may fail again; what is not there yet may come.
                let is_open = matches!(
                    look.seen,
                    LookResult::Healthy
                        | LookResult::Settling
                        | LookResult::NotYet
                        | LookResult::Unseen
                );
                if is_open && again(looks) {
                    case.stage = Stage::Running(Box::new(running));
                    return Ok(());
                }
                if look.seen == LookResult::Unseen {
                    self.put_off(case, running, at, out);
                    return Ok(());
                }
                if look.seen == LookResult::Healthy {
                    // It has passed all that time: whatever is still held against it is old.
                    return self.healthy_without(case, running.work, at, out);
                }
                self.attempt(case, running, at, out)
            }
            Attempt::Validating(_) if is_over => {
                running.work.operation.validation_results = look.results;
                self.succeeded(case, running, at, out)
            }
            Attempt::Validating(looks) => {
                let key = case.key();
                let is_down = look.seen == LookResult::Down;
                let is_seen_anyway = self.is_seen_without_process(&key);
                let is_started = self.is_started_by_another(&key, looks.until);
                if is_started && (is_down || is_seen_anyway) {
                    // That one has its turn now: the handlers of this one are done.
                    let id = &running.work.operation.id;
                    self.queue.give_way(&key.target, id);
                }
                if is_down {
                    if is_started && looks.again(at.monotonic) {
                        case.stage = Stage::Running(Box::new(running));
                        return Ok(());
                    }
                    running.work.operation.validation_results = look.results;
                    return self.attempt_failed(case, running, NOT_RUNNING.to_owned(), at, out);
                }
                if again(looks) {
                    case.stage = Stage::Running(Box::new(running));
                    return Ok(());
                }
                if look.seen == LookResult::Unseen && looks.extend(at.monotonic) {
                    case.stage = Stage::Running(Box::new(running));
                    return Ok(());
                }
                let why = match look.seen {
                    LookResult::Unseen => NOT_SEEN,
                    LookResult::Settling => NOT_SETTLED,
                    // It is not held against the target, and nothing was seen since.
                    LookResult::NotYet if !look.is_present => NOT_SEEN,
                    LookResult::Healthy
                    | LookResult::Failing
                    | LookResult::Down
                    | LookResult::NotYet => STILL_FAILS,
                };
                running.work.operation.validation_results = look.results;
                self.attempt_failed(case, running, why.to_owned(), at, out)
            }
            Attempt::Calling { .. } | Attempt::Pausing { .. } => {
                case.stage = Stage::Running(Box::new(running));
                Ok(())
            }
        }
    }

    /// See [`TargetSpec::is_seen_without_process`](crate::spec::TargetSpec::is_seen_without_process).
    pub(super) fn is_seen_without_process(&self, key: &CaseKey) -> bool {
        let target = self.settings.target(&key.target);
        target.is_some_and(|target| target.is_seen_without_process(&key.failure))
    }

    /// Whether the failure that the process of its target ended is another one, whose operation runs or begins by then: that
    /// starts the process, and only then can be seen whether this one is over.
    fn is_started_by_another(&self, key: &CaseKey, by: Monotonic) -> bool {
        let target = self.settings.target(&key.target);
        let process = target.and_then(|target| target.process.as_ref());
        let exit = process.map(|process| CaseKey {
            target: key.target.clone(),
            failure: process.exit_failure.clone(),
        });
        let other = exit.filter(|exit| exit != key);
        let other = other.and_then(|exit| self.case(&exit));
        match other.map(|case| &case.stage) {
            Some(Stage::Running(_)) => true,
            Some(Stage::Queued(work)) => {
                let entry = self.queue.get(&work.operation.id);
                entry.is_some_and(|entry| entry.due <= by)
            }
            _ => false,
        }
    }

    /// Nobody can see whether there is still something to do. A healthy target must not be touched, so nothing is done,
    /// which is no attempt, and the turn is others' until it is tried to look again.
    fn put_off(&mut self, case: &mut Case, running: Running, at: InputTime, out: &mut Outcome) {
        let mut work = running.work;
        work.revise(out, |operation| {
            operation.due = Some(at.now + BETWEEN_TRIES);
        });
        work.error = Some(CANNOT_LOOK.to_owned());
        // No strategy says how long this is.
        work.tried_at = None;
        let entry = self.entry(&work.operation, at.monotonic + BETWEEN_TRIES);
        self.queue.rest(entry);
        case.stage = Stage::Queued(work);
    }
}
