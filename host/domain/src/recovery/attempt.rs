//! One attempt: the steps of the route, each a call, and their result.

use super::{
    Action, Attempt, AttemptProgress, Call, Case, Failed, IllegalMove, InputTime, Outcome,
    Recovery, Running, Stage, Work,
    chain::{stand_at, stood_at, write},
    spacing, turn, words,
};
use crate::{
    call::RecoverRequest,
    call_record::CallPlace,
    incident::Incident,
    operation::OperationEvent,
    spec::{RouteSpec, StepSpec},
};
use std::sync::Arc;

impl Recovery {
    /// The next attempt begins, or one that a daemon before was in goes on at the step that it stood at.
    pub(super) fn attempt(
        &mut self,
        case: &mut Case,
        mut running: Running,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        let is_first = running.work.operation.started_at.is_none();
        running.work.error = None;
        running.work.deciding.begin(at.now);
        // What is borrowed to be changed is written.
        if case.incident.missing.is_some() {
            case.incident.missing = None;
        }
        let operation = &mut running.work.operation;
        if operation.cut_off {
            // It is the same attempt once more.
            operation.attempts = operation.attempts.saturating_sub(1);
        }
        let (after, progress) = stood_at(&mut running);
        self.step(&mut running.work, OperationEvent::AttemptBegan, at, out)?;
        if is_first {
            let event = words::started(&running.work.operation, &running.route, at.now);
            out.writes.push(event);
            self.count_beginning(&case.incident.target, at);
        }
        self.next_step(case, running, after, progress, at, out)
    }

    /// Calls the next step, at once or after its pause, or finishes the attempt if there is none.
    pub(super) fn next_step(
        &mut self,
        case: &mut Case,
        running: Running,
        after: Option<usize>,
        progress: AttemptProgress,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        self.go_on(case, running, (after, false), progress, at, out)
    }

    /// The same; `waited`: the pause behind the step `after` is over.
    pub(super) fn go_on(
        &mut self,
        case: &mut Case,
        mut running: Running,
        (after, waited): (Option<usize>, bool),
        mut progress: AttemptProgress,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        let Some(withheld) = self.withheld(&running, after, &mut progress) else {
            return self.finish_attempt(case, running, progress, at, out);
        };
        let passed_by = (&running.work.permanently_failed, &withheld);
        let facts = self.facts(Some(&*case.incident), &running.work.operation);
        let goes_on = running.cancelled.is_none();
        let route = Arc::clone(&running.route);
        let chain = &route.chain;
        let turn = turn::next(chain, after, passed_by, goes_on, &facts, &mut progress);
        let noted = turn::note(&mut running.work.operation, turn.skipped);
        let step = turn
            .place
            .and_then(|place| Some((place, chain.get(place)?)));
        let Some((place, step)) = step else {
            return self.finish_attempt(case, running, progress, at, out);
        };
        let stood = running.work.operation.chain.clone();
        stand_at(&mut running, place, &progress);
        let moved = stood != running.work.operation.chain;
        if after.is_some() && self.stopping {
            self.suspend_for_shutdown(case, running.work, at, out);
            return Ok(());
        }
        let came_on = after.is_some() && !waited;
        if noted || moved || came_on {
            // What the step before did must not be lost with the daemon, nor which one is called.
            write(&running.work.operation, out);
        }
        if let Some(after) = after.filter(|_| !waited && goes_on)
            && !step.pause.is_zero()
        {
            let until = at.monotonic + step.pause;
            running.attempt = Attempt::Pausing {
                after,
                until,
                progress,
            };
            case.stage = Stage::Running(Box::new(running));
            return Ok(());
        }
        running.work.calls = running.work.calls.saturating_add(1);
        let call = self.call(
            Some(&*case.incident),
            &running.work,
            &route,
            (place, step),
            at,
        );
        out.after.push(Action::Call(Box::new(call)));
        running.attempt = Attempt::Calling {
            step: place,
            progress,
        };
        case.stage = Stage::Running(Box::new(running));
        Ok(())
    }

