//! One step of an operation, by the time that was lived.

use super::{IllegalMove, InputTime, Outcome, Recovery, Work};
use crate::{
    call_record::{CallEnd, CallOutcome},
    operation::OperationEvent,
    record::Change,
};

/// What the record of a call says whose operation ended before it.
const ENDED: &str = "its operation has ended";

impl Recovery {
    /// Applies an event to an operation, and writes its new value. Its recovery takes what was lived since the
    /// detection, without what the target was healthy of it.
    pub(super) fn step(
        &self,
        work: &mut Work,
        event: OperationEvent,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        let calm = work.calm;
        let operation = &mut work.operation;
        let rto = self.settings.rto(&operation.target);
        let failed = self.timeline.lived_since(operation.detected_at);
        let failed = failed.saturating_sub(calm);
        operation
            .apply_after(event, at.now, failed, rto)
            .map_err(|illegal| IllegalMove::Operation(operation.id.clone(), illegal))?;
        out.writes.push(Change::Operation(operation.clone()));
        if operation.state.is_final() {
            let why = operation.error.clone();
            end_open_call(work, why.as_deref().unwrap_or(ENDED), at, out);
        }
        Ok(())
    }
}

/// Nobody goes on with the call of another daemon, or with one that sleeps, where there is one: its record says so.
pub(super) fn end_open_call(work: &mut Work, why: &str, at: InputTime, out: &mut Outcome) {
    if let Some(open) = work.open_call.take() {
        let end = CallEnd {
            at: at.now,
            outcome: CallOutcome::GivenUp(why.to_owned()),
        };
        let id = work.operation.id.clone();
        out.writes.push(Change::CallEnded(id, open.call, end));
    }
}
