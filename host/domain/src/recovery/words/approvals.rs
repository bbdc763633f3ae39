//! The events of waiting for people, and of their approvals.

use super::{about, why};
use crate::{
    actor::Actor,
    code::ErrorCode,
    doubt::Doubt,
    event::{EventKind, OperationApproved, OperationAwaitingManual, OperationFacts},
    operation::Operation,
    record::Change,
    time::Timestamp,
};

pub(in crate::recovery) fn awaits(operation: &Operation, now: Timestamp) -> Change {
    let id = &operation.id;
    let steps = match operation.steps.is_empty() {
        true => String::new(),
        false => format!("; first: {}", operation.steps.join("; ")),
    };
    let (who, until) = match &operation.approval {
        None => ("a person".to_owned(), String::new()),
        Some(approval) => {
            let until = approval.expires.map(|time| format!(", until {time}"));
            let who = match approval.needed {
                1 => "a person".to_owned(),
                many => format!("{many} people"),
            };
            (who, until.unwrap_or_default())
        }
    };
    let then = match operation.doubt.as_deref() {
        None => format!("`mainstay approve {id}`"),
        Some(Doubt { number, .. }) => {
            let why = operation.error.as_deref();
            let why = why.unwrap_or("an effect is in doubt");
            format!("{why}: `mainstay operation resolve {id} {number} --happened`, or `--did-not`")
        }
    };
    let message = ErrorCode::AwaitsOperator.mark(format!(
        "recovery of {} from {} waits for {who}{until}{steps}: {then}, or `mainstay reject {id}`",
        operation.target, operation.failure
    ));
    let data = OperationAwaitingManual {
        about: OperationFacts::of(operation),
        steps: operation.steps.clone(),
        error: operation.error.clone(),
        attempts: operation.attempts,
        doubt: operation.doubt.as_deref().map(|doubt| doubt.number),
    };
    let kind = EventKind::OperationAwaitingManual;
    about(operation, kind, operation.severity, now, message, data)
}

pub(in crate::recovery) fn approved(
    operation: &Operation,
    by: &Actor,
    reason: &str,
    now: Timestamp,
) -> Change {
    let needed = operation.approval.as_ref().filter(|one| one.needed > 1);
    let votes = needed.map(|one| format!(" ({} of {})", one.given.len(), one.needed));
    let (target, failure, why) = (&operation.target, &operation.failure, why(reason));
    let votes = votes.unwrap_or_default();
    let message = format!("{by} approved the recovery of {target} from {failure}{votes}{why}");
    let data = OperationApproved {
        about: OperationFacts::of(operation),
        by: by.name.clone(),
        note: by.note.clone(),
        reason: reason.to_owned(),
    };
    let kind = EventKind::OperationApproved;
    about(operation, kind, operation.severity, now, message, data)
}
