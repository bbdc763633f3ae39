//! The events of calls that a daemon goes on with.

use super::about;
use crate::{
    actor::Actor,
    doubt::{Doubt, request_words},
    event::{
        EffectInDoubt, EffectResolved, EventKind, OperationDiverged, OperationFacts,
        OperationSignalled, OperationSuspended,
    },
    name::SignalName,
    operation::Operation,
    record::Change,
    recovery::NewSignal,
    replay::Divergence,
    severity::Severity,
    time::Timestamp,
};

pub(in crate::recovery) fn suspended(
    operation: &Operation,
    awaits: Option<&SignalName>,
    until: Timestamp,
    now: Timestamp,
) -> Change {
    let does = match awaits {
        None => "sleeps".to_owned(),
        Some(name) => format!("waits for the signal `{name}`"),
    };
    let message = format!(
        "the handler that recovers {} from {} {does} until {until}, and is not held meanwhile",
        operation.target, operation.failure
    );
    let data = OperationSuspended {
        about: OperationFacts::of(operation),
        until,
    };
    let kind = EventKind::OperationSuspended;
    about(operation, kind, operation.severity, now, message, data)
}

pub(in crate::recovery) fn signalled(
    operation: &Operation,
    signal: &NewSignal,
    now: Timestamp,
) -> Change {
    let NewSignal { name, by, .. } = signal;
    let message = format!(
        "{by} signalled `{name}` to the recovery of {} from {}",
        operation.target, operation.failure
    );
    let data = OperationSignalled {
        about: OperationFacts::of(operation),
        signal: name.clone(),
        by: by.name.clone(),
        note: by.note.clone(),
    };
    let kind = EventKind::OperationSignalled;
    about(operation, kind, Severity::Low, now, message, data)
}

pub(in crate::recovery) fn diverged(
    operation: &Operation,
    divergence: &Divergence,
    now: Timestamp,
) -> Change {
    let message = format!(
        "the handler that recovers {} from {} does something else than before the daemon ended: {divergence}",
        operation.target, operation.failure
    );
    let data = OperationDiverged {
        about: OperationFacts::of(operation),
        number: divergence.number,
        recorded: divergence.recorded.clone(),
        asked: divergence.asked.clone(),
    };
    let kind = EventKind::OperationDiverged;
    about(operation, kind, operation.severity, now, message, data)
}

pub(in crate::recovery) fn in_doubt(
    operation: &Operation,
    doubt: &Doubt,
    now: Timestamp,
) -> Change {
    let data = EffectInDoubt {
        number: doubt.number,
        request: request_words(&doubt.effect),
        key: doubt.key.clone(),
        begun_at: doubt.begun_at,
    };
    let kind = EventKind::EffectInDoubt;
    let message = doubt.to_string();
    about(operation, kind, operation.severity, now, message, data)
}

pub(in crate::recovery) fn resolved(
    operation: &Operation,
    (number, request): (u32, &str),
    happened: bool,
    by: &Actor,
    now: Timestamp,
) -> Change {
    let what = match happened {
        true => "happened",
        false => "did not happen",
    };
    let message = format!("{by} says that effect {number}, {request}, {what}");
    let data = EffectResolved {
        number,
        request: request.to_owned(),
        happened,
        by: by.name.clone(),
        note: by.note.clone(),
    };
    about(
        operation,
        EventKind::EffectResolved,
        Severity::Low,
        now,
        message,
        data,
    )
}
