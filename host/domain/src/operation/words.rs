//! States and events of an operation in words.

use super::{OperationEvent, OperationState};

impl OperationState {
    /// The word that is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            OperationState::Scheduled => "scheduled",
            OperationState::InProgress => "in-progress",
            OperationState::Validating => "validating",
            OperationState::Succeeded => "succeeded",
            OperationState::Failed => "failed",
            OperationState::Partial => "partial",
            OperationState::Cancelled => "cancelled",
            OperationState::AwaitingManual => "awaiting-manual",
        }
    }
}

impl OperationEvent {
    pub(super) fn done_to(self) -> &'static str {
        match self {
            OperationEvent::AttemptBegan => "attempted",
            OperationEvent::HandlerFinished => "validated",
            OperationEvent::Verified => "verified",
            OperationEvent::GaveUp => "given up",
            OperationEvent::NeedsOperator => "handed to a person",
            OperationEvent::Approved => "approved",
            OperationEvent::Rejected => "rejected",
            OperationEvent::Cancelled => "cancelled",
            OperationEvent::Interrupted => "interrupted",
        }
    }
}
