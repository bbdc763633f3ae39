//! What a person, or the end of its failure, ends before its own end; and what becomes of the failure that holds on.

use super::{Case, HandOverReason, IllegalMove, InputTime, Outcome, Recovery, Stage, Work, words};
use crate::{
    event::IncidentEnd,
    operation::{Operation, OperationEvent},
};

impl Recovery {
    /// A person ended the operation: the failure is handed over to people.
    pub(super) fn cancelled(
        &mut self,
        case: &mut Case,
        mut work: Work,
        why: &str,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<Operation, IllegalMove> {
        let event = OperationEvent::Cancelled;
        self.stop_operation(&mut work, event, why, case.is_present, at, out)?;
        self.hand_over_to_operator(case, at, out);
        Ok(work.operation)
    }

    /// Nothing automatic is done about it until it is over.
    pub(super) fn hand_over_to_operator(
        &mut self,
        case: &mut Case,
        at: InputTime,
        out: &mut Outcome,
    ) {
        if !case.is_present {
            let how = match case.cleared_during_operation {
                true => case.end_without_operation(),
                false => IncidentEnd::Unseen,
            };
            case.incident.handed_over = None;
            self.close(case, None, how, at.now, out);
            return;
        }
        case.incident.by_hand = true;
        case.stage = Stage::HandedOver(HandOverReason::Decided);
    }

    /// Ends an operation that is no longer wanted.
    pub(super) fn cancel_operation(
        &mut self,
        work: &mut Work,
        event: OperationEvent,
        why: &str,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        self.stop_operation(work, event, why, false, at, out)
    }

    /// The same; `is_stopped` where its failure holds and is left to people.
    pub(super) fn stop_operation(
        &mut self,
        work: &mut Work,
        event: OperationEvent,
        why: &str,
        is_stopped: bool,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        let (target, id) = (work.operation.target.clone(), work.operation.id.clone());
        self.queue.remove(&id);
        self.queue.finished(&target, &id);
        work.operation.error = Some(why.to_owned());
        self.step(work, event, at, out)?;
        out.writes
            .push(words::cancelled(&work.operation, why, is_stopped, at.now));
        Ok(())
    }

    /// A person lets the host go on with what a person had stopped: it gets an automatic operation again.
    pub(super) fn resume_handed_over(
        &mut self,
        case: &mut Case,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        if !matches!(case.stage, Stage::HandedOver(_)) {
            return Ok(());
        }
        case.incident.by_hand = false;
        case.incident.handed_over = None;
        self.set_escalation(case, at);
        self.schedule(case, at, out)
    }
}
