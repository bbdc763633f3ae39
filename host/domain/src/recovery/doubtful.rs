//! An effect of which nobody knows whether it happened: its operation waits for who can say, and then the same call goes on.
//!
//! Invariant: what a person found out is in the journal before the call goes on.

use super::{
    CaseKey, FoundOut, IllegalMove, InputTime, Outcome, Recovery, Refusal, Reply, Running, Stage,
    Work, words,
};
use crate::{
    actor::Actor,
    doubt::{Doubt, request_words},
    dry_run_answer::{DryRunFacts, dry_run_answer},
    effect::{Answer, EffectResult},
    id::OperationId,
    operation::{Operation, OperationEvent},
    record::{Change, EffectEntry, EntryKind},
    replay::Halt,
};

impl Recovery {
    /// The call halted at an effect that is in doubt.
    pub(super) fn doubted(
        &mut self,
        case: &mut super::Case,
        mut running: Running,
        doubt: Doubt,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        let event = words::in_doubt(&running.work.operation, &doubt, at.now);
        out.writes.push(event);
        let halt = Halt::InDoubt(Box::new(doubt.clone()));
        running.work.operation.doubt = Some(Box::new(doubt));
        // Also where the failure is over: what it was about is not.
        self.ask_operator(case, running.work, halt.to_string(), halt.steps(), at, out)
    }

    /// A person says whether it happened.
    pub(super) fn resolve(
        &mut self,
        (id, number): (&OperationId, u32),
        found: &FoundOut,
        by: &Actor,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<Result<Reply, Refusal>, IllegalMove> {
        let found_out = self.found_out(id, number, found, at);
        let found_out = found_out.and_then(|(key, entry)| {
            self.must_be_chartered()?;
            self.may_decide(&key, by)?;
            Ok((key, entry))
        });
        let (key, entry) = match found_out {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let happened = *found != FoundOut::DidNot;
        let said = match happened {
            true => "happened",
            false => "did not happen",
        };
        let request = request_words(&entry.effect);
        let reason = format!("effect {number}, {request}, {said}");
        let operation = self.with(&key, out, |machine, case, out| {
            let Stage::AwaitingApproval(work) = &mut case.stage else {
                return Ok(None);
            };
            out.writes.push(Change::Effect(entry));
            let about = (number, request.as_str());
            let event = words::resolved(&work.operation, about, happened, by, at.now);
            out.writes.push(event);
            work.operation.doubt = None;
            work.operation.steps.clear();
            work.operation.approval = None;
            work.expires = None;
            machine.step(work, OperationEvent::Approved, at, out)?;
            out.writes
                .push(words::approved(&work.operation, by, &reason, at.now));
            let operation = work.operation.clone();
            machine.queue.push(machine.entry(&operation, at.monotonic));
            case.stage = Stage::Queued(work.clone());
            Ok(Some(operation))
        });
        let operation = operation.transpose()?.flatten();
        Ok(operation
            .map(|operation| Reply::Operation(Box::new(operation)))
            .ok_or_else(|| not_in_doubt(id, number)))
    }

    /// A person ends what is in doubt: what always runs behind its call is called still, and then it ends.
    pub(super) fn end_doubt(
        &mut self,
        case: &mut super::Case,
        mut work: Work,
        why: &str,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<Operation, IllegalMove> {
        work.operation.doubt = None;
        work.operation.steps.clear();
        work.operation.approval = None;
        work.expires = None;
        self.step(&mut work, OperationEvent::Approved, at, out)?;
        work.revise(out, |operation| {
            operation.cancel_asked = Some(why.to_owned())
        });
        self.queue.push(self.entry(&work.operation, at.monotonic));
        let operation = work.operation.clone();
        case.stage = Stage::Queued(work);
        case.incident.by_hand = true;
        Ok(operation)
    }

    /// Whose operation it is, and what is written of what was found out.
    fn found_out(
        &self,
        id: &OperationId,
        number: u32,
        found: &FoundOut,
        at: InputTime,
    ) -> Result<(CaseKey, EffectEntry), Refusal> {
        let of = self.operations.get(id).and_then(|key| {
            let doubt = self.case(key)?.work()?.operation.doubt.as_deref()?;
            Some((key.clone(), doubt.clone()))
        });
        let (key, doubt) = of
            .filter(|(_, doubt)| doubt.number == number)
            .ok_or_else(|| not_in_doubt(id, number))?;
        let (kind, result) = match found {
            FoundOut::DidNot => (EntryKind::DidNot, None),
            FoundOut::Happened(answer) => {
                let answer = answer_of(&doubt, answer.as_ref(), at)?;
                (EntryKind::Result, Some(answer))
            }
        };
        let entry = EffectEntry {
            operation: id.clone(),
            number,
            at: at.now,
            kind,
            request_hash: Some(doubt.effect.request_hash()),
            effect: doubt.effect,
            result,
            call: Some(doubt.call),
            fencing: self.fencing,
            before: None,
            until: None,
        };
        Ok((key, entry))
    }

    /// Refuses to let run what is in doubt: it is said first whether it happened.
    pub(super) fn must_be_sure(&self, id: &OperationId) -> Result<(), Refusal> {
        let key = self.operations.get(id);
        let work = key.and_then(|key| self.case(key)?.work());
        match work.and_then(|work| work.operation.doubt.as_deref()) {
            None => Ok(()),
            Some(doubt) => Err(Refusal::Conflict(format!(
                "{id} has an effect in doubt, so it cannot only be approved: mainstay operation resolve {id} {} \
                 --happened, or --did-not",
                doubt.number
            ))),
        }
    }
}

fn not_in_doubt(id: &OperationId, number: u32) -> Refusal {
    Refusal::Conflict(format!(
        "effect {number} of {id} is not in doubt; see mainstay operation show {id}"
    ))
}

/// What the guest is answered: what the person gives, else that it went well.
fn answer_of(
    doubt: &Doubt,
    given: Option<&serde_json::Value>,
    at: InputTime,
) -> Result<EffectResult, Refusal> {
    let facts = DryRunFacts {
        now: at.now,
        value: None,
        restorable: (0, 0),
    };
    let well = dry_run_answer(&doubt.effect, &facts).unwrap_or(Ok(Answer::Done));
    let Some(given) = given else {
        return Ok(well);
    };
    let shape = |answer: &Answer| std::mem::discriminant(answer);
    match serde_json::from_value::<Answer>(given.clone()) {
        Ok(answer)
            if well
                .as_ref()
                .is_ok_and(|well| shape(well) == shape(&answer)) =>
        {
            Ok(Ok(answer))
        }
        _ => {
            let example = well.ok().and_then(|well| serde_json::to_string(&well).ok());
            Err(Refusal::NotAllowed(format!(
                "this is no answer to {}; one is, as a journal shows it: {}",
                request_words(&doubt.effect),
                example.unwrap_or_default()
            )))
        }
    }
}
