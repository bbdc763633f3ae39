//! Begins an attempt of an operation, and asks for looks.

use super::{
    Action, Attempt, Case, CaseKey, IllegalMove, InputTime, Outcome, Polling, Recovery, Running,
    Stage, Work, words,
};
use crate::{
    name::PluginName,
    operation::{Mode, Operation, OperationEvent, OperationState},
    policy::GateReason,
    spec::RouteSpec,
    time::{Monotonic, Timestamp},
};
use std::{sync::Arc, time::Duration};

impl Recovery {
    /// The queue says that the operation of this case goes on. One that waited looks afresh before it acts.
    pub(super) fn begin(
        &mut self,
        case: &mut Case,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        let mut work = match std::mem::replace(&mut case.stage, Stage::Over) {
            Stage::Queued(work) => work,
            other => {
                case.stage = other;
                return Ok(());
            }
        };
        let key = case.key();
        let Some(route) = self.settings.route(&key, work.operation.severity).cloned() else {
            let why = "no route fits it any more".to_owned();
            return self.give_up(case, work, why, at, out);
        };
        if let Some(open) = work.open_call {
            work.route = Some(Arc::clone(&route));
            let cancelled = work.operation.cancel_asked.clone();
            let running = Running {
                work,
                route,
                attempt: Attempt::first_call(),
                cancelled,
            };
            return match running.cancelled.is_some() {
                true => self.pass_call(case, running, at, out),
                false => self.resume_call(case, running, open, at, out),
            };
        }
        let is_automatic = work.operation.mode == Mode::Automatic;
        if is_automatic && route.simulate {
            let why = "its route only simulates by now".to_owned();
            return self.give_up(case, work, why, at, out);
        }
        if is_automatic && self.is_left_to_people(&key) {
            case.incident.attempts = work.operation.attempts;
            let (why, event) = (words::left_to_people(&key), OperationEvent::Cancelled);
            self.cancel_operation(&mut work, event, &why, at, out)?;
            return self.schedule(case, at, out);
        }
        if is_automatic && route.strategy.awaits_approval() {
            self.queue.finished(&key.target, &work.operation.id);
            return self.await_operator(case, work, at, out);
        }
        if let Some(why) = self.must_ask(&work.operation) {
            return self.ask_about(case, work, &why, at, out);
        }
        if let Some(breach) = self.breach_by(&key.target).filter(|_| is_automatic) {
            self.count_refusal(GateReason::Forbidden);
            return self.give_up(case, work, breach.to_string(), at, out);
        }
        let rest = self.all_rest(&key, &route, at.now);
        if is_automatic && !work.operation.cut_off && !rest.is_zero() {
            // Another failure of the target was recovered by it meanwhile: nothing could be called before that is over.
            self.queue.finished(&key.target, &work.operation.id);
            self.retime(&mut work, at.monotonic + rest, at, out);
            case.stage = Stage::Queued(work);
            return Ok(());
        }
        let next = work.operation.attempts.saturating_add(1);
        let has_next = work.operation.cut_off || route.strategy.has_attempt(next);
        if let Some(error) = work.error.clone().filter(|_| is_automatic && !has_next) {
            return self.give_up(case, work, error, at, out);
        }
        let was_seen_now = case.seen_at == Some(at.monotonic);
        // What was called and may have helped is looked at in any case.
        let is_seen = case.is_present && case.seen_at.is_some() && !work.operation.cut_off;
        let trusts = is_seen && !route.workflow.looks_before();
        let looks_first = is_automatic && !was_seen_now && !trusts;
        let before = work.route.replace(Arc::clone(&route));
        if before.is_none_or(|before| before.chain != route.chain) {
            work.permanently_failed.clear();
        }
        let running = Running {
            work,
            route,
            attempt: Attempt::first_call(),
            cancelled: None,
        };
        if looks_first {
            let length = self.settings.validation(&key.target);
            let looks = self.look(&key, &running.work, (false, length), at, out);
            let attempt = Attempt::Looking(looks);
            case.stage = Stage::Running(Box::new(Running { attempt, ..running }));
            return Ok(());
        }
        self.attempt(case, running, at, out)
    }