    /// The call of one step. A dry run need have no incident.
    pub(super) fn call(
        &self,
        incident: Option<&Incident>,
        work: &Work,
        route: &RouteSpec,
        (place, step): (usize, &StepSpec),
        at: InputTime,
    ) -> Call {
        let operation = &work.operation;
        let spent = match incident {
            Some(incident) => self.failed_for(incident),
            None => at.now.since(operation.detected_at),
        };
        let rto = self.settings.rto(&operation.target);
        Call {
            handler: step.handler.clone(),
            version: step.version.clone(),
            timeout: step.timeout,
            effects: work.effects,
            place: CallPlace {
                call: work.calls,
                step: u32::try_from(place).unwrap_or(u32::MAX),
                began_at: at.now,
            },
            resumed: false,
            request: RecoverRequest {
                operation: operation.id.clone(),
                incident: operation.incident.clone(),
                target: operation.target.clone(),
                failure: operation.failure.clone(),
                severity: operation.severity,
                recurrence: incident.map_or(0, |incident| incident.recurrence),
                attempt: operation.attempts,
                max_attempts: route.strategy.max_attempts().max(operation.attempts),
                phase: self.phase().as_str().to_owned(),
                detected_at: operation.detected_at,
                remaining: Some(rto.saturating_sub(spent)),
                evidence: incident
                    .map(|incident| incident.evidence.clone())
                    .unwrap_or_default(),
                fencing: self.fencing,
                dry_run: operation.dry_run,
                params: step.params.clone(),
            },
        }
    }

    /// Every step that was to run has answered.
    fn finish_attempt(
        &mut self,
        case: &mut Case,
        mut running: Running,
        progress: AttemptProgress,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        // Three ends of the daemon in one attempt are what a person is asked about.
        running.work.operation.interruptions = 0;
        running.work.operation.chain = None;
        let is_done = progress.done;
        let passed_over = progress.passed_over.filter(|_| !is_done);
        match progress.failed.or(passed_over) {
            None if is_done => {
                // What was said of the attempt before says nothing of this one.
                running.work.operation.validation_results.clear();
                self.step(&mut running.work, OperationEvent::HandlerFinished, at, out)?;
                out.writes
                    .push(words::validating(&running.work.operation, at.now));
                let key = case.key();
                let looks = self.validate(&key, &running.work, &running.route, at, out);
                running.attempt = Attempt::Validating(looks);
                case.stage = Stage::Running(Box::new(running));
                Ok(())
            }
            None if progress.unmet => {
                let why = progress
                    .permanently_failed
                    .unwrap_or_else(|| turn::UNMET.to_owned());
                self.attempt_failed(case, running, why, at, out)
            }
            None => {
                let why = progress
                    .permanently_failed
                    .unwrap_or_else(|| "no step of its chain was left to run".to_owned());
                self.give_up_or_cancel(case, running, why, at, out)
            }
            Some(Failed::Retryable(why)) => self.attempt_failed(case, running, why, at, out),
            Some(Failed::Missing(handler, why)) => {
                case.incident.missing = Some(handler);
                self.give_up_or_cancel(case, running, why, at, out)
            }
            Some(Failed::NeedsOperator(why, steps)) => match running.cancelled.take() {
                Some(words) => self
                    .cancelled(case, running.work, &words, at, out)
                    .map(drop),
                None => self.request_operator(case, running.work, why, steps, at, out),
            },
        }
    }

    fn give_up_or_cancel(
        &mut self,
        case: &mut Case,
        mut running: Running,
        why: String,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        match running.cancelled.take() {
            Some(words) => {
                let words = format!("{words}; its last attempt had failed: {why}");
                self.cancelled(case, running.work, &words, at, out)
                    .map(drop)
            }
            None => self.give_up(case, running.work, why, at, out),
        }
    }

    /// The attempt did not help: another follows, where the strategy has one.
    pub(super) fn attempt_failed(
        &mut self,
        case: &mut Case,
        running: Running,
        why: String,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        if case.cleared_during_operation && running.cancelled.is_none() {
            let mut work = running.work;
            work.error = Some(why);
            case.stage = Stage::Queued(work);
            let how = case.end_without_operation();
            return self.close_unrecovered(case, how, at, out);
        }
        let next = running.work.operation.attempts.saturating_add(1);
        let delay = spacing::delay_before(&running.route, &case.incident, next);
        match delay {
            Some(delay) if running.cancelled.is_none() => {
                let mut work = running.work;
                let attempts = work.operation.attempts;
                let asked = self.ask_strategy(&mut work, &case.incident, &running.route, &why, at);
                let delay = work.deciding.wait(&running.route, delay);
                work.revise(out, |operation| operation.due = Some(at.now + delay));
                match asked {
                    Some(asked) => out.after.push(asked),
                    None => out
                        .writes
                        .push(words::retrying(&work.operation, &why, delay, at.now)),
                }
                work.error = Some(why);
                work.tried_at = Some(at.monotonic);
                let entry = self.entry(&work.operation, at.monotonic + delay);
                self.queue.rest(entry);
                case.stage = Stage::Queued(work);
                self.escalate_by_attempts(case, attempts, at, out);
                Ok(())
            }
            _ => self.give_up_or_cancel(case, running, why, at, out),
        }
    }
}
