//! One step of an operation, by the time that was lived.

use super::{IllegalMove, InputTime, Outcome, Recovery, Work};
use crate::{operation::OperationEvent, record::Change};

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
        Ok(())
    }
}
