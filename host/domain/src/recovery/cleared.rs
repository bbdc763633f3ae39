//! Every check that raised a failure passes again.

use super::{Attempt, CaseKey, IllegalMove, InputTime, Outcome, Recovery, Stage};
use crate::event::IncidentEnd;

impl Recovery {
    /// The failure is over. Where an operation runs, its own look says so.
    pub(super) fn cleared(
        &mut self,
        key: &CaseKey,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        self.try_with(key, out, |machine, case, out| {
            case.is_present = false;
            case.seen_at = None;
            match &mut case.stage {
                Stage::Running(running) => {
                    case.cleared_during_operation = true;
                    if let Attempt::Looking(looks) | Attempt::Validating(looks) =
                        &mut running.attempt
                        && let Some(next) = &mut looks.next
                    {
                        *next = at.monotonic;
                    }
                }
                Stage::RelapseWindow { .. } | Stage::Over => {}
                _ => {
                    return machine.close_unrecovered(case, IncidentEnd::ByItself, at, out);
                }
            }
            Ok(())
        })
    }
}
