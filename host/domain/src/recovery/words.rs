//! The events of recovery: their words for people, and their data for programs.
//!
//! Invariant: the data of each event names the failure, by which alerts are told apart; that of an operation says
//! whether it is a dry run, which is no alert.

use super::endings::Closed;
use crate::{
    event::{Event, EventKind},
    id::OperationId,
    incident::Incident,
    journal::Change,
    name::TargetName,
    operation::{Operation, OperationState},
    severity::Severity,
    time::Timestamp,
};
use serde_json::{Value, json};
use std::time::Duration;

/// An event about an operation.
pub(super) fn about(
    operation: &Operation,
    kind: EventKind,
    severity: Severity,
    now: Timestamp,
    message: String,
    mut data: Value,
) -> Change {
    if let Value::Object(data) = &mut data {
        data.entry("failure")
            .or_insert_with(|| operation.failure.to_string().into());
        data.entry("dry_run")
            .or_insert_with(|| operation.dry_run.into());
        data.entry("revision")
            .or_insert_with(|| operation.revision.into());
    }
    let event = Event::new(kind, severity, now, message)
        .with_target(&operation.target)
        .with_operation(&operation.id)
        .with_data(data);
    Change::Event(event)
}

fn of_incident(
    incident: &Incident,
    kind: EventKind,
    severity: Severity,
    now: Timestamp,
    message: String,
    mut data: Value,
) -> Event {
    if let Value::Object(data) = &mut data {
        data.insert("incident".to_owned(), json!(incident.id));
        data.insert("failure".to_owned(), json!(incident.failure));
    }
    Event::new(kind, severity, now, message)
        .with_target(&incident.target)
        .with_data(data)
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn opened(incident: &Incident, seen: &str, now: Timestamp) -> Change {
    let message = format!("{} has {}: {seen}", incident.target, incident.failure);
    let data = json!({ "recurrence": incident.recurrence, "affected": incident.affected });
    let kind = EventKind::IncidentOpened;
    Change::Event(of_incident(
        incident,
        kind,
        incident.severity,
        now,
        message,
        data,
    ))
}

pub(super) fn reopened(incident: &Incident, seen: &str, now: Timestamp) -> Change {
    let message = format!(
        "{} has {} again, {} after its recovery: {seen}",
        incident.target,
        incident.failure,
        match incident.tried_at {
            Some(tried_at) => format!("{} ms", millis(now.since(tried_at))),
            None => "shortly".to_owned(),
        }
    );
    let data = json!({ "relapses": incident.relapses, "attempts": incident.attempts });
    let kind = EventKind::IncidentReopened;
    Change::Event(of_incident(
        incident,
        kind,
        incident.severity,
        now,
        message,
        data,
    ))
}

pub(super) fn closed(
    incident: &Incident,
    by: Option<&OperationId>,
    how: Closed,
    now: Timestamp,
) -> Change {
    let open_ms = millis(now.since(incident.opened_at));
    let (target, failure) = (&incident.target, &incident.failure);
    let message = match how {
        Closed::Recovered => format!("{target} recovered from {failure} after {open_ms} ms"),
        Closed::Lasting => {
            let relapses = incident.relapses;
            format!(
                "{target} recovered from {failure} after {open_ms} ms, and stays healthy; it had come back {relapses} \
                 times"
            )
        }
        Closed::ByItself => {
            format!("{target} became healthy by itself from {failure} after {open_ms} ms")
        }
        Closed::Unseen => format!(
            "{target} was to be recovered from {failure}, which no check sees: nothing more is done about it"
        ),
        Closed::Removed => format!(
            "{target} is no longer configured, which lets go of {failure} after {open_ms} ms"
        ),
    };
    let data = json!({ "open_ms": open_ms, "relapses": incident.relapses });
    let kind = EventKind::IncidentClosed;
    let mut event = of_incident(incident, kind, incident.severity, now, message, data);
    event.operation = by.cloned();
    Change::Event(event)
}

pub(super) fn escalated(
    incident: &Incident,
    operation: Option<&OperationId>,
    message: String,
    now: Timestamp,
) -> Change {
    let kind = EventKind::OperationEscalated;
    let mut event = of_incident(
        incident,
        kind,
        incident.severity,
        now,
        message,
        json!({}),
    );
    event.operation = operation.cloned();
    Change::Event(event)
}

pub(super) fn flapping(target: &TargetName, now: Timestamp) -> Change {
    let message = format!(
        "{target} fails again and again: its recoveries are spaced out as their strategy says"
    );
    let event = Event::new(EventKind::CircuitFlapping, Severity::High, now, message);
    Change::Event(event.with_target(target))
}

pub(super) fn scheduled(operation: &Operation, now: Timestamp) -> Change {
    let (target, failure) = (&operation.target, &operation.failure);
    let message = match operation.due {
        None => format!("recovery of {target} from {failure} is scheduled"),
        Some(due) => {
            format!("recovery of {target} from {failure} is scheduled at {due}, after a pause")
        }
    };
    let data = json!({ "due": operation.due });
    let kind = EventKind::OperationScheduled;
    about(operation, kind, operation.severity, now, message, data)
}

pub(super) fn asked_for(operation: &Operation, by: &str, now: Timestamp) -> Change {
    let what = match operation.dry_run {
        true => "a dry run of the recovery",
        false => "recovery",
    };
    let message = format!(
        "{what} of {} from {} was asked for by {by}",
        operation.target, operation.failure
    );
    let kind = EventKind::OperationScheduled;
    let data = json!({ "by": by });
    about(operation, kind, operation.severity, now, message, data)
}

pub(super) fn awaits(operation: &Operation, now: Timestamp) -> Change {
    let id = &operation.id;
    let steps = match operation.steps.is_empty() {
        true => String::new(),
        false => format!("; first: {}", operation.steps.join("; ")),
    };
    let message = format!(
        "recovery of {} from {} waits for a person{steps}: mainstay approve {id}, or mainstay reject {id}",
        operation.target, operation.failure
    );
    let data = json!({ "steps": operation.steps, "error": operation.error, "attempts": operation.attempts });
    let kind = EventKind::OperationAwaitingManual;
    about(operation, kind, operation.severity, now, message, data)
}

pub(super) fn approved(operation: &Operation, by: &str, reason: &str, now: Timestamp) -> Change {
    let message = format!(
        "{by} approved the recovery of {} from {}: {reason}",
        operation.target, operation.failure
    );
    let data = json!({ "by": by, "reason": reason });
    let kind = EventKind::OperationApproved;
    about(operation, kind, operation.severity, now, message, data)
}

pub(super) fn started(operation: &Operation, now: Timestamp) -> Change {
    moved(operation, EventKind::OperationStarted, "began", now)
}

pub(super) fn resumed(operation: &Operation, now: Timestamp) -> Change {
    let message = format!(
        "recovery of {} from {} is gone on with: the daemon ended while a handler of it was called",
        operation.target, operation.failure
    );
    let data = json!({ "interruptions": operation.interruptions });
    let kind = EventKind::OperationResumed;
    about(operation, kind, operation.severity, now, message, data)
}

pub(super) fn validating(operation: &Operation, now: Timestamp) -> Change {
    moved(
        operation,
        EventKind::OperationValidating,
        "is validated",
        now,
    )
}

fn moved(operation: &Operation, kind: EventKind, what: &str, now: Timestamp) -> Change {
    let message = format!(
        "recovery of {} from {} {what}",
        operation.target, operation.failure
    );
    let data = json!({ "attempt": operation.attempts });
    about(operation, kind, operation.severity, now, message, data)
}

/// The operation's new value with the event.
pub(super) fn retrying(
    operation: &Operation,
    error: &str,
    delay: Duration,
    now: Timestamp,
) -> [Change; 2] {
    let Operation {
        target,
        failure,
        attempts,
        ..
    } = operation;
    let message = format!(
        "attempt {attempts} to recover {target} from {failure} failed, the next follows in {delay:?}: {error}"
    );
    let data = json!({ "attempt": attempts, "error": error, "delay_ms": millis(delay) });
    let kind = EventKind::OperationRetrying;
    [
        Change::Operation(operation.clone()),
        about(operation, kind, Severity::Medium, now, message, data),
    ]
}

pub(super) fn cancelled(operation: &Operation, why: &str, now: Timestamp) -> Change {
    let dry = dry_words(operation);
    let message = format!(
        "{dry}recovery of {} from {} was cancelled: {why}",
        operation.target, operation.failure
    );
    about(
        operation,
        EventKind::OperationCancelled,
        Severity::Low,
        now,
        message,
        facts(operation),
    )
}

/// Its end. `relapsed`: its incident had come back before, and people hear when it lasts. `again`: they were told
/// before that it does not help.
pub(super) fn ended(operation: &Operation, relapsed: bool, again: bool, now: Timestamp) -> Change {
    let (kind, what) = match operation.state {
        OperationState::Succeeded => (EventKind::OperationSucceeded, "succeeded"),
        OperationState::Partial => (EventKind::OperationPartial, "is partial"),
        _ => (EventKind::OperationFailed, "failed"),
    };
    let dry = dry_words(operation);
    let took = operation
        .recovery_ms
        .map_or(String::new(), |ms| format!(" after {ms} ms"));
    let error = operation
        .error
        .as_ref()
        .map_or(String::new(), |error| format!(": {error}"));
    let message = format!(
        "{dry}recovery of {} from {} {what}{took}{error}",
        operation.target, operation.failure
    );
    let mut data = facts(operation);
    if let Value::Object(data) = &mut data {
        data.insert("relapsed".to_owned(), relapsed.into());
        data.insert("again".to_owned(), again.into());
    }
    // A success resolves what was fired with the failure's severity, so it is routed like it.
    about(operation, kind, operation.severity, now, message, data)
}

fn facts(operation: &Operation) -> Value {
    json!({
        "incident": operation.incident, "failure": operation.failure, "state": operation.state,
        "attempts": operation.attempts, "handler": operation.handler, "handler_version": operation.handler_version,
        "actions": operation.actions, "error": operation.error, "recovery_ms": operation.recovery_ms,
        "rto_exceeded": operation.rto_exceeded, "steps": operation.steps,
    })
}

fn dry_words(operation: &Operation) -> &'static str {
    match operation.dry_run {
        true => "dry run of the ",
        false => "",
    }
}

pub(super) fn did_not_help(operation: &Operation) -> String {
    format!(
        "recovery of {} from {} did not help",
        operation.target, operation.failure
    )
}

pub(super) fn paused(target: Option<&TargetName>, paused: bool, by: &str, now: Timestamp) -> Change {
    let what = target.map_or("the host".to_owned(), ToString::to_string);
    let (kind, verb) = match paused {
        true => (EventKind::HostPaused, "paused"),
        false => (EventKind::HostResumed, "resumed"),
    };
    let mut event = Event::new(kind, Severity::Low, now, format!("{by} {verb} {what}"));
    event.target = target.cloned();
    Change::Event(event.with_data(json!({ "by": by })))
}
