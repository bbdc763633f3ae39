//! Where in its chain an attempt stands, and how the next daemon goes on there.

use super::{
    Action, Attempt, AttemptProgress, Case, CaseKey, Failed, IllegalMove, InputTime, OpenCall,
    Outcome, Recovery, Running, Stage, Work, step::end_open_call, words,
};
use crate::{
    operation::{ChainPlace, Operation, OperationEvent, OperationState},
    record::Change,
    replay::Halt,
    time::Timestamp,
};
use std::time::Duration;

impl Recovery {
    /// The call sleeps, or waits for a signal: it is gone on with when that is over, and holds nothing meanwhile.
    pub(super) fn suspended(
        &mut self,
        case: &mut Case,
        running: Running,
        (until, left): (Timestamp, Duration),
        effects: u32,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        let mut work = running.work;
        let open = OpenCall {
            call: work.calls,
            effects: work.effects,
        };
        work.open_call.get_or_insert(open);
        work.effects = work.effects.max(effects);
        work.revise(out, |operation| operation.due = Some(until));
        let awaits = work.awaits.as_ref();
        out.writes
            .push(words::suspended(&work.operation, awaits, until, at.now));
        let entry = self.entry(&work.operation, at.monotonic + left);
        self.queue.rest(entry);
        case.stage = Stage::Queued(work);
        Ok(())
    }

    /// A person cancelled it while its call slept: only what always runs behind that is still called.
    pub(super) fn pass_call(
        &mut self,
        case: &mut Case,
        mut running: Running,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        let (before, mut progress) = stood_at(&mut running);
        let step = before.map_or(0, |before| before.saturating_add(1));
        let why = running.cancelled.clone().unwrap_or_default();
        end_open_call(&mut running.work, &why, at, out);
        self.go_on_as_before(&mut running.work, at, out)?;
        let cancelled = Failed::NeedsOperator(why, Vec::new());
        progress.failed.get_or_insert(cancelled);
        self.next_step(case, running, Some(step), progress, at, out)
    }

    /// Whether something that always runs is behind the call that sleeps, and may be called.
    pub(super) fn has_always_behind(&self, work: &Work) -> bool {
        let operation = &work.operation;
        let key = CaseKey::from(operation);
        let route = self.settings.route(&key, operation.severity);
        let (Some(route), Some(place), Some(_)) = (route, &operation.chain, work.open_call) else {
            return false;
        };
        let step = usize::try_from(place.step).unwrap_or(usize::MAX);
        let mut behind = route.chain.iter().skip(step.saturating_add(1));
        behind.any(|step| step.always) && self.must_be_chartered().is_ok()
    }

    /// The call that the daemon before was in goes on, as a part of the same attempt.
    pub(super) fn resume_call(
        &mut self,
        case: &mut Case,
        mut running: Running,
        open: OpenCall,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        let (after, progress) = stood_at(&mut running);
        let step = after.map_or(0, |before| before.saturating_add(1));
        let spec = running.route.chain.get(step).cloned();
        let (Some(spec), true) = (spec, running.work.operation.chain.is_some()) else {
            let why =
                "the chain of its route is another one than when the daemon ended in a call of it"
                    .to_owned();
            let halt = Halt::GivenUp(why.clone());
            end_open_call(&mut running.work, &why, at, out);
            return self.request_operator(case, running.work, why, halt.steps(), at, out);
        };
        running.work.error = None;
        self.go_on_as_before(&mut running.work, at, out)?;
        let mut call = self.call(
            Some(&*case.incident),
            &running.work,
            &running.route,
            (step, &spec),
            at,
        );
        call.place.call = open.call;
        call.effects = open.effects;
        call.resumed = true;
        out.after.push(Action::Call(Box::new(call)));
        running.attempt = Attempt::Calling { step, progress };
        case.stage = Stage::Running(Box::new(running));
        Ok(())
    }
}

impl Recovery {
    /// It is the same attempt, which goes on.
    fn go_on_as_before(
        &self,
        work: &mut Work,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        if work.operation.state == OperationState::InProgress {
            work.revise(out, |operation| {
                operation.due = None;
                operation.cut_off = false;
            });
            return Ok(());
        }
        // A person said what nobody knew, or has it end.
        work.operation.attempts = work.operation.attempts.saturating_sub(1);
        self.step(work, OperationEvent::AttemptBegan, at, out)
    }
}

/// Puts on record that the step at this place is called.
pub(super) fn stand_at(running: &mut Running, place: usize, progress: &AttemptProgress) {
    let handler = running.route.chain.get(place).map(|step| &step.handler);
    let place = handler.map(|handler| ChainPlace {
        step: u32::try_from(place).unwrap_or(u32::MAX),
        handler: handler.clone(),
        progress: progress.clone(),
        permanently_failed: running.work.permanently_failed.clone(),
    });
    running.work.operation.chain = place.map(Box::new);
}

/// The step before the one at which the record stands, and what it and those before came to. From the first where it
/// stands at none, or the chain is another one since.
pub(super) fn stood_at(running: &mut Running) -> (Option<usize>, AttemptProgress) {
    let chain = &running.route.chain;
    let place = running.work.operation.chain.take().filter(|place| {
        let step = usize::try_from(place.step).unwrap_or(usize::MAX);
        chain
            .get(step)
            .is_some_and(|step| step.handler == place.handler)
    });
    let Some(place) = place else {
        return (None, AttemptProgress::default());
    };
    running.work.operation.chain = Some(place.clone());
    running.work.permanently_failed = place.permanently_failed;
    let step = usize::try_from(place.step).unwrap_or(usize::MAX);
    (step.checked_sub(1), place.progress)
}

/// Writes the record of an operation: in place of what this input has written of it, where it has.
pub(super) fn write(operation: &Operation, out: &mut Outcome) {
    let mut writes = out.writes.iter_mut().rev();
    let before = writes.find_map(|change| match change {
        Change::Operation(before) if before.id == operation.id => Some(before),
        _ => None,
    });
    match before {
        Some(before) => before.clone_from(operation),
        None => out.writes.push(Change::Operation(operation.clone())),
    }
}