    /// Asks for the first of the looks by which an attempt is validated.
    pub(super) fn validate(
        &mut self,
        key: &CaseKey,
        work: &Work,
        route: &RouteSpec,
        at: InputTime,
        out: &mut Outcome,
    ) -> Polling {
        let of_target = self.settings.validation(&key.target);
        let length = route.workflow.validation(of_target);
        self.look(key, work, (true, length), at, out)
    }

    /// Asks for the first of some looks: whether a handler has acted, and how long they go on.
    fn look(
        &mut self,
        key: &CaseKey,
        work: &Work,
        (acted, length): (bool, Duration),
        at: InputTime,
        out: &mut Outcome,
    ) -> Polling {
        let until = at.monotonic + length;
        let number = self.request_look(key, work, acted, out);
        Polling::begun(until, number)
    }

    /// Asks for one look, and gives its number. While the daemon ends none is asked for.
    pub(super) fn request_look(
        &mut self,
        key: &CaseKey,
        work: &Work,
        acted: bool,
        out: &mut Outcome,
    ) -> u64 {
        self.looks += 1;
        if !self.stopping {
            out.after.push(Action::Look {
                operation: work.operation.id.clone(),
                number: self.looks,
                target: key.target.clone(),
                failure: key.failure.clone(),
                acted,
            });
        }
        self.looks
    }

    /// Requests a look that is due; goes on after a pause; ends a relapse window that is over, and a wait for people that was
    /// too long.
    pub(super) fn wake(
        &mut self,
        case: &mut Case,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        let key = case.key();
        match &mut case.stage {
            Stage::RelapseWindow { .. } => self.end_relapse_window(case, at, out),
            Stage::AwaitingApproval(_) => self.approval_expired(case, at, out)?,
            Stage::Running(running) => {
                let Running { work, attempt, .. } = &mut **running;
                match attempt {
                    Attempt::Looking(looks) | Attempt::Validating(looks) => {
                        looks.next = None;
                        looks.number = self.request_look(&key, work, false, out);
                    }
                    Attempt::Pausing { .. } => return self.pause_ended(case, at, out),
                    Attempt::Calling { .. } => {}
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A handler serves again: operations that waited for it are due.
    pub(super) fn serves(&mut self, handler: &PluginName, at: InputTime, out: &mut Outcome) {
        let waiting = self.missing.get(handler).cloned().unwrap_or_default();
        for key in waiting {
            self.with(&key, out, |machine, case, out| {
                machine.release_missing_handler(case, at, out);
            });
        }
    }

    /// The operation waited for a missing handler; it is due now.
    pub(super) fn release_missing_handler(
        &mut self,
        case: &mut Case,
        at: InputTime,
        out: &mut Outcome,
    ) {
        case.incident.missing = None;
        // That it was tried in vain says nothing about the handler.
        case.incident.tried_at = None;
        self.make_due_now(case, at, out);
    }

    /// What is queued is due now.
    pub(super) fn make_due_now(&mut self, case: &mut Case, at: InputTime, out: &mut Outcome) {
        if let Stage::Queued(work) = &mut case.stage {
            self.retime(work, at.monotonic, at, out);
        }
    }

    /// What is queued is due at another time.
    pub(super) fn retime(
        &mut self,
        work: &mut Work,
        due: Monotonic,
        at: InputTime,
        out: &mut Outcome,
    ) {
        let entry = self.entry(&work.operation, due);
        let wait = due.since(at.monotonic);
        work.revise(out, |operation| {
            operation.due = due_of(operation, wait, at.now);
        });
        self.queue.push(entry);
    }
}

/// The due time in the record. An operation between two attempts always has one: by it the next daemon tells it from
/// one that was in a call.
pub(super) fn due_of(operation: &Operation, wait: Duration, now: Timestamp) -> Option<Timestamp> {
    let rests = operation.state != OperationState::Scheduled;
    (rests || !wait.is_zero()).then(|| now + wait)
}
