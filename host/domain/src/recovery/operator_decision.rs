//! What a person decides about an operation.
//!
//! Invariant: a decision is about one revision of an operation. A decision about an outdated revision, or a second
//! decision, is refused.

use super::{
    Attempt, CaseKey, IllegalMove, InputTime, Outcome, Recovery, Refusal, Reply, Stage, Work, words,
};
use crate::{
    actor::Actor,
    event::AfterEscalation,
    id::OperationId,
    operation::{Approval, Operation, OperationEvent, OperationState},
};

/// A decision, without its verb.
pub(super) struct OperatorDecision<'a> {
    pub(super) id: &'a OperationId,
    pub(super) revision: Option<u64>,
    pub(super) by: &'a Actor,
    pub(super) reason: &'a str,
}

impl OperatorDecision<'_> {
    /// Who did it and why, as the record of the operation has it.
    fn words(&self, verb: &str) -> String {
        with_reason(format!("{verb} by {}", self.by), self.reason)
    }

    /// The same of the incident, as a sentence.
    fn sentence(&self, verb: &str) -> String {
        with_reason(format!("{} {verb} its recovery", self.by), self.reason)
    }
}

/// Nobody has to give a reason.
fn with_reason(what: String, reason: &str) -> String {
    match reason.trim() {
        "" => what,
        reason => format!("{what}: {reason}"),
    }
}

impl Recovery {
    /// The case of an operation that may be decided about.
    fn decidable(&self, decision: &OperatorDecision<'_>) -> Result<(CaseKey, &Operation), Refusal> {
        let id = decision.id;
        let found = self.operations.get(id).and_then(|key| {
            let work = self.case(key)?.work()?;
            Some((key.clone(), &work.operation))
        });
        let (key, operation) = found.ok_or_else(|| {
            Refusal::Conflict(format!(
                "{id} neither waits nor runs; see mainstay operation show {id}"
            ))
        })?;
        at_revision(decision, operation)?;
        Ok((key, operation))
    }

    fn awaiting(&self, decision: &OperatorDecision<'_>) -> Result<CaseKey, Refusal> {
        let id = decision.id;
        if !self.operations.contains_key(id) {
            return Err(Refusal::Conflict(format!(
                "{id} does not wait for a person; see mainstay operation show {id}"
            )));
        }
        let (key, operation) = self.decidable(decision)?;
        match operation.state {
            OperationState::AwaitingManual => Ok(key),
            state => Err(Refusal::Conflict(format!(
                "{id} does not wait for a person: it is {}; see mainstay operation show {id}",
                state.as_str()
            ))),
        }
    }

