//! What a person is asked about because of the gate.

use crate::{
    id::OperationId,
    name::TargetName,
    operation::{Mode, Operation},
    policy::{Ask, Gate, GateReason, Why},
    recovery::{Case, IllegalMove, InputTime, Outcome, Recovery, Work},
};
use std::collections::BTreeMap;

impl Recovery {
    /// What a person has to be asked about before this operation goes on, which the queue has let begin.
    pub(in crate::recovery) fn must_ask(&self, operation: &Operation) -> Option<Why> {
        let (ask, busy) = (ask_of(operation), self.queue.busy());
        match self.view().gate(&operation.target, &ask, busy) {
            Gate::Ask(why) => Some(why),
            // In the same turn the queue was told that it need not wait; what is forbidden is not in it.
            Gate::Go | Gate::Wait(_) | Gate::Forbid(_) => None,
        }
    }

    /// Whether a person still has to be asked about an operation of which the gate had them asked, beside what runs and these,
    /// which are about to: it may neither begin nor wait for room.
    pub(in crate::recovery) fn still_asks(
        &self,
        operation: &Operation,
        coming: &BTreeMap<TargetName, OperationId>,
    ) -> bool {
        let (ask, busy) = (ask_of(operation), self.queue.busy().chain(coming));
        let answer = self.view().gate(&operation.target, &ask, busy);
        let has_room = matches!(answer, Gate::Wait(Why::AtOnce { .. } | Why::PerHour { .. }));
        answer != Gate::Go && !has_room
    }

    /// The gate has a person asked: the operation awaits them.
    pub(in crate::recovery) fn ask_about(
        &mut self,
        case: &mut Case,
        mut work: Work,
        why: &Why,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        self.count_refusal(GateReason::from(why));
        self.queue
            .finished(&work.operation.target, &work.operation.id);
        work.operation.error = Some(why.to_string());
        self.await_operator(case, work, at, out)
    }
}

fn ask_of(operation: &Operation) -> Ask {
    Ask {
        severity: operation.severity,
        is_manual: operation.mode != Mode::Automatic,
        is_counted: operation.started_at.is_some(),
    }
}
