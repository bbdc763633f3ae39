//! Every check that raised a failure passes again; or none sees it any more, by another config or because a person keeps its target
//! stopped.

use super::{Attempt, Case, CaseKey, IllegalMove, InputTime, Outcome, Recovery, Stage};

impl Recovery {
    /// The failure is over. Where an operation runs, its own look says so.
    pub(super) fn cleared(
        &mut self,
        key: &CaseKey,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        self.try_with(key, out, |machine, case, out| {
            case.is_unseen = false;
            case.stopped = None;
            machine.not_seen_to_fail(case, at, out)
        })
    }

    /// Nobody sees it any more: what has done nothing yet does nothing for it, and nobody says that it is healthy.
    pub(super) fn unseen(
        &mut self,
        key: &CaseKey,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        self.try_with(key, out, |machine, case, out| {
            case.is_unseen = true;
            case.stopped = None;
            machine.not_seen_to_fail(case, at, out)
        })
    }

    /// A person keeps its target stopped: that ends it.
    pub(super) fn kept_stopped(
        &mut self,
        key: &CaseKey,
        by: String,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        self.try_with(key, out, |machine, case, out| {
            case.is_unseen = true;
            case.stopped = Some(by);
            machine.not_seen_to_fail(case, at, out)
        })
    }

    fn not_seen_to_fail(
        &mut self,
        case: &mut Case,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        case.is_present = false;
        case.seen_at = None;
        match &mut case.stage {
            Stage::Running(running) => {
                case.cleared_during_operation = true;
                if let Attempt::Looking(looks) | Attempt::Validating(looks) = &mut running.attempt
                    && let Some(next) = &mut looks.next
                {
                    *next = at.monotonic;
                }
                Ok(())
            }
            // It is in the middle of a call, which is gone on with, also where a person has to say first what it did.
            Stage::Queued(work) | Stage::AwaitingApproval(work) if work.open_call.is_some() => {
                case.cleared_during_operation = true;
                Ok(())
            }
            Stage::RelapseWindow { .. } | Stage::Over => Ok(()),
            _ => {
                let how = case.end_without_operation();
                self.close_unrecovered(case, how, at, out)
            }
        }
    }
}