    pub(super) fn approve(
        &mut self,
        decision: &OperatorDecision<'_>,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<Result<Reply, Refusal>, IllegalMove> {
        if let Err(refusal) = self.must_be_sure(decision.id) {
            return Ok(Err(refusal));
        }
        let key = self.awaiting(decision).and_then(|key| {
            self.must_be_chartered()?;
            self.may_decide(&key, decision.by)?;
            self.may_vote(&key, decision.id, decision.by)?;
            Ok(key)
        });
        let key = match key {
            Ok(key) => key,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let asked = self.settings.spec().policy.approval_of(&key.target);
        let (needed, of) = (asked.needed.get(), asked.of.clone());
        let operation = self.with(&key, out, |machine, case, out| {
            let Stage::AwaitingApproval(work) = &mut case.stage else {
                return Ok(None);
            };
            let (by, reason) = (decision.by, decision.reason);
            let approval = work.operation.approval.get_or_insert_with(Approval::of_one);
            // The config may be stricter by now: who decides no more has not let it run, and more people may have to.
            approval
                .given
                .retain(|vote| of.is_empty() || of.contains(&vote.by));
            approval.needed = approval.needed.max(needed);
            approval.add(by, reason, at.now);
            if approval.missing() > 0 {
                work.revise(out, |_| {});
                out.writes
                    .push(words::approved(&work.operation, by, reason, at.now));
                return Ok(Some(work.operation.clone()));
            }
            work.expires = None;
            machine.step(work, OperationEvent::Approved, at, out)?;
            out.writes
                .push(words::approved(&work.operation, by, reason, at.now));
            let operation = work.operation.clone();
            machine.queue.push(machine.entry(&operation, at.monotonic));
            case.stage = Stage::Queued(work.clone());
            Ok(Some(operation))
        });
        Ok(answer(decision.id, operation.transpose()?.flatten()))
    }

    pub(super) fn reject(
        &mut self,
        decision: &OperatorDecision<'_>,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<Result<Reply, Refusal>, IllegalMove> {
        let key = self.awaiting(decision).and_then(|key| {
            self.may_decide(&key, decision.by)?;
            Ok(key)
        });
        let key = match key {
            Ok(key) => key,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let operation = self.with(&key, out, |machine, case, out| {
            let Stage::AwaitingApproval(work) = &case.stage else {
                return Ok(None);
            };
            let mut work = work.clone();
            work.operation.runbook = machine.runbook(case);
            let (by, reason) = (decision.by, decision.reason);
            let why = decision.words("rejected");
            case.incident.handed_over = Some(decision.sentence("rejected"));
            let message = format!(
                "{by} rejected the recovery of {} from {}: {reason}",
                key.target, key.failure
            );
            if machine.has_always_behind(&work) {
                work.operation.escalated = true;
                let operation = machine.end_doubt(case, work, &why, at, out)?;
                let told = (message, AfterEscalation::People);
                machine.escalate(case, Some(&operation), told, at, out);
                return Ok(Some(operation));
            }
            let event = OperationEvent::Rejected;
            machine.stop_operation(&mut work, event, &why, case.is_present, at, out)?;
            let operation = Some(&work.operation);
            machine.escalate(case, operation, (message, AfterEscalation::People), at, out);
            machine.hand_over_to_operator(case, at, out);
            Ok(Some(work.operation))
        });
        Ok(answer(decision.id, operation.transpose()?.flatten()))
    }

    /// A waiting operation ends now. A running one ends after its call, which is not interrupted: that it was asked for
    /// is an event and in its record, and the reply shows it as it is.
    pub(super) fn cancel(
        &mut self,
        decision: &OperatorDecision<'_>,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<Result<Reply, Refusal>, IllegalMove> {
        let said = decision.words("cancelled");
        if let Some(dry_run) = self.dry_runs.get_mut(decision.id) {
            return Ok(dry_run.cancel(decision, said, at, out));
        }
        if let Some(reply) = self.cancel_plan(decision, &said, at, out)? {
            return Ok(reply);
        }
        let key = match self.decidable(decision) {
            Ok((key, _)) => key,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let operation = self.with(&key, out, |machine, case, out| {
            match std::mem::replace(&mut case.stage, Stage::Over) {
                Stage::Queued(mut work) if machine.has_always_behind(&work) => {
                    if work.operation.cancel_asked.is_some() {
                        case.stage = Stage::Queued(work);
                        return Ok(None);
                    }
                    case.incident.handed_over = Some(decision.sentence("cancelled"));
                    let operation = ask_to_cancel(&mut work, decision, said, at, out);
                    machine.retime(&mut work, at.monotonic, at, out);
                    case.stage = Stage::Queued(work);
                    case.incident.by_hand = true;
                    Ok(Some(operation))
                }
                Stage::AwaitingApproval(work) if machine.has_always_behind(&work) => {
                    case.incident.handed_over = Some(decision.sentence("cancelled"));
                    machine.end_doubt(case, work, &said, at, out).map(Some)
                }
                Stage::Queued(work) | Stage::AwaitingApproval(work) => {
                    case.incident.handed_over = Some(decision.sentence("cancelled"));
                    machine.cancelled(case, work, &said, at, out).map(Some)
                }
                Stage::Running(mut running) => {
                    if running.cancelled.is_some() {
                        case.stage = Stage::Running(running);
                        return Ok(None);
                    }
                    case.incident.handed_over = Some(decision.sentence("cancelled"));
                    match &mut running.attempt {
                        Attempt::Calling { .. } => {}
                        // What always runs is called now, and then it ends.
                        Attempt::Pausing { until, .. } => *until = at.monotonic,
                        Attempt::Looking(_) | Attempt::Validating(_) => {
                            let ended = machine.cancelled(case, running.work, &said, at, out);
                            return ended.map(Some);
                        }
                    }
                    running.cancelled = Some(said.clone());
                    let operation = ask_to_cancel(&mut running.work, decision, said, at, out);
                    case.stage = Stage::Running(running);
                    case.incident.by_hand = true;
                    Ok(Some(operation))
                }
                other => {
                    case.stage = other;
                    Ok(None)
                }
            }
        });
        Ok(answer(decision.id, operation.transpose()?.flatten()))
    }
}

impl super::dry_run::DryRun {
    fn cancel(
        &mut self,
        decision: &OperatorDecision<'_>,
        said: String,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<Reply, Refusal> {
        at_revision(decision, self.operation())?;
        if self.cancelled.is_some() {
            return answer(decision.id, None);
        }
        self.cancelled = Some(said.clone());
        let operation = ask_to_cancel(self.work_mut(), decision, said, at, out);
        answer(decision.id, Some(operation))
    }
}

/// Puts on record that it is to be cancelled once its call is over.
fn ask_to_cancel(
    work: &mut Work,
    decision: &OperatorDecision<'_>,
    said: String,
    at: InputTime,
    out: &mut Outcome,
) -> Operation {
    work.revise(out, |operation| operation.cancel_asked = Some(said));
    let (by, reason) = (decision.by, decision.reason);
    out.writes
        .push(words::cancelling(&work.operation, by, reason, at.now));
    work.operation.clone()
}

/// Refuses a decision about what has moved on.
pub(super) fn at_revision(decision: &OperatorDecision<'_>, of: &Operation) -> Result<(), Refusal> {
    let id = decision.id;
    match decision.revision {
        Some(revision) if revision != of.revision => Err(Refusal::Conflict(format!(
            "{id} has moved on: you decided about revision {revision}, and it is at {}; see mainstay operation show {id}",
            of.revision
        ))),
        _ => Ok(()),
    }
}

pub(super) fn answer(id: &OperationId, operation: Option<Operation>) -> Result<Reply, Refusal> {
    operation
        .map(|operation| Reply::Operation(Box::new(operation)))
        .ok_or_else(|| {
            Refusal::Conflict(format!(
                "that was decided about {id} before, and it ends with the attempt that runs; see mainstay operation show {id}"
            ))
        })
}
