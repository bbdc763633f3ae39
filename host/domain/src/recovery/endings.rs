//! How operations end, and what becomes of their incidents; `closing` is how these end.

use super::{Case, IllegalMove, InputTime, Outcome, Recovery, Running, Stage, Work, words};
use crate::{
    event::IncidentEnd,
    incident::IncidentState,
    operation::{Mode, OperationEvent},
    record::Change,
};

impl Recovery {
    /// The checks pass: the failure is recovered, and for a while what comes back is the same incident.
    pub(super) fn succeeded(
        &mut self,
        case: &mut Case,
        running: Running,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        let Running {
            mut work, route, ..
        } = running;
        work.operation.error = None;
        self.step(&mut work, OperationEvent::Verified, at, out)?;
        let operation = &work.operation;
        let unproved = case.incident.must_last();
        out.writes
            .push(words::ended(operation, unproved, false, at.now));
        self.queue.finished(&operation.target, &operation.id);
        self.recovered_by(operation, at.now);
        let key = case.key();
        let until = self
            .cooldowns
            .start(&key.target, &key.failure, route.cooldown, at.now);
        out.writes
            .extend(until.map(|until| Change::Cooldown(key.target, key.failure, until)));
        case.incident.attempts = operation.attempts;
        case.incident.tried_at = Some(at.now);
        case.incident.missing = None;
        self.start_relapse_window(case, Some(operation), route.relapse_window, at, out);
        Ok(())
    }

    /// The target was healthy without this operation, or by an attempt of it that was thought to have failed.
    pub(super) fn healthy_without(
        &mut self,
        case: &mut Case,
        mut work: Work,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        let tried = work.operation.started_at.is_some();
        let why = match work.error.take().filter(|_| tried) {
            _ if case.is_unseen => "no check sees this failure any more".to_owned(),
            None => "the failure was over before the first attempt".to_owned(),
            Some(error) => format!(
                "the failure was over after attempt {}: {error}",
                work.operation.attempts
            ),
        };
        let window = self.window(case);
        case.incident.attempts = work.operation.attempts;
        case.incident.tried_at = Some(at.now);
        self.cancel_operation(&mut work, OperationEvent::Cancelled, &why, at, out)?;
        let how = case.end_without_operation();
        match tried || case.incident.must_last() {
            true => self.start_relapse_window(case, None, window, at, out),
            false => self.close(case, None, how, at.now, out),
        }
        Ok(())
    }

    /// No attempt is left, or none would help.
    pub(super) fn give_up(
        &mut self,
        case: &mut Case,
        mut work: Work,
        why: String,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        work.operation.error = Some(why);
        if work.operation.mode == Mode::Automatic {
            work.operation.runbook = self.runbook(case);
        }
        self.step(&mut work, OperationEvent::GaveUp, at, out)?;
        let operation = work.operation;
        let is_known = self.settings.knows(&operation.target);
        let again = !is_known || case.incident.state == IncidentState::Escalated;
        out.writes
            .push(words::ended(&operation, false, again, at.now));
        self.queue.finished(&operation.target, &operation.id);
        case.incident
            .end_round(match case.cleared_during_operation {
                true => 0,
                false => operation.attempts,
            });
        case.incident.tried_at = Some(at.now);
        if !is_known {
            self.close(case, None, IncidentEnd::Removed, at.now, out);
            return Ok(());
        }
        if case.cleared_during_operation {
            let window = self.window(case);
            case.incident.attempts = operation.attempts;
            self.start_relapse_window(case, None, window, at, out);
            return Ok(());
        }
        if !case.is_present && operation.mode != Mode::Automatic {
            // A person asked for it, and no check sees anything that could end it.
            self.close(case, None, IncidentEnd::Unseen, at.now, out);
            return Ok(());
        }
        let message = words::did_not_help(&case.incident, &operation);
        let then = self.after_round(case);
        self.escalate(case, Some(&operation), (message, then), at, out);
        self.schedule(case, at, out)
    }

    /// Closes an incident that nobody recovered, and ends its operation, which does not run.
    pub(super) fn close_unrecovered(
        &mut self,
        case: &mut Case,
        how: IncidentEnd,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        let tried = case.work().is_some_and(|work| work.error.is_some());
        let attempts = case.work().map(|work| work.operation.attempts);
        let why = match how {
            IncidentEnd::Removed => "the target is no longer in the config",
            IncidentEnd::Unseen => "no check sees this failure any more",
            _ if attempts > Some(0) => "the failure is over",
            _ => "the failure was over before the first attempt",
        };
        match std::mem::replace(&mut case.stage, Stage::Over) {
            Stage::Queued(mut work) | Stage::AwaitingApproval(mut work) => {
                self.cancel_operation(&mut work, OperationEvent::Cancelled, why, at, out)?;
            }
            _ => {}
        }
        if !self.settings.knows(&case.incident.target) {
            self.close(case, None, IncidentEnd::Removed, at.now, out);
            return Ok(());
        }
        if how == IncidentEnd::ByItself && (tried || case.incident.must_last()) {
            let window = self.window(case);
            case.incident.attempts = attempts.unwrap_or_default();
            case.incident.tried_at = Some(at.now);
            self.start_relapse_window(case, None, window, at, out);
            return Ok(());
        }
        self.close(case, None, how, at.now, out);
        Ok(())
    }
}
