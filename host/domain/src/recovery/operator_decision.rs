//! What a person decides about an operation.
//!
//! Invariant: a decision is about one revision of an operation. A decision about an outdated revision, or a second
//! decision, is refused.

use super::{
    Attempt, CaseKey, IllegalMove, InputTime, Outcome, Recovery, Refusal, Reply, Stage, words,
};
use crate::{
    actor::Actor,
    event::AfterEscalation,
    id::OperationId,
    operation::{Operation, OperationEvent, OperationState},
};

/// A decision, without its verb.
pub(super) struct OperatorDecision<'a> {
    pub(super) id: &'a OperationId,
    pub(super) revision: Option<u64>,
    pub(super) by: &'a Actor,
    pub(super) reason: &'a str,
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
        let not_awaiting = || {
            Refusal::Conflict(format!(
                "{id} does not wait for a person; see mainstay operation show {id}"
            ))
        };
        if !self.operations.contains_key(id) {
            return Err(not_awaiting());
        }
        let (key, operation) = self.decidable(decision)?;
        match operation.state {
            OperationState::AwaitingManual => Ok(key),
            _ => Err(not_awaiting()),
        }
    }

    pub(super) fn approve(
        &mut self,
        decision: &OperatorDecision<'_>,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<Result<Reply, Refusal>, IllegalMove> {
        let key = match self.awaiting(decision) {
            Ok(key) => key,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let operation = self.with(&key, out, |machine, case, out| {
            let Stage::AwaitingApproval(work) = &mut case.stage else {
                return Ok(None);
            };
            machine.step(work, OperationEvent::Approved, at, out)?;
            let (by, reason) = (decision.by, decision.reason);
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
        let key = match self.awaiting(decision) {
            Ok(key) => key,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let operation = self.with(&key, out, |machine, case, out| {
            let Stage::AwaitingApproval(work) = &case.stage else {
                return Ok(None);
            };
            let mut work = work.clone();
            let (by, reason) = (decision.by, decision.reason);
            let why = format!("rejected by {by}: {reason}");
            machine.cancel_operation(&mut work, OperationEvent::Rejected, &why, at, out)?;
            let message = format!(
                "{by} rejected the recovery of {} from {}: {reason}",
                key.target, key.failure
            );
            let operation = Some(&work.operation);
            machine.escalate(
                case,
                operation,
                (message, AfterEscalation::People),
                at.now,
                out,
            );
            machine.hand_over_to_operator(case, at, out);
            Ok(Some(work.operation))
        });
        Ok(answer(decision.id, operation.transpose()?.flatten()))
    }

    /// A waiting operation ends now. A running one ends after its call, which is not interrupted; the reply shows it
    /// as it is.
    pub(super) fn cancel(
        &mut self,
        decision: &OperatorDecision<'_>,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<Result<Reply, Refusal>, IllegalMove> {
        let words = format!("cancelled by {}: {}", decision.by, decision.reason);
        if let Some(dry_run) = self.dry_runs.get_mut(decision.id) {
            return Ok(dry_run.cancel(decision, words));
        }
        let key = match self.decidable(decision) {
            Ok((key, _)) => key,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let operation = self.with(&key, out, |machine, case, out| {
            match std::mem::replace(&mut case.stage, Stage::Over) {
                Stage::Queued(work) | Stage::AwaitingApproval(work) => {
                    machine.cancelled(case, work, &words, at, out).map(Some)
                }
                Stage::Running(mut running) => {
                    if running.cancelled.is_some() {
                        case.stage = Stage::Running(running);
                        return Ok(None);
                    }
                    if !matches!(running.attempt, Attempt::Calling { .. }) {
                        let ended = machine.cancelled(case, running.work, &words, at, out);
                        return ended.map(Some);
                    }
                    running.cancelled = Some(words);
                    let operation = running.work.operation.clone();
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
    fn cancel(&mut self, decision: &OperatorDecision<'_>, words: String) -> Result<Reply, Refusal> {
        at_revision(decision, self.operation())?;
        if self.cancelled.is_some() {
            return answer(decision.id, None);
        }
        self.cancelled = Some(words);
        answer(decision.id, Some(self.operation().clone()))
    }
}

/// Refuses a decision about what has moved on.
fn at_revision(decision: &OperatorDecision<'_>, operation: &Operation) -> Result<(), Refusal> {
    let id = decision.id;
    match decision.revision {
        Some(revision) if revision != operation.revision => Err(Refusal::Conflict(format!(
            "{id} has moved on: you decided about revision {revision}, and it is at {}; see mainstay operation show {id}",
            operation.revision
        ))),
        _ => Ok(()),
    }
}

fn answer(id: &OperationId, operation: Option<Operation>) -> Result<Reply, Refusal> {
    operation
        .map(|operation| Reply::Operation(Box::new(operation)))
        .ok_or_else(|| {
            Refusal::Conflict(format!(
                "that was decided about {id} before; see mainstay operation show {id}"
            ))
        })
}
